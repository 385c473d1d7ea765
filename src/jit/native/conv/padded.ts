import type { Geometry } from './geometry.ts';

/** C of `NAME(x, padded, images)`, which copies images into margins of zeros. */
export function emitPadding(name: string, g: Geometry): string {
  const { channels, height, width, paddedHeight, paddedWidth, paddedImage } = g;
  const [top, left] = g.pads;
  return `GIBBS_KERNEL void ${name}(const float *x, float *padded, long images) {
  for (long n = 0; n < images; n++) {
    float *p = padded + n * ${paddedImage};
    __builtin_memset(p, 0, ${4 * paddedImage});
    for (long c = 0; c < ${channels}; c++)
      for (long y = 0; y < ${height}; y++)
        __builtin_memcpy(p + (c * ${paddedHeight} + y + ${top}) * ${paddedWidth} + ${left}, x + ((n * ${channels} + c) * ${height} + y) * ${width}, ${4 * width});
  }
}
`;
}
