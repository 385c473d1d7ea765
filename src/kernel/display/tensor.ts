import { encodePng } from '../../core/png.ts';
import { tileImages } from './tiles.ts';

/** A tensor of TensorFlow.js, or an object of the form of `HostTensor`. */
export interface TensorLike {
  readonly shape: readonly number[];
  readonly dtype: string;
  readonly data?: unknown;
  dataSync?(): ArrayLike<number>;
  readonly isDisposed?: boolean;
}

const SHOWN = 6;

export function isTensorLike(value: object): value is TensorLike {
  const t = value as Partial<TensorLike>;
  if (!Array.isArray(t.shape) || typeof t.dtype !== 'string') return false;
  return typeof t.dataSync === 'function' || ArrayBuffer.isView(t.data);
}

export function valuesOf(tensor: TensorLike): ArrayLike<number> {
  if (typeof tensor.dataSync === 'function') return tensor.dataSync();
  return tensor.data as ArrayLike<number>;
}

/** `Tensor[200,2] float32`, its range and moments, and the corners of its values. */
export function tensorText(tensor: TensorLike): string {
  const head = `Tensor[${tensor.shape.join(',')}] ${tensor.dtype}`;
  if (tensor.isDisposed === true) return `${head} (disposed)`;
  let values: ArrayLike<number>;
  try {
    values = valuesOf(tensor);
  } catch {
    return `${head} (values not readable here)`;
  }
  if (values.length === 0 || typeof values[0] === 'string') return head;
  return `${head}\n  ${summary(values)}\n${nested(values, tensor.shape, 0, 0).text}`;
}

function summary(values: ArrayLike<number>): string {
  let [low, high, sum, bad] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 0, 0];
  for (let i = 0; i < values.length; i++) {
    const v = values[i];
    if (!Number.isFinite(v)) {
      bad++;
      continue;
    }
    if (v < low) low = v;
    if (v > high) high = v;
    sum += v;
  }
  const count = values.length - bad;
  if (count === 0) return `no finite value among ${values.length}`;
  const mean = sum / count;
  let squares = 0;
  for (let i = 0; i < values.length; i++) {
    if (Number.isFinite(values[i])) squares += (values[i] - mean) ** 2;
  }
  const std = Math.sqrt(squares / count);
  const text = `min ${number(low)}  max ${number(high)}  mean ${number(mean)}  std ${number(std)}`;
  return bad === 0 ? text : `${text}  not finite: ${bad}`;
}

function nested(
  values: ArrayLike<number>,
  shape: readonly number[],
  axis: number,
  offset: number,
): { text: string } {
  if (axis === shape.length) return { text: number(values[offset]) };
  const stride = shape.slice(axis + 1).reduce((a, b) => a * b, 1);
  const last = axis === shape.length - 1;
  const limit = last ? SHOWN : 4;
  const rows: string[] = [];
  for (let i = 0; i < shape[axis]; i++) {
    if (shape[axis] > limit + 1 && i === limit - 1) {
      rows.push('…');
      i = shape[axis] - 1;
    }
    rows.push(nested(values, shape, axis + 1, offset + i * stride).text);
  }
  return { text: `[${rows.join(last ? ', ' : `,\n${' '.repeat(axis + 1)}`)}]` };
}

function number(value: number): string {
  return Number.isInteger(value) ? String(value) : String(Number(value.toPrecision(4)));
}

/** A picture of a batch of images, [n,c,h,w] or [n,h,w,c] with 1 or 3 channels; else nothing. */
export function imageBundle(tensor: TensorLike): Record<string, unknown> {
  const { shape } = tensor;
  if (shape.length !== 4 || tensor.isDisposed === true) return {};
  const channelsFirst = shape[1] === 1 || shape[1] === 3;
  const channelsLast = shape[3] === 1 || shape[3] === 3;
  if (!channelsFirst && !channelsLast) return {};
  const [h, w] = channelsFirst ? [shape[2], shape[3]] : [shape[1], shape[2]];
  if (h < 4 || w < 4 || h > 512 || w > 512) return {};
  const count = Math.min(shape[0], 64);
  const image = tileImages(valuesOf(tensor), {
    count,
    channels: channelsFirst ? shape[1] : shape[3],
    height: h,
    width: w,
    channelsFirst,
  });
  return { 'image/png': encodePng(image).toString('base64') };
}
