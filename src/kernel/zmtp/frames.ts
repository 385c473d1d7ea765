import type { Inbox } from './inbox.ts';

/**
 * Frames of ZMTP 3.0, the wire protocol of ZeroMQ (rfc.zeromq.org/spec/23): a byte of flags, the
 * length in one byte or, if long, in eight of them, and the body.
 */
const FLAG_MORE = 1;
const FLAG_LONG = 2;
const FLAG_COMMAND = 4;

/** Bodies up to this length are copied together with what stands before and after them. */
const COPIED = 1 << 16;

export interface Frame {
  /** Says something about the connection; it is no part of a message. */
  readonly isCommand: boolean;
  /** The message goes on with the next frame. */
  readonly hasMore: boolean;
  readonly body: Buffer;
}

/** A message as bytes: its frames one after another, in few pieces. */
export function encodeFrames(frames: readonly (Uint8Array | string)[]): Uint8Array[] {
  const lengths = frames.map((frame) => Buffer.byteLength(frame));
  const out: Uint8Array[] = [];
  let room = 0;
  for (const length of lengths) room += length > COPIED ? 9 : length + 9;
  let piece = Buffer.allocUnsafe(room);
  let at = 0;
  for (let i = 0; i < frames.length; i++) {
    const body = frames[i];
    const length = lengths[i];
    const more = i < frames.length - 1 ? FLAG_MORE : 0;
    if (length < 256) {
      piece[at] = more;
      piece[at + 1] = length;
      at += 2;
    } else {
      piece[at] = more | FLAG_LONG;
      piece.writeUInt32BE(Math.floor(length / 2 ** 32), at + 1);
      piece.writeUInt32BE(length % 2 ** 32, at + 5);
      at += 9;
    }
    if (length > COPIED) {
      out.push(piece.subarray(0, at), typeof body === 'string' ? Buffer.from(body) : body);
      piece = piece.subarray(at);
      at = 0;
    } else {
      if (typeof body === 'string') piece.write(body, at);
      else piece.set(body, at);
      at += length;
    }
  }
  if (at > 0) out.push(piece.subarray(0, at));
  return out;
}

/** A command of this name, as bytes. */
export function encodeCommand(name: string, data: Uint8Array): Buffer {
  const body = Buffer.concat([Buffer.from([name.length]), Buffer.from(name), data]);
  return Buffer.concat([Buffer.from([FLAG_COMMAND, body.length]), body]);
}

/** Reads frames, whole ones only. */
export class FrameReader {
  readonly #inbox: Inbox;
  #flags: number | undefined;
  #length: number | undefined;

  constructor(inbox: Inbox) {
    this.#inbox = inbox;
  }

  /** @throws RangeError when a frame is longer than any can be. */
  next(): Frame | undefined {
    this.#flags ??= this.#inbox.take(1)?.[0];
    if (this.#flags === undefined) return undefined;
    this.#length ??= this.#takeLength(this.#flags);
    if (this.#length === undefined) return undefined;
    const body = this.#inbox.take(this.#length);
    if (body === undefined) return undefined;
    const flags = this.#flags;
    this.#flags = undefined;
    this.#length = undefined;
    return { isCommand: (flags & FLAG_COMMAND) !== 0, hasMore: (flags & FLAG_MORE) !== 0, body };
  }

  #takeLength(flags: number): number | undefined {
    if ((flags & FLAG_LONG) === 0) return this.#inbox.take(1)?.[0];
    const bytes = this.#inbox.take(8);
    if (bytes === undefined) return undefined;
    const length = bytes.readUInt32BE(0) * 2 ** 32 + bytes.readUInt32BE(4);
    if (!Number.isSafeInteger(length)) throw new RangeError(`a frame of ${length} bytes`);
    return length;
  }
}

/** Bytes as a key of a map, a character for each. */
export function keyOf(bytes: Uint8Array | string): string {
  const { buffer, byteOffset, byteLength } = typeof bytes === 'string' ? Buffer.from(bytes) : bytes;
  return Buffer.from(buffer, byteOffset, byteLength).toString('latin1');
}
