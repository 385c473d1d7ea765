import type { FromUser } from '../user/wire.ts';
import type { KernelIo } from './kernel-io.ts';
import type { Message } from './message.ts';
import { TextBatcher } from './text-batcher.ts';

/** What cells produce, as messages. */
export type OutputFrame = Extract<FromUser, { t: 'text' | 'display' | 'clear' | 'result' }>;

/** Where a reply goes and what it answers: all that is kept of the request of a cell. */
export type Origin = Pick<Message, 'header' | 'idents'>;

const RAW_LIMIT = Number(process.env['GIBBS_KERNEL_OUTPUT_LIMIT']) || 32 * 2 ** 20;
/** Cells whose late output still finds them. */
const ORIGINS = 2000;

/** Publishes what cells produce, each on behalf of the request that started it. */
export class Outputs {
  readonly #io: KernelIo;
  readonly #text: TextBatcher;
  readonly #origins = new Map<number, Origin>();
  #latest = 0;
  /** Characters of raw output of the latest cell, which is bounded like other text. */
  #raw = 0;

  constructor(io: KernelIo) {
    this.#io = io;
    this.#text = new TextBatcher(({ cell, stream, text }) => {
      const name = stream === 1 ? 'stdout' : 'stderr';
      this.#io.publish('stream', { name, text }, this.origin(cell));
    });
  }

  /** From now on there is a cell of this number, started by `message`. */
  open(cell: number, { header, idents }: Message): void {
    this.#latest = cell;
    this.#raw = 0;
    this.#origins.set(cell, { header, idents });
    this.#origins.delete(cell - ORIGINS);
  }

  /** The request that started `cell`, or the latest. */
  origin(cell: number): Origin | undefined {
    return this.#origins.get(cell) ?? this.#origins.get(this.#latest);
  }

  flush(): void {
    this.#text.flush();
  }

  /** @param count the `n` of `Out[n]`. */
  frame(frame: OutputFrame, count: number): void {
    if (frame.t === 'text') {
      this.#text.push({ cell: frame.c, stream: frame.s, text: frame.x });
      return;
    }
    this.flush();
    const origin = this.origin(frame.c);
    switch (frame.t) {
      case 'display': {
        const type = frame.update ? 'update_display_data' : 'display_data';
        const transient = frame.id === undefined ? {} : { display_id: frame.id };
        const content = { data: frame.data, metadata: frame.metadata, transient };
        this.#io.publish(type, content, origin);
        return;
      }
      case 'clear':
        this.#io.publish('clear_output', { wait: frame.wait }, origin);
        return;
      case 'result': {
        const content = { data: frame.data, metadata: frame.metadata, execution_count: count };
        this.#io.publish('execute_result', content, origin);
        return;
      }
    }
  }

  /** Text of the kernel itself, at once. */
  notice(text: string, cell = this.#latest): void {
    this.flush();
    this.#io.publish('stream', { name: 'stderr', text }, this.origin(cell));
  }

  /** Output of native code and child processes: of the latest cell; bounded while it runs. */
  raw(stream: 1 | 2, text: string, isRunning: boolean): void {
    if (isRunning) {
      if (this.#raw > RAW_LIMIT) return;
      this.#raw += text.length;
    }
    this.#text.push({ cell: this.#latest, stream, text });
    if (isRunning && this.#raw > RAW_LIMIT) {
      const notice = '\n[output truncated: a child process of this cell wrote more than is kept]\n';
      this.#text.push({ cell: this.#latest, stream: 2, text: notice });
    }
  }
}
