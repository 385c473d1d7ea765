import { type ConnectOpts, type OnReadOpts, Socket, type SocketConstructorOpts } from 'node:net';
import { FrameReader } from './frames.ts';
import { REQUEST_FD, type ToWorker } from './wire.ts';

/**
 * What the protocol process asks of the thread of the cells, one at a time. A Stop may end the thread's
 * code anywhere in what it does for a request; the others wait for {@link go}.
 */
export class Requests {
  readonly #handle: (request: ToWorker, rest: Buffer) => void;
  readonly #waiting: [request: ToWorker, rest: Buffer][] = [];

  constructor(handle: (request: ToWorker, rest: Buffer) => void) {
    this.#handle = handle;
  }

  listen(): void {
    const reader = new FrameReader<ToWorker>((...request) => this.#waiting.push(request));
    // Read without a stream in between, whose state would be left half changed by a Stop.
    const onread: OnReadOpts = {
      buffer: Buffer.allocUnsafe(1 << 16),
      callback: (length, buffer) => {
        reader.push(Buffer.from(buffer.subarray(0, length)));
        this.go();
        return true;
      },
    };
    const options: SocketConstructorOpts & ConnectOpts = {
      fd: REQUEST_FD,
      writable: false,
      onread,
    };
    const socket = new Socket(options);
    // The protocol process is gone; the main thread sees that too.
    socket.on('error', () => undefined);
  }

  /** Goes on with what waits. */
  go(): void {
    for (let next = this.#waiting.shift(); next !== undefined; next = this.#waiting.shift()) {
      this.#handle(...next);
    }
  }
}
