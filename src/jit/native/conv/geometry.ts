import type { Isa } from '../gemm/isa.ts';

/** A convolution or one of its adjoints, with sizes known when it is compiled; NCHW and OIHW. */
export interface ConvCall {
  /**
   * `forward`: (x, weight, bias) → y. `inputGrad`: (dy, weight) → dx. `weightGrad`: (x, dy) → dw.
   */
  readonly kind: 'forward' | 'inputGrad' | 'weightGrad';
  readonly batch: number;
  /** Of the input. */
  readonly channels: number;
  readonly height: number;
  readonly width: number;
  /** Of the result of the forward convolution. */
  readonly filters: number;
  readonly kernel: readonly [number, number];
  readonly strides: readonly [number, number];
  /** Top, left, bottom, right; not negative. */
  readonly pads: readonly [number, number, number, number];
  readonly dilations: readonly [number, number];
  readonly groups: number;
  /** Adds one number per filter; forward only. */
  readonly bias: boolean;
  /** As of products; `bf16` where `roundsConvolution` says so. Default: `float32`. */
  readonly precision?: 'float32' | 'bf16';
}

/** What follows from the sizes. */
export interface Geometry extends ConvCall {
  /** Channels and filters of a group. */
  readonly groupChannels: number;
  readonly groupFilters: number;
  /** Height, width and number of pixels of the result of the forward convolution. */
  readonly rows: number;
  readonly columns: number;
  readonly pixels: number;
  /** Places of the kernel, and products in one sum. */
  readonly taps: number;
  readonly depth: number;
  /** Size of the input with its margin of zeros. */
  readonly paddedHeight: number;
  readonly paddedWidth: number;
  /** Floats of one padded image, with what vectors may read beyond its end. */
  readonly paddedImage: number;
  /** True when the padded input is the input itself. */
  readonly bare: boolean;
}

export function geometryOf(call: ConvCall, isa: Isa): Geometry {
  const { channels, filters, height, width, kernel, strides, pads, dilations, groups } = call;
  const [top, left, bottom, right] = pads;
  const paddedHeight = height + top + bottom;
  const paddedWidth = width + left + right;
  const rows = Math.floor((paddedHeight - dilations[0] * (kernel[0] - 1) - 1) / strides[0]) + 1;
  const columns = Math.floor((paddedWidth - dilations[1] * (kernel[1] - 1) - 1) / strides[1]) + 1;
  const groupChannels = channels / groups;
  const taps = kernel[0] * kernel[1];
  return {
    ...call,
    groupChannels,
    groupFilters: filters / groups,
    rows,
    columns,
    pixels: rows * columns,
    taps,
    depth: groupChannels * taps,
    paddedHeight,
    paddedWidth,
    paddedImage: channels * paddedHeight * paddedWidth + isa.width,
    bare: pads.every((p) => p === 0),
  };
}
