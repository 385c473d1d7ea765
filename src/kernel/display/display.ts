import { ConfigError, ShapeError } from '../../core/errors.ts';
import { encodePng, type Image } from '../../core/png.ts';
import type { CommManager } from '../user/comms.ts';
import { Progress, type ProgressOptions } from './progress.ts';
import { type MimeBundle, render } from './render.ts';
import { type TableOptions, tableBundle } from './table.ts';
import { isTensorLike, type TensorLike, valuesOf } from './tensor.ts';
import { tileImages } from './tiles.ts';
import { Widget, type WidgetOptions } from './widget.ts';

/** Where displays go: the channel of the kernel. */
export interface DisplaySink {
  show(bundle: MimeBundle, options: { id?: string; update: boolean; metadata: MimeBundle }): void;
  clear(wait: boolean): void;
}

export interface ShowOptions {
  /** A name under which the display can be updated. */
  readonly id?: string;
  readonly metadata?: MimeBundle;
}

export interface ImageGridOptions extends ShowOptions {
  /** Images a row; as square as it goes by default. */
  readonly columns?: number;
  /** The values shown as black and white; guessed from [-1,1], [0,1], [0,255] by default. */
  readonly range?: readonly [number, number];
  /** Pixels between images; default 2. */
  readonly gap?: number;
  /** Each pixel becomes `scale`×`scale`; default 1. */
  readonly scale?: number;
}

/** A display on the page, to be changed later. */
export class DisplayHandle {
  readonly id: string;
  readonly #sink: DisplaySink;

  constructor(id: string, sink: DisplaySink) {
    this.id = id;
    this.#sink = sink;
  }

  /** Shows `value` in its place, wherever it was displayed. */
  async update(value: unknown): Promise<void> {
    this.raw(await render(value));
  }

  /** Shows a MIME bundle in its place. */
  raw(bundle: MimeBundle, metadata: MimeBundle = {}): void {
    this.#sink.show(bundle, { id: this.id, update: true, metadata });
  }
}

/** What cells see as `display`: a function for any value, with helpers for kinds of output. */
export interface Display {
  (value: unknown, options?: ShowOptions): Promise<DisplayHandle>;
  /** A MIME bundle as it is, e.g. `{ 'text/plain': 'hello' }`. */
  raw(bundle: MimeBundle, options?: ShowOptions): DisplayHandle;
  /** Replaces what was displayed under `id`. */
  update(id: string, value: unknown): Promise<void>;
  text(text: string, options?: ShowOptions): DisplayHandle;
  html(html: string, options?: ShowOptions): DisplayHandle;
  markdown(markdown: string, options?: ShowOptions): DisplayHandle;
  latex(latex: string, options?: ShowOptions): DisplayHandle;
  javascript(code: string, options?: ShowOptions): DisplayHandle;
  json(value: unknown, options?: ShowOptions): DisplayHandle;
  svg(svg: string, options?: ShowOptions): DisplayHandle;
  /** A PNG file's bytes (or its base64 text), or 8-bit pixels. */
  png(image: Uint8Array | string | Image, options?: ShowOptions): DisplayHandle;
  jpeg(image: Uint8Array | string, options?: ShowOptions): DisplayHandle;
  /** A Vega-Lite specification; `png` is what shows where it cannot be drawn. */
  vegaLite(spec: object, options?: ShowOptions & { png?: Uint8Array }): DisplayHandle;
  /** Rows as objects or arrays, or columns as an object of arrays. */
  table(data: unknown, options?: ShowOptions & TableOptions): DisplayHandle;
  /** Images [n,c,h,w] or [n,h,w,c], 1 or 3 channels, next to each other. */
  imageGrid(images: TensorLike, options?: ImageGridOptions): DisplayHandle;
  /** A bar that updates in place and ends as one line. `total` steps. */
  progress(total: number, options?: ProgressOptions): Progress;
  /** An interactive widget, of the kind of anywidget; shown where it is displayed or returned. */
  widget(options: WidgetOptions): Widget;
  /** Removes the output of the cell; with `wait` only when the next output comes. */
  clear(wait?: boolean): void;
}

