import { gemmKernel, parted } from '../gemm/gemm.ts';
import type { Isa } from '../gemm/isa.ts';
import { share } from '../gemm/tiles.ts';
import { align, type Emitted, emitForward } from './forward.ts';
import { type ConvCall, type Geometry, geometryOf } from './geometry.ts';

/**
 * C of `NAME(dy, w, c, out, scratch)`. With unit stride the adjoint is a convolution of dy with the
 * kernel turned by 180° and its channel axes exchanged; otherwise dy times the weights is added up
 * at the pixels that each sum came from.
 */
export function emitInputGrad(name: string, g: Geometry, isa: Isa): Emitted {
  const turned = turnedPads(g);
  return turned === undefined ? scattered(name, g, isa) : turnedConv(name, g, turned, isa);
}

type Pads = ConvCall['pads'];

/** The margins with which the adjoint is a convolution itself, if it is. */
export function turnedPads({ strides, dilations, kernel, pads }: ConvCall): Pads | undefined {
  if (strides[0] !== 1 || strides[1] !== 1) return undefined;
  const reach = [dilations[0] * (kernel[0] - 1), dilations[1] * (kernel[1] - 1)];
  const turned = pads.map((p, i) => reach[i % 2] - p) as unknown as Pads;
  return turned.every((p) => p >= 0) ? turned : undefined;
}

function turnedConv(name: string, g: Geometry, pads: Pads, isa: Isa): Emitted {
  const adjoint = geometryOf(
    {
      ...g,
      kind: 'forward',
      channels: g.filters,
      filters: g.channels,
      height: g.rows,
      width: g.columns,
      pads,
      bias: false,
    },
    isa,
  );
  const inner = emitForward(`${name}_turned`, adjoint, isa);
  const weights = align(g.filters * g.depth, isa);
  const body = `for (long group = 0; group < ${g.groups}; group++)
    for (long o = 0; o < ${g.groupFilters}; o++)
      for (long i = 0; i < ${g.groupChannels}; i++)
        for (long t = 0; t < ${g.taps}; t++)
          scratch[((group * ${g.groupChannels} + i) * ${g.groupFilters} + o) * ${g.taps} + ${g.taps - 1} - t] = w[((group * ${g.groupFilters} + o) * ${g.groupChannels} + i) * ${g.taps} + t];
  ${name}_turned_part(dy, scratch, 0, out, scratch + ${weights}, me, all);`;
  return {
    scratch: weights + inner.scratch,
    pieces: inner.pieces,
    source: `${inner.source}${parted(name, 'dy, w, c, out', body)}`,
  };
}

function scattered(name: string, g: Geometry, isa: Isa): Emitted {
  const product = gemmKernel(
    {
      ...{ m: g.depth, n: g.pixels, k: g.groupFilters, batch: 1 },
      ...{ transA: true, transB: false, accumulate: false, bias: 'none' },
    },
    isa,
  );
  const columns = align(g.depth * g.pixels, isa);
  const padded = align(g.paddedImage, isa);
  const plane = g.paddedHeight * g.paddedWidth;
  const body = `float *padded = scratch + ${columns};
  ${share(g.batch)}
  for (long n = from; n < to; n++) {
    __builtin_memset(padded, 0, ${4 * g.paddedImage});
    for (long group = 0; group < ${g.groups}; group++) {
      ${product.name}(w + group * ${g.groupFilters * g.depth}, dy + (n * ${g.groups} + group) * ${g.groupFilters * g.pixels}, 0, scratch, padded + ${padded});
      const float *from = scratch;
      for (long i = 0; i < ${g.groupChannels}; i++)
        for (long u = 0; u < ${g.kernel[0]}; u++)
          for (long v = 0; v < ${g.kernel[1]}; v++)
            for (long y = 0; y < ${g.rows}; y++) {
              float *to = padded + (group * ${g.groupChannels} + i) * ${plane} + (y * ${g.strides[0]} + u * ${g.dilations[0]}) * ${g.paddedWidth} + v * ${g.dilations[1]};
              for (long x = 0; x < ${g.columns}; x++) to[x * ${g.strides[1]}] += from[x];
              from += ${g.columns};
            }
    }
    for (long i = 0; i < ${g.channels}; i++)
      for (long y = 0; y < ${g.height}; y++)
        __builtin_memcpy(out + ((n * ${g.channels} + i) * ${g.height} + y) * ${g.width}, padded + i * ${plane} + (y + ${g.pads[0]}) * ${g.paddedWidth} + ${g.pads[1]}, ${4 * g.width});
  }`;
  return {
    scratch: columns + padded + product.scratch,
    pieces: g.batch,
    source: `${product.source}${parted(name, 'dy, w, c, out', body)}`,
  };
}
