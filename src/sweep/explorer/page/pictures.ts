import type { WireArray, WireDetails, WireRun } from '../wire.ts';
import { api, ServerError } from './api.ts';
import { h, replace, styleOf } from './dom.ts';
import { formatCount, formatNumber } from './format.ts';
import { settingsOf } from './listing.ts';
import { extent } from './scale.ts';

/** What an array is drawn as. */
type Kind = 'points' | 'density' | 'images' | 'histogram';

/** Nine stops of viridis, dark to bright; between them linear. */
const VIRIDIS: readonly (readonly [number, number, number])[] = [
  [68, 1, 84],
  [71, 45, 123],
  [59, 82, 139],
  [44, 114, 142],
  [33, 145, 140],
  [40, 174, 128],
  [94, 201, 98],
  [173, 220, 48],
  [253, 231, 37],
];
const MOST_POINTS = 10_000;
const MOST_IMAGES = 64;
const IMAGES_A_ROW = 8;
const BINS = 60;

/** The arrays of a run as pictures: points, densities, grids of images, histograms. */
export function pictures(run: WireDetails): HTMLElement {
  const element = h('div', { class: 'pictures' });
  const stored = run.files.filter(({ name }) => /\.(png|svg)$/.test(name));
  for (const array of run.arrays) element.append(arrayPicture(run, array));
  for (const { name } of stored) {
    const image = h('img', { src: api.pictureUrl(run.key, name), alt: `${name} of ${run.key}` });
    element.append(
      h('figure', { class: 'picture wide' }, image, h('figcaption', {}, h('b', {}, name))),
    );
  }
  if (run.arraysProblem !== null) element.append(h('p', { class: 'trouble' }, run.arraysProblem));
  else if (run.arrays.length + stored.length === 0) {
    const why =
      run.status === 'finished' ? 'The run left none.' : 'They are written when the run ends.';
    element.append(h('p', { class: 'empty' }, why));
  }
  return element;
}

/** One array, drawn once it has come. */
export function arrayPicture(run: WireRun, array: WireArray): HTMLElement {
  const { name, shape } = array;
  const kind = kindOf(array);
  const canvas = h('canvas', { role: 'img', class: kind });
  const note = h('small', {}, shape.length === 0 ? 'scalar' : shape.map(formatCount).join(' × '));
  const figure = h(
    'figure',
    { class: `picture ${kind}` },
    canvas,
    h('figcaption', {}, h('b', {}, name), ' ', note),
  );
  canvas.setAttribute('aria-label', `${name} of ${run.key}, ${kind}, shape ${shape.join(' by ')}`);
  api.array(run.key, array).then(
    (data) => paint(canvas, note, kind, shape, data, settingsOf(run).get('evaluation.limit')),
    (error: unknown) => {
      if (!(error instanceof ServerError)) throw error;
      replace(figure, h('p', { class: 'trouble' }, `${name}: ${error.message}`));
    },
  );
  return figure;
}

function kindOf({ name, shape }: WireArray): Kind {
  const [n = 0, second = 0] = shape;
  if (shape.length === 2 && second === 2) return 'points';
  if (/density/i.test(name) && shape.length === 2 && n === second) return 'density';
  if (imageSize(shape)) return 'images';
  return shape.length === 2 && n === second && n >= 16 ? 'density' : 'histogram';
}

interface ImageSize {
  readonly channels: number;
  readonly height: number;
  readonly width: number;
}

/** Images as [n, channels, height, width] or as rows of 28 × 28 pixels. */
function imageSize(shape: readonly number[]): ImageSize | undefined {
  if (shape.length === 2 && shape[1] === 784) return { channels: 1, height: 28, width: 28 };
  const [, channels, height, width] = shape;
  if (shape.length === 4 && (channels === 1 || channels === 3)) return { channels, height, width };
  return undefined;
}

function paint(
  canvas: HTMLCanvasElement,
  note: HTMLElement,
  kind: Kind,
  shape: readonly number[],
  data: Float32Array,
  limit: unknown,
): void {
  if (kind === 'points') note.append(` · ${paintPoints(canvas, data, limit)}`);
  else if (kind === 'density') paintDensity(canvas, data, shape[0]);
  else if (kind === 'images') paintImages(canvas, data, imageSize(shape) as ImageSize);
  else note.append(` · ${paintHistogram(canvas, data)}`);
}

const SIZE = 480;

