import { Console } from 'node:console';
import { Writable } from 'node:stream';
import { StringDecoder } from 'node:string_decoder';
import type { Channel } from './channel.ts';

/** `process.stdout` or `process.stderr` of the cells: synchronous, in order, attributed. */
class OutputStream extends Writable {
  readonly fd: 1 | 2;
  readonly isTTY = false;
  readonly #channel: Channel;
  readonly #decoder = new StringDecoder('utf8');

  constructor(channel: Channel, fd: 1 | 2) {
    super({ decodeStrings: false });
    this.#channel = channel;
    this.fd = fd;
  }

  override write(
    chunk: unknown,
    encoding?: BufferEncoding | ((error?: Error | null) => void),
    callback?: (error?: Error | null) => void,
  ): boolean {
    const done = typeof encoding === 'function' ? encoding : callback;
    if (typeof chunk === 'string') this.#channel.text(this.fd, chunk);
    else if (chunk instanceof Uint8Array) {
      const text = this.#decoder.write(Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length));
      if (text !== '') this.#channel.text(this.fd, text);
    } else {
      throw new TypeError(`write: expected a string or bytes, got ${typeof chunk}`);
    }
    if (done !== undefined) process.nextTick(done);
    return true;
  }

  /** A stream that others may end stays usable, as the streams of a process do. */
  override end(...args: unknown[]): this {
    if (args.length > 0 && typeof args[0] !== 'function') this.write(args[0]);
    return this;
  }
}

/** Replaces the output streams of this thread and the console that writes to them. */
export function installConsole(channel: Channel): void {
  const stdout = new OutputStream(channel, 1);
  const stderr = new OutputStream(channel, 2);
  Object.defineProperty(process, 'stdout', { value: stdout, configurable: true });
  Object.defineProperty(process, 'stderr', { value: stderr, configurable: true });
  // Node's own console also reports to the debugger, which keeps every argument alive.
  const console = new Console({ stdout, stderr, ignoreErrors: false, colorMode: false });
  Object.defineProperty(globalThis, 'console', {
    value: console,
    configurable: true,
    writable: true,
    enumerable: false,
  });
}
