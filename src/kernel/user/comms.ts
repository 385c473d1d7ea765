import type { Channel } from './channel.ts';
import { currentCell, runInCell } from './context.ts';
import type { Json } from './wire.ts';

/** A message that came over a comm. */
export interface CommMessage {
  readonly data: Json;
  readonly metadata: Json;
  readonly buffers: readonly Uint8Array[];
}

type Kind = 'comm_open' | 'comm_msg' | 'comm_close';

/** One end of a two-way channel to an object of the front end, such as a widget. */
export class Comm {
  readonly id: string;
  readonly target: string;
  /** Called with each message of the front end. */
  onMessage: ((message: CommMessage) => unknown) | undefined;
  onClose: ((message: CommMessage) => unknown) | undefined;
  readonly #manager: CommManager;

  constructor(manager: CommManager, target: string, id: string) {
    this.#manager = manager;
    this.target = target;
    this.id = id;
  }

  send(data: Json, buffers: readonly Uint8Array[] = [], metadata: Json = {}): void {
    this.#manager.send('comm_msg', { comm_id: this.id, data }, metadata, buffers);
  }

  close(data: Json = {}): void {
    this.#manager.drop(this.id);
    this.#manager.send('comm_close', { comm_id: this.id, data }, {}, []);
  }
}

/** What cells see as `comms`. */
export class CommManager {
  readonly #channel: Channel;
  readonly #onError: (error: unknown) => void;
  readonly #comms = new Map<string, Comm>();
  readonly #targets = new Map<string, (comm: Comm, message: CommMessage) => unknown>();

  constructor(channel: Channel, onError: (error: unknown) => void) {
    this.#channel = channel;
    this.#onError = onError;
  }

  /** Opens a comm to the target that the front end registered under `target`. */
  open(
    target: string,
    data: Json = {},
    options: { buffers?: readonly Uint8Array[]; metadata?: Json; id?: string } = {},
  ): Comm {
    const comm = new Comm(this, target, options.id ?? crypto.randomUUID());
    this.#comms.set(comm.id, comm);
    const content = { comm_id: comm.id, target_name: target, data };
    this.send('comm_open', content, options.metadata ?? {}, options.buffers ?? []);
    this.#announce();
    return comm;
  }

  /** Calls `handler` when the front end opens a comm to `target`. */
  register(target: string, handler: (comm: Comm, message: CommMessage) => unknown): void {
    this.#targets.set(target, handler);
  }

  unregister(target: string): void {
    this.#targets.delete(target);
  }

  /** A message of the front end. */
  receive(kind: Kind, content: Json, metadata: Json, buffers: readonly Uint8Array[]): void {
    const id = String(content['comm_id']);
    const message = { data: (content['data'] ?? {}) as Json, metadata, buffers };
    if (kind === 'comm_open') {
      const target = String(content['target_name']);
      const handler = this.#targets.get(target);
      if (handler === undefined) {
        this.send('comm_close', { comm_id: id, data: {} }, {}, []);
        return;
      }
      const comm = new Comm(this, target, id);
      this.#comms.set(id, comm);
      this.#announce();
      this.#call(() => handler(comm, message));
      return;
    }
    const comm = this.#comms.get(id);
    if (comm === undefined) return;
    if (kind === 'comm_close') {
      this.drop(id);
      this.#call(() => comm.onClose?.(message));
    } else this.#call(() => comm.onMessage?.(message));
  }

  send(kind: Kind, content: Json, metadata: Json, buffers: readonly Uint8Array[]): void {
    const sizes = buffers.map((b) => b.byteLength);
    const bytes = buffers.map((b) => new Uint8Array(b.buffer, b.byteOffset, b.byteLength));
    const c = currentCell()?.cell ?? 0;
    this.#channel.send({ t: 'comm', c, kind, content, metadata, buffers: sizes }, bytes);
  }

  drop(id: string): void {
    if (this.#comms.delete(id)) this.#announce();
  }

  #announce(): void {
    const open = Object.fromEntries([...this.#comms.values()].map((c) => [c.id, c.target]));
    this.#channel.send({ t: 'comms', open });
  }

  /** Handlers speak for the cell that made them; their errors are shown, never thrown here. */
  #call(handler: () => unknown): void {
    const context = currentCell();
    const run = async () => {
      try {
        await handler();
      } catch (error) {
        this.#onError(error);
      }
    };
    void (context === undefined ? run() : runInCell(context, run));
  }
}
