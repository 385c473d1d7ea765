import type { FromUser, ToWorker } from './wire.ts';

/** In place of the length of the JSON: no JSON but text, which comes in floods. */
const TEXT = 0xffff_ffff;
const TEXT_HEAD = 13;
const EMPTY = Buffer.alloc(0);

/** One frame: u32 length of all that follows, u32 length of the JSON, the JSON, the buffers. */
export function encodeFrame(
  message: FromUser | ToWorker,
  buffers: readonly Uint8Array[] = [],
): Buffer {
  if (message.t === 'text') return encodeText(message.c, message.s, message.x);
  const json = JSON.stringify(message);
  const length = Buffer.byteLength(json);
  const extra = buffers.reduce((n, b) => n + b.byteLength, 0);
  const frame = Buffer.allocUnsafe(8 + length + extra);
  frame.writeUInt32LE(4 + length + extra, 0);
  frame.writeUInt32LE(length, 4);
  frame.write(json, 8);
  let at = 8 + length;
  for (const buffer of buffers) {
    frame.set(buffer, at);
    at += buffer.byteLength;
  }
  return frame;
}

/** u32 length of all that follows, the mark, u32 cell, u8 stream, the text. */
function encodeText(cell: number, stream: 1 | 2, text: string): Buffer {
  const length = Buffer.byteLength(text);
  const frame = Buffer.allocUnsafe(TEXT_HEAD + length);
  frame.writeUInt32LE(TEXT_HEAD - 4 + length, 0);
  frame.writeUInt32LE(TEXT, 4);
  frame.writeUInt32LE(cell, 8);
  frame.writeUInt8(stream, 12);
  frame.write(text, TEXT_HEAD);
  return frame;
}

/** The buffers of these lengths that `rest` consists of. */
export function splitBuffers(lengths: readonly number[], rest: Buffer): Buffer[] {
  let at = 0;
  return lengths.map((length) => {
    at += length;
    return rest.subarray(at - length, at);
  });
}

/** Cuts a byte stream into frames; texts that follow each other come joined. */
export class FrameReader<T extends FromUser | ToWorker> {
  readonly #onFrame: (message: T, rest: Buffer) => void;
  #chunks: Buffer[] = [];
  #size = 0;
  #text = '';
  #cell = 0;
  #stream: 1 | 2 = 1;

  constructor(onFrame: (message: T, rest: Buffer) => void) {
    this.#onFrame = onFrame;
  }

  push(chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#size += chunk.length;
    if (this.#size < 4) return;
    // Joined only when the first frame is complete: a long one is not copied per chunk.
    if (this.#chunks[0].length < 4) this.#join();
    if (this.#size < 4 + this.#chunks[0].readUInt32LE(0)) return;
    this.#join();
    const all = this.#chunks[0];
    let at = 0;
    while (all.length - at >= 4) {
      const end = at + 4 + all.readUInt32LE(at);
      if (end > all.length) break;
      const length = all.readUInt32LE(at + 4);
      if (length === TEXT) this.#readText(all, at, end);
      else {
        this.#endText();
        const jsonEnd = at + 8 + length;
        const message = JSON.parse(all.toString('utf8', at + 8, jsonEnd)) as T;
        this.#onFrame(message, all.subarray(jsonEnd, end));
      }
      at = end;
    }
    this.#endText();
    this.#chunks = at < all.length ? [all.subarray(at)] : [];
    this.#size = all.length - at;
  }

  #readText(all: Buffer, at: number, end: number): void {
    const cell = all.readUInt32LE(at + 8);
    const stream = all[at + 12] === 1 ? 1 : 2;
    if (cell !== this.#cell || stream !== this.#stream) {
      this.#endText();
      this.#cell = cell;
      this.#stream = stream;
    }
    this.#text += all.toString('utf8', at + TEXT_HEAD, end);
  }

  #endText(): void {
    if (this.#text === '') return;
    const frame = { t: 'text', c: this.#cell, s: this.#stream, x: this.#text } as const;
    this.#text = '';
    this.#onFrame(frame as FromUser as T, EMPTY);
  }

  #join(): void {
    if (this.#chunks.length > 1) this.#chunks = [Buffer.concat(this.#chunks)];
  }
}
