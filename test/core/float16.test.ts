import { describe, expect, it } from 'vitest';
import { fromFloat16, toFloat16 } from '../../src/core/float16.ts';
import { encodeSafetensors, readSafetensors, toHostTensor } from '../../src/core/safetensors.ts';

describe('half precision', () => {
  it('gives back every half that there is', () => {
    const all = Uint16Array.from({ length: 0x10000 }, (_, i) => i);
    const finite = all.filter((h) => (h & 0x7c00) !== 0x7c00);
    expect(toFloat16(fromFloat16(finite))).toEqual(finite);
  });

  it.each([
    [1, 0x3c00],
    [-2, 0xc000],
    [65504, 0x7bff],
    [65519, 0x7bff],
    [65520, 0x7c00],
    [-Infinity, 0xfc00],
    [2 ** -24, 1],
    [2 ** -25, 0],
    [1.5 * 2 ** -24, 2],
    [1 + 2 ** -11, 0x3c00],
    [1 + 3 * 2 ** -11, 0x3c02],
  ])('writes %f as the standard has it', (value, half) => {
    expect(toFloat16([value])[0]).toBe(half);
  });

  it('keeps what is no number', () => {
    expect(fromFloat16(toFloat16([Number.NaN]))[0]).toBeNaN();
  });

  it('is a dtype of safetensors', () => {
    const file = encodeSafetensors({
      a: { dtype: 'F16', shape: [2], data: toFloat16([0.1, -3]) },
      b: { dtype: 'F32', shape: [1], data: Float32Array.of(7) },
    });
    const { tensors } = readSafetensors(Buffer.concat(file));
    const a = toHostTensor(tensors.get('a')!);
    expect(a).toMatchObject({ dtype: 'float32', shape: [2] });
    expect(a.data[0]).toBeCloseTo(0.1, 4);
    expect(a.data[1]).toBe(-3);
  });
});
