const EMPTY = Buffer.alloc(0);

/** Bytes as they arrive, handed out in pieces of a known length. */
export class Inbox {
  #chunks: Buffer[] = [];
  #size = 0;

  push(chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#size += chunk.length;
  }

  /** The first byte that has not been taken, if there is one. */
  get first(): number | undefined {
    return this.#chunks[0]?.[0];
  }

  /** The next `length` bytes; undefined as long as they have not all arrived. */
  take(length: number): Buffer | undefined {
    if (this.#size < length) return undefined;
    if (length === 0) return EMPTY;
    // Joined only when all is there: a long piece is copied once.
    if (this.#chunks[0].length < length) this.#chunks = [Buffer.concat(this.#chunks)];
    const chunk = this.#chunks[0];
    if (chunk.length === length) this.#chunks.shift();
    else this.#chunks[0] = chunk.subarray(length);
    this.#size -= length;
    return chunk.subarray(0, length);
  }
}
