/**
 * Declarations of what every cell sees without importing it, for the type checker. They mirror
 * `display/display.ts`, `user/comms.ts` and what `user/worker.ts` defines.
 */
export const AMBIENT = `
type MimeBundle = Record<string, unknown>;
interface ShowOptions { readonly id?: string; readonly metadata?: MimeBundle }
interface DisplayHandle {
  readonly id: string;
  /** Shows \`value\` in its place, wherever it was displayed. */
  update(value: unknown): Promise<void>;
  raw(bundle: MimeBundle, metadata?: MimeBundle): void;
}
interface ProgressBar {
  readonly total: number;
  readonly value: number;
  /** Sets the steps done, and a short note such as the loss. */
  update(done: number, note?: string): void;
  step(steps?: number, note?: string): void;
  /** Replaces the bar by one line. */
  finish(note?: string): void;
}
interface TensorLike {
  readonly shape: readonly number[];
  readonly dtype: string;
  readonly data?: unknown;
  dataSync?(): ArrayLike<number>;
}
interface Pixels { width: number; height: number; channels: 1 | 3 | 4; data: Uint8Array }
/** Shows any value; its members show kinds of output. */
declare const display: {
  (value: unknown, options?: ShowOptions): Promise<DisplayHandle>;
  raw(bundle: MimeBundle, options?: ShowOptions): DisplayHandle;
  update(id: string, value: unknown): Promise<void>;
  text(text: string, options?: ShowOptions): DisplayHandle;
  html(html: string, options?: ShowOptions): DisplayHandle;
  markdown(markdown: string, options?: ShowOptions): DisplayHandle;
  latex(latex: string, options?: ShowOptions): DisplayHandle;
  javascript(code: string, options?: ShowOptions): DisplayHandle;
  json(value: unknown, options?: ShowOptions): DisplayHandle;
  svg(svg: string, options?: ShowOptions): DisplayHandle;
  png(image: Uint8Array | string | Pixels, options?: ShowOptions): DisplayHandle;
  jpeg(image: Uint8Array | string, options?: ShowOptions): DisplayHandle;
  vegaLite(spec: object, options?: ShowOptions & { png?: Uint8Array }): DisplayHandle;
  table(data: unknown, options?: ShowOptions & { columns?: readonly string[]; limit?: number }): DisplayHandle;
  imageGrid(
    images: TensorLike,
    options?: ShowOptions & { columns?: number; range?: readonly [number, number]; gap?: number; scale?: number },
  ): DisplayHandle;
  /** A bar that updates in place and ends as one line. */
  progress(total: number, options?: { label?: string; interval?: number }): ProgressBar;
  clear(wait?: boolean): void;
};
interface CommMessage {
  readonly data: Record<string, unknown>;
  readonly metadata: Record<string, unknown>;
  readonly buffers: readonly Uint8Array[];
}
interface Comm {
  readonly id: string;
  readonly target: string;
  onMessage: ((message: CommMessage) => unknown) | undefined;
  onClose: ((message: CommMessage) => unknown) | undefined;
  send(data: object, buffers?: readonly Uint8Array[], metadata?: object): void;
  close(data?: object): void;
}
declare const comms: {
  open(
    target: string,
    data?: object,
    options?: { buffers?: readonly Uint8Array[]; metadata?: object; id?: string },
  ): Comm;
  register(target: string, handler: (comm: Comm, message: CommMessage) => unknown): void;
  unregister(target: string): void;
};
/** Asks for a line and waits. */
declare function prompt(text?: string): string;
/** Asks for a line that is not shown, and waits. */
declare function password(text?: string): string;
/** Asks for a line while other code runs. */
declare function readline(text?: string): Promise<string>;
declare const require: (id: string) => any;
declare const module: { exports: any };
declare const exports: any;
declare const __dirname: string;
declare const __filename: string;
`;