/** The `display` of a notebook. */
export function createDisplay(sink: DisplaySink, comms: CommManager): Display {
  const raw = (bundle: MimeBundle, options: ShowOptions = {}): DisplayHandle => {
    const id = options.id ?? crypto.randomUUID();
    sink.show(bundle, { id, update: false, metadata: options.metadata ?? {} });
    return new DisplayHandle(id, sink);
  };
  const typed =
    (type: string) =>
    (text: string, options?: ShowOptions): DisplayHandle => {
      if (typeof text !== 'string') {
        throw new ConfigError(`display: ${type} takes a string, got ${typeof text}`);
      }
      return raw({ [type]: text }, options);
    };
  const helpers: Omit<Display, never> = {
    raw,
    update: async (id: string, value: unknown) => new DisplayHandle(id, sink).update(value),
    text: typed('text/plain'),
    html: typed('text/html'),
    markdown: typed('text/markdown'),
    latex: typed('text/latex'),
    javascript: typed('application/javascript'),
    svg: typed('image/svg+xml'),
    json: (value: unknown, options?: ShowOptions) => raw({ 'application/json': value }, options),
    png: (image: Uint8Array | string | Image, options?: ShowOptions) => {
      const isPixels = typeof image === 'object' && 'width' in image && 'channels' in image;
      return raw({ 'image/png': base64(isPixels ? encodePng(image) : image) }, options);
    },
    jpeg: (image: Uint8Array | string, options?: ShowOptions) =>
      raw({ 'image/jpeg': base64(image) }, options),
    vegaLite: (spec: object, options: ShowOptions & { png?: Uint8Array } = {}) =>
      raw(
        {
          'application/vnd.vegalite.v5+json': spec,
          ...(options.png && { 'image/png': base64(options.png) }),
          'text/plain': '<Vega-Lite chart>',
        },
        options,
      ),
    table: (data: unknown, options: ShowOptions & TableOptions = {}) =>
      raw(tableBundle(data, options), options),
    imageGrid: (images: TensorLike, options: ImageGridOptions = {}) =>
      raw({ 'image/png': gridPng(images, options).toString('base64') }, options),
    progress: (total: number, options?: ProgressOptions) => new Progress(total, sink, options),
    widget: (options: WidgetOptions) => new Widget(comms, options),
    clear: (wait = false) => sink.clear(wait),
  } as Omit<Display, never>;
  const display = async (value: unknown, options?: ShowOptions) =>
    raw(await render(value), options);
  return Object.assign(display, helpers) as Display;
}

function base64(bytes: Uint8Array | string): string {
  if (typeof bytes === 'string') return bytes;
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64');
}

function gridPng(images: TensorLike, options: ImageGridOptions): Buffer {
  const shape = isTensorLike(images) ? images.shape : [];
  const isImage = (c: number | undefined) => c === 1 || c === 3;
  const channelsFirst = isImage(shape[1]) && !(isImage(shape[3]) && shape[1] > shape[3]);
  if (shape.length !== 4 || !(channelsFirst || isImage(shape[3]))) {
    throw new ShapeError(
      `display.imageGrid: expected [n,c,h,w] or [n,h,w,c] with 1 or 3 channels, ` +
        `got [${shape.join(',')}]`,
    );
  }
  const [count, a, b, c] = shape;
  const grid = tileImages(valuesOf(images), {
    count,
    channels: channelsFirst ? a : c,
    height: channelsFirst ? b : a,
    width: channelsFirst ? c : b,
    channelsFirst,
    columns: options.columns,
    range: options.range,
    gap: options.gap,
  });
  return encodePng(enlarge(grid, Math.max(1, Math.round(options.scale ?? 1))));
}

/** Repeats each pixel, so that small images stay sharp. */
function enlarge(image: Image, scale: number): Image {
  if (scale === 1) return image;
  const { width, height, channels, data } = image;
  const out = new Uint8Array(data.length * scale * scale);
  for (let y = 0; y < height * scale; y++) {
    for (let x = 0; x < width * scale; x++) {
      const from = (Math.floor(y / scale) * width + Math.floor(x / scale)) * channels;
      out.set(data.subarray(from, from + channels), (y * width * scale + x) * channels);
    }
  }
  return { width: width * scale, height: height * scale, channels, data: out };
}