function prepared(canvas: HTMLCanvasElement, width: number, height: number) {
  [canvas.width, canvas.height] = [width, height];
  return canvas.getContext('2d') as CanvasRenderingContext2D;
}

/** @returns the square that is shown. */
function paintPoints(canvas: HTMLCanvasElement, data: Float32Array, limit: unknown): string {
  const context = prepared(canvas, SIZE, SIZE);
  const [low, high] = squareOf(data, limit);
  const count = Math.min(MOST_POINTS, data.length / 2);
  context.fillStyle = styleOf('--points');
  // The more points, the fainter each, so that the density shows.
  context.globalAlpha = Math.max(0.25, Math.min(0.8, 1500 / count));
  const place = (value: number) => ((value - low) / (high - low)) * SIZE;
  for (let i = 0; i < count; i++) {
    context.fillRect(place(data[2 * i]) - 1, SIZE - place(data[2 * i + 1]) - 1, 2, 2);
  }
  return `${formatNumber(low)} … ${formatNumber(high)}`;
}

/** The square that the run's density is evaluated on, else one that holds all points. */
function squareOf(data: Float32Array, limit: unknown): readonly [number, number] {
  const [low, high] = extent(data) ?? [-1, 1];
  const reach = Math.max(Math.abs(low), Math.abs(high)) * 1.05 || 1;
  return typeof limit === 'number' ? [-limit, limit] : [-reach, reach];
}

function paintDensity(canvas: HTMLCanvasElement, logDensity: Float32Array, size: number): void {
  const context = prepared(canvas, size, size);
  const image = context.createImageData(size, size);
  const top = extent(logDensity)?.[1] ?? 0;
  for (let iy = 0; iy < size; iy++) {
    for (let ix = 0; ix < size; ix++) {
      const [r, g, b] = viridis(Math.exp(logDensity[iy * size + ix] - top));
      image.data.set([r, g, b, 255], 4 * ((size - 1 - iy) * size + ix));
    }
  }
  context.putImageData(image, 0, 0);
}

function viridis(share: number): readonly number[] {
  const at = Math.max(0, Math.min(1, Number.isFinite(share) ? share : 0)) * (VIRIDIS.length - 1);
  const below = Math.min(VIRIDIS.length - 2, Math.floor(at));
  return VIRIDIS[below].map((c, i) => c + (VIRIDIS[below + 1][i] - c) * (at - below));
}

function paintImages(canvas: HTMLCanvasElement, data: Float32Array, size: ImageSize): void {
  const { channels, height, width } = size;
  const pixels = channels * height * width;
  const count = Math.min(MOST_IMAGES, data.length / pixels);
  const columns = Math.min(IMAGES_A_ROW, count);
  const rows = Math.ceil(count / columns);
  const context = prepared(canvas, columns * (width + 1) - 1, rows * (height + 1) - 1);
  const [low, high] = extent(data) ?? [0, 1];
  // Bytes, or [-1, 1], or [0, 1].
  const [from, span] = high > 1.5 ? [0, 255] : low < -0.05 ? [-1, 2] : [0, 1];
  for (let n = 0; n < count; n++) {
    const image = context.createImageData(width, height);
    for (let p = 0; p < height * width; p++) {
      const of = (channel: number) =>
        (255 * (data[n * pixels + (channel % channels) * height * width + p] - from)) / span;
      image.data.set([of(0), of(1), of(2), 255], 4 * p);
    }
    context.putImageData(
      image,
      (n % columns) * (width + 1),
      Math.floor(n / columns) * (height + 1),
    );
  }
}

/** @returns the range of the values. */
function paintHistogram(canvas: HTMLCanvasElement, data: Float32Array): string {
  const context = prepared(canvas, SIZE, SIZE / 2);
  const [low, high] = extent(data) ?? [0, 0];
  const counts = new Float64Array(BINS);
  for (const value of data) {
    if (!Number.isFinite(value)) continue;
    counts[Math.min(BINS - 1, Math.floor(((value - low) / (high - low || 1)) * BINS))]++;
  }
  const most = Math.max(1, ...counts);
  context.fillStyle = styleOf('--points');
  const width = SIZE / BINS;
  counts.forEach((count, i) => {
    const tall = (count / most) * (SIZE / 2 - 8);
    context.fillRect(i * width, SIZE / 2 - tall, width - 1, tall);
  });
  return `${formatNumber(low)} … ${formatNumber(high)}`;
}
