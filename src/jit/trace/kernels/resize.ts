import type { GraphBuilder } from '../../ir/builder.ts';
import type { TraceRule } from '../rules.ts';
import { transpose } from './shape.ts';

/*
 * Resizing along one axis is a product with a fixed sparse matrix, so an image is resized by two
 * products.
 */

type Quad = [number, number, number, number];

interface ResizeAttrs {
  readonly alignCorners: boolean;
  readonly halfPixelCenters: boolean;
}

export type ResizeMethod = 'bilinear' | 'nearest';

/** [to, from]: row i holds the weights with which output i mixes the inputs. */
export function resizeMatrix(
  method: ResizeMethod,
  from: number,
  to: number,
  { alignCorners, halfPixelCenters }: ResizeAttrs,
): Float32Array {
  const scale = alignCorners && to > 1 ? (from - 1) / (to - 1) : from / to;
  const matrix = new Float32Array(to * from);
  for (let i = 0; i < to; i++) {
    const at = halfPixelCenters ? scale * (i + 0.5) - (method === 'bilinear' ? 0.5 : 0) : scale * i;
    if (method === 'nearest') {
      const j = Math.min(from - 1, alignCorners ? Math.round(at) : Math.floor(at));
      matrix[i * from + Math.max(0, j)] = 1;
      continue;
    }
    const low = Math.max(0, Math.floor(at));
    const high = Math.min(from - 1, Math.ceil(at));
    const fraction = at - low;
    matrix[i * from + low] += 1 - fraction;
    matrix[i * from + high] += fraction;
  }
  return matrix;
}

/** x [N, H, W, C] → [N, h, w, C] with the given matrices. */
function apply(b: GraphBuilder, x: number, matrices: number[]) {
  const nchw = transpose(b, x, [0, 3, 1, 2]);
  const rows = b.add('matmul', [matrices[0], nchw], { transA: false, transB: false });
  const both = b.add('matmul', [rows, matrices[1]], { transA: false, transB: true });
  return transpose(b, both, [0, 2, 3, 1]);
}

function matrices(
  b: GraphBuilder,
  method: ResizeMethod,
  image: Quad,
  size: number[],
  a: ResizeAttrs,
) {
  return [0, 1].map((i) =>
    b.const(resizeMatrix(method, image[i + 1], size[i], a), [size[i], image[i + 1]], 'float32'),
  );
}

const forward =
  (method: ResizeMethod): TraceRule =>
  (b, { images }, attrs) =>
    apply(b, images, matrices(b, method, b.shape(images) as Quad, attrs.size, attrs));

export const RESIZE_RULES: Record<string, TraceRule> = {
  ResizeBilinear: forward('bilinear'),
  ResizeNearestNeighbor: forward('nearest'),
};
