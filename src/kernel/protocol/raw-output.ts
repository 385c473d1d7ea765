import { readSync } from 'node:fs';
import type { Readable } from 'node:stream';
import { StringDecoder } from 'node:string_decoder';
import { paced } from './paced.ts';

/** What native code and child processes of a cell write to one of its output streams. */
export class RawOutput {
  readonly #source: Readable;
  readonly #onText: (text: string) => void;
  readonly #decoder = new StringDecoder('utf8');

  constructor(source: Readable, onText: (text: string) => void) {
    this.#source = source;
    this.#onText = onText;
    paced(source, (chunk) => this.#push(chunk));
  }

  /**
   * Hands on what is written and not yet read. A pipe holds a bounded amount, so that this ends soon
   * also where a process goes on writing.
   */
  drain(): void {
    // What pacing holds back was written first; reading it hands it on.
    while (this.#source.read() !== null);
    const fd = (this.#source as { _handle?: { fd?: number } | null })._handle?.fd;
    // Not on every system is there a descriptor to read; what is late then comes after the cell.
    if (fd === undefined || fd < 0) return;
    const { stackTraceLimit } = Error;
    // That there is nothing comes as an error, after nearly every cell.
    Error.stackTraceLimit = 0;
    try {
      for (let round = 0; round < MOST; round++) {
        const length = readSync(fd, SCRATCH);
        if (length === 0) return;
        this.#push(Buffer.from(SCRATCH.subarray(0, length)));
      }
    } catch {
      // EAGAIN.
    } finally {
      Error.stackTraceLimit = stackTraceLimit;
    }
  }

  #push(chunk: Buffer): void {
    const text = this.#decoder.write(chunk);
    if (text !== '') this.#onText(text);
  }
}

const SCRATCH = Buffer.allocUnsafe(1 << 16);

/** Rounds of 64 KiB: more than pipes and sockets hold. */
const MOST = 16;
