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

/** Asks the user through the front end. One question at a time, as the protocol wants. */
export class Stdin {
  readonly #channel: Channel;
  readonly #words: Int32Array;
  readonly #bytes: Uint8Array;
  readonly #waiting: { resolve: (line: string) => void; reject: (error: Error) => void }[] = [];

  constructor(channel: Channel, words: Int32Array, bytes: Uint8Array) {
    this.#channel = channel;
    this.#words = words;
    this.#bytes = bytes;
  }

  /** Waits for a line and blocks the thread meanwhile, as `prompt` does in a browser. */
  askSync(prompt: string, password = false): string {
    this.#request('prompt', prompt, password);
    for (;;) {
      Atomics.wait(this.#words, WORDS.input, 0, 200);
      const length = Atomics.load(this.#words, WORDS.input);
      if (length > 0) return Buffer.from(this.#bytes.slice(0, length - 1)).toString();
      if (length < 0 || Atomics.load(this.#words, WORDS.interrupt) !== 0) {
        throw new InterruptedError();
      }
    }
  }

  /** Waits for a line while other code runs. */
  ask(prompt: string, password = false): Promise<string> {
    this.#request('stdin', prompt, password);
    return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }));
  }

  /** A reply for the oldest question asked by {@link ask}. */
  answer(reply: { value?: string; error?: string }): void {
    const asked = this.#waiting.shift();
    if (reply.value !== undefined) asked?.resolve(reply.value);
    else asked?.reject(new InterruptedError(reply.error));
  }

  /** `process.stdin`: asks for a line whenever somebody reads. */
  stream(): Readable {
    const ask = () => this.ask('');
    const stream = new Readable({
      read() {
        ask().then(
          (line) => this.push(`${line}\n`),
          () => this.push(null),
        );
      },
    });
    return Object.assign(stream, { fd: 0, isTTY: false });
  }

  #request(what: string, prompt: string, password: boolean): void {
    const context = currentCell();
    if (context?.allowStdin !== true) throw new StdinError(what);
    Atomics.store(this.#words, WORDS.input, 0);
    this.#channel.send({ t: 'input', c: context.cell, prompt, password });
  }
}

/** Puts `process.stdin` in place. */
export function installStdin(stdin: Stdin): void {
  Object.defineProperty(process, 'stdin', { value: stdin.stream(), configurable: true });
}
