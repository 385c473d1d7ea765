import koffi from 'koffi';

/** A C array of strings. */
export class TextTable {
  readonly table: BigUint64Array;
  /** Held so that the addresses in the table stay good. */
  readonly text: Uint8Array;

  constructor(words: readonly string[]) {
    const ended = words.map((word) => `${word}\0`);
    this.text = Uint8Array.from(Buffer.from(ended.join('')));
    // V8 keeps small arrays in its own heap and moves them; asking for the buffer ends that.
    void this.text.buffer;
    let at = koffi.address(this.text);
    this.table = BigUint64Array.from(ended, (word) => {
      const start = at;
      at += BigInt(Buffer.byteLength(word));
      return start;
    });
    void this.table.buffer;
  }
}
