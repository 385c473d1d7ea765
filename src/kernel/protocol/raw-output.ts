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
    const bytes = Buffer.allocUnsafe(1 << 16);
    for (let round = 0; round < MOST; round++) {
      let length = 0;
      try {
        length = readSync(fd, bytes);
      } catch {
        // EAGAIN: there is nothing.
      }
      if (length === 0) return;
      this.#push(Buffer.from(bytes.subarray(0, length)));
    }
  }

  #push(chunk: Buffer): void {
    const text = this.#decoder.write(chunk);
    if (text !== '') this.#onText(text);
  }
}

/** Rounds of 64 KiB: more than pipes and sockets hold. */
const MOST = 16;
