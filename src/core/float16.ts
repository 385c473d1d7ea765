const float = new Float32Array(1);
const bits = new Uint32Array(float.buffer);

/** IEEE 754 half precision, rounded to nearest, ties to even; beyond ±65504 infinity. */
export function toFloat16(values: ArrayLike<number>): Uint16Array {
  return Uint16Array.from({ length: values.length }, (_, i) => encode(values[i]));
}

/** The numbers that half-precision bits stand for; exact. */
export function fromFloat16(halves: ArrayLike<number>): Float32Array {
  return Float32Array.from({ length: halves.length }, (_, i) => decode(halves[i]));
}

function encode(value: number): number {
  float[0] = value;
  const sign = (bits[0] >>> 16) & 0x8000;
  const magnitude = bits[0] & 0x7fffffff;
  // NaN stays NaN; infinity and what rounds beyond 65504 become infinity.
  if (magnitude > 0x7f800000) return sign | 0x7e00;
  if (magnitude >= 0x477ff000) return sign | 0x7c00;
  // Below the smallest normal number, 2^-14, halves are multiples of 2^-24.
  if (magnitude < 0x38800000) return sign | halfEven(Math.abs(float[0]) * 2 ** 24);
  // Exponent and mantissa are one number: a carry out of the mantissa raises the exponent.
  return sign | halfEven((magnitude - 0x38000000) / 2 ** 13);
}

function halfEven(x: number): number {
  const floor = Math.floor(x);
  const rest = x - floor;
  return rest > 0.5 || (rest === 0.5 && floor % 2 === 1) ? floor + 1 : floor;
}

function decode(half: number): number {
  const sign = half & 0x8000 ? -1 : 1;
  const exponent = (half >>> 10) & 0x1f;
  const mantissa = half & 0x3ff;
  if (exponent === 0x1f) return mantissa === 0 ? sign * Infinity : Number.NaN;
  if (exponent === 0) return sign * mantissa * 2 ** -24;
  return sign * (1 + mantissa / 1024) * 2 ** (exponent - 15);
}
