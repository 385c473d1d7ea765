import { ConfigError } from '../../core/errors.ts';
import type { Comm, CommManager, CommMessage } from '../user/comms.ts';
import { DISPLAY, type MimeBundle } from './render.ts';

type State = Record<string, unknown>;

export interface WidgetOptions {
  /** An ES module as text; its default export has `render({ model, el })` as in anywidget. */
  readonly esm: string;
  readonly css?: string;
  /** Values that the page and the notebook share. Bytes travel as they are. */
  readonly state?: Readonly<State>;
}

/** Versions of the anywidget front end that will do; one must be installed in Jupyter. */
const ANYWIDGET = '*';

/** A widget on the page, with values shared both ways (anywidget's protocol over a comm). */
export class Widget {
  readonly #comm: Comm;
  readonly #state: State;
  readonly #listeners = new Map<string, Set<(value: unknown) => unknown>>();
  readonly #messages = new Set<(content: unknown, buffers: readonly Uint8Array[]) => unknown>();

  /** @throws ConfigError when `esm` is not text. */
  constructor(comms: CommManager, options: WidgetOptions) {
    if (typeof options.esm !== 'string') {
      throw new ConfigError(
        `display.widget: esm must be a module as text, got ${typeof options.esm}`,
      );
    }
    this.#state = { ...options.state };
    const model = {
      _model_module: 'anywidget',
      _model_module_version: ANYWIDGET,
      _model_name: 'AnyModel',
      _view_module: 'anywidget',
      _view_module_version: ANYWIDGET,
      _view_name: 'AnyView',
      _view_count: null,
      _dom_classes: [],
      _esm: options.esm,
      _css: options.css ?? '',
      _anywidget_id: 'gibbs.widget',
    };
    const { state, paths, buffers } = extractBuffers({ ...model, ...this.#state });
    this.#comm = comms.open(
      'jupyter.widget',
      { state, buffer_paths: paths },
      { buffers, metadata: { version: '2.1.0' } },
    );
    this.#comm.onMessage = (message) => this.#receive(message, model);
  }

  get<T = unknown>(name: string): T {
    return this.#state[name] as T;
  }

  /** Changes shared values here and on the page. */
  set(values: Readonly<State>): void {
    Object.assign(this.#state, values);
    this.#push(values);
  }

  /** Calls `listener` whenever the page changes `name`. @returns what removes it. */
  on(name: string, listener: (value: never) => unknown): () => void {
    const set = this.#listeners.get(name) ?? new Set();
    this.#listeners.set(name, set.add(listener as (value: unknown) => unknown));
    return () => set.delete(listener as (value: unknown) => unknown);
  }

  /** Calls `listener` with what the page sends by `model.send`. */
  onMessage(listener: (content: unknown, buffers: readonly Uint8Array[]) => unknown): void {
    this.#messages.add(listener);
  }

  /** Sends a message to `model.on('msg:custom', …)` of the page. */
  send(content: unknown, buffers: readonly Uint8Array[] = []): void {
    this.#comm.send({ method: 'custom', content }, buffers);
  }

  close(): void {
    this.#comm.close();
  }

  [DISPLAY](): MimeBundle {
    return {
      'application/vnd.jupyter.widget-view+json': {
        version_major: 2,
        version_minor: 1,
        model_id: this.#comm.id,
      },
      'text/plain': 'Widget',
    };
  }

  #push(values: Readonly<State>): void {
    const { state, paths, buffers } = extractBuffers(values);
    this.#comm.send({ method: 'update', state, buffer_paths: paths }, buffers);
  }

  #receive({ data, buffers }: CommMessage, model: Readonly<State>): void {
    if (data['method'] === 'request_state') this.#push({ ...model, ...this.#state });
    else if (data['method'] === 'custom') {
      for (const listener of this.#messages) listener(data['content'], buffers);
    } else if (data['method'] === 'update') {
      const changed = { ...(data['state'] as State) };
      const paths = (data['buffer_paths'] ?? []) as (string | number)[][];
      paths.forEach((path, i) => {
        if (path.length === 1) changed[String(path[0])] = buffers[i];
      });
      Object.assign(this.#state, changed);
      for (const [name, value] of Object.entries(changed)) {
        for (const listener of this.#listeners.get(name) ?? []) listener(value);
      }
    }
  }
}

/** Takes bytes at the first level out of the JSON, as the widget protocol wants. */
function extractBuffers(values: Readonly<State>): {
  state: State;
  paths: string[][];
  buffers: Uint8Array[];
} {
  const state: State = {};
  const paths: string[][] = [];
  const buffers: Uint8Array[] = [];
  for (const [name, value] of Object.entries(values)) {
    if (ArrayBuffer.isView(value)) {
      paths.push([name]);
      buffers.push(new Uint8Array(value.buffer, value.byteOffset, value.byteLength));
    } else state[name] = value;
  }
  return { state, paths, buffers };
}
