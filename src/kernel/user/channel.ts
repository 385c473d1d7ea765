import { writeSync } from 'node:fs';
import { currentCell } from './context.ts';
import { encodeFrame } from './frames.ts';
import { FRAME_FD, type FromUser, WORDS } from './wire.ts';

/** Characters of text that one cell may write; what is more is counted and dropped. */
export const OUTPUT_LIMIT = Number(process.env['GIBBS_KERNEL_OUTPUT_LIMIT']) || 32 * 2 ** 20;

/** Text of one frame; longer output goes in several, so that the other side is never held up. */
const CHUNK = 1 << 18;

/** The way up to the protocol process. */
export class Channel {
  readonly #words: Int32Array;

  constructor(words: Int32Array) {
    this.#words = words;
  }

  send(message: FromUser, buffers?: readonly Uint8Array[]): void {
    this.#write(encodeFrame(message, buffers));
  }

  /** Messages that belong together, in one write: the other side wakes once. */
  sendAll(messages: readonly FromUser[]): void {
    this.#write(Buffer.concat(messages.map((message) => encodeFrame(message))));
  }

  /** Text on stdout (1) or stderr (2), on behalf of the cell that started the caller. */
  text(stream: 1 | 2, text: string): void {
    const context = currentCell();
    if (context === undefined) {
      this.#text(0, stream, text);
      return;
    }
    const room = OUTPUT_LIMIT - context.written;
    let kept = text;
    if (text.length > room) {
      kept = text.slice(0, Math.max(room, 0));
      context.dropped += text.length - kept.length;
    }
    context.written += kept.length;
    if (kept !== '') this.#text(context.cell, stream, kept);
  }

  #text(cell: number, stream: 1 | 2, text: string): void {
    for (let at = 0; at < text.length; at += CHUNK) {
      this.send({ t: 'text', c: cell, s: stream, x: text.slice(at, at + CHUNK) });
    }
  }

  #write(frame: Buffer): void {
    Atomics.add(this.#words, WORDS.critical, 1);
    try {
      for (let at = 0; at < frame.length; ) {
        try {
          at += writeSync(FRAME_FD, frame, at, frame.length - at);
        } catch (error) {
          if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error;
          Atomics.wait(this.#words, WORDS.critical, -1, 1);
        }
      }
    } finally {
      Atomics.sub(this.#words, WORDS.critical, 1);
    }
  }
}
