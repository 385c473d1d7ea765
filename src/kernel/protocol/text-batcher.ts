/** Text of one stream of one cell. */
export interface TextPiece {
  readonly cell: number;
  readonly stream: 1 | 2;
  readonly text: string;
}

/** Characters after which a batch goes out at once. */
const MAX = 1 << 17;

/**
 * Joins pieces of text, in order, into few messages. What comes after a pause goes out at the next
 * turn of the event loop; a steady flow every `interval` ms.
 */
export class TextBatcher {
  readonly #publish: (piece: TextPiece) => void;
  readonly #interval: number;
  #pieces: string[] = [];
  #size = 0;
  #cell = 0;
  #stream: 1 | 2 = 1;
  #timer: NodeJS.Timeout | NodeJS.Immediate | undefined;
  #last = 0;

  constructor(publish: (piece: TextPiece) => void, interval = 25) {
    this.#publish = publish;
    this.#interval = interval;
  }

  push(piece: TextPiece): void {
    if (piece.cell !== this.#cell || piece.stream !== this.#stream) {
      this.flush();
      this.#cell = piece.cell;
      this.#stream = piece.stream;
    }
    this.#pieces.push(piece.text);
    this.#size += piece.text.length;
    if (this.#size >= MAX) this.flush();
    else if (this.#timer === undefined) {
      const wait = this.#last + this.#interval - performance.now();
      this.#timer =
        wait > 0 ? setTimeout(() => this.flush(), wait) : setImmediate(() => this.flush());
    }
  }

  /** Sends what is there; everything that must come after the text calls this first. */
  flush(): void {
    if (this.#timer !== undefined) {
      clearTimeout(this.#timer as NodeJS.Timeout);
      clearImmediate(this.#timer as NodeJS.Immediate);
      this.#timer = undefined;
    }
    if (this.#size === 0) return;
    const text = this.#pieces.join('');
    this.#pieces = [];
    this.#size = 0;
    this.#last = performance.now();
    this.#publish({ cell: this.#cell, stream: this.#stream, text });
  }
}
