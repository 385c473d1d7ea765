import { Readable } from 'node:stream';
import { GibbsError, InterruptedError } from '../../core/errors.ts';
import type { Channel } from './channel.ts';
import { currentCell } from './context.ts';
import { WORDS } from './wire.ts';

/** The front end that runs the cell cannot ask the user. */
export class StdinError extends GibbsError {
  constructor(what: string) {
    super('stdin', `${what}: this front end does not take input (allow_stdin is false)`);
  }
}

/** Asks the user through the front end. */
export class Stdin {
  readonly #channel: Channel;
  readonly #words: Int32Array;
  readonly #bytes: Uint8Array;
  readonly #waiting = new Map<number, (line: string) => void>();
  #questions = 0;

  constructor(channel: Channel, words: Int32Array, bytes: Uint8Array) {
    this.#channel = channel;
    this.#words = words;
    this.#bytes = bytes;
  }

  /** Waits for a line and blocks the thread meanwhile, as `prompt` does in a browser. */
  askSync(prompt: string, password = false): string {
    const id = ++this.#questions;
    Atomics.store(this.#words, WORDS.input, 0);
    Atomics.store(this.#words, WORDS.question, id);
    try {
      this.#request('prompt', id, prompt, password);
      for (;;) {
        Atomics.wait(this.#words, WORDS.input, 0, 200);
        const length = Atomics.load(this.#words, WORDS.input);
        if (length > 0) return Buffer.from(this.#bytes.slice(0, length - 1)).toString();
        if (Atomics.load(this.#words, WORDS.interrupt) !== 0) throw new InterruptedError();
      }
    } finally {
      Atomics.store(this.#words, WORDS.question, 0);
    }
  }

  /** Waits for a line while other code runs. */
  ask(prompt: string, password = false): Promise<string> {
    const id = ++this.#questions;
    return new Promise((resolve) => {
      this.#request('stdin', id, prompt, password);
      this.#waiting.set(id, resolve);
    });
  }

  /** The reply to a question asked by {@link ask}. */
  answer(reply: { readonly id: number; readonly value: string }): void {
    this.#waiting.get(reply.id)?.(reply.value);
    this.#waiting.delete(reply.id);
  }

  /** `process.stdin`: asks for a line whenever somebody reads. */
  stream(): Readable {
    let wanted = false;
    // A reader that has its line stops reading a moment later: no question for nobody.
    const soon = () => setTimeout(ask, 5);
    const ask = () => {
      if (!wanted || stream.isPaused()) return;
      wanted = false;
      this.ask('').then(
        (line) => stream.push(`${line}\n`),
        () => stream.push(null),
      );
    };
    const stream = new Readable({
      read() {
        wanted = true;
        soon();
      },
    });
    stream.on('resume', soon);
    return Object.assign(stream, { fd: 0, isTTY: false });
  }

  #request(what: string, id: number, prompt: string, password: boolean): void {
    const context = currentCell();
    if (context?.allowStdin !== true) throw new StdinError(what);
    this.#channel.send({ t: 'input', c: context.cell, id, prompt, password });
  }
}

/** Puts `process.stdin` in place. */
export function installStdin(stdin: Stdin): void {
  Object.defineProperty(process, 'stdin', { value: stdin.stream(), configurable: true });
}
