import { ConfigError } from '../../core/errors.ts';
import type { DisplaySink } from './display.ts';

export interface ProgressOptions {
  /** What is being done; shown before the bar. */
  readonly label?: string;
  /** Least time between two pictures of the bar, ms; default 100. */
  readonly interval?: number;
}

const WIDTH = 24;

/** A progress bar that updates in place and ends as one line. */
export class Progress {
  readonly total: number;
  readonly #sink: DisplaySink;
  readonly #label: string;
  readonly #interval: number;
  readonly #id = crypto.randomUUID();
  readonly #start = performance.now();
  #shown = Number.NEGATIVE_INFINITY;
  #done = 0;
  #note = '';
  #ended = false;

  /** @throws ConfigError unless `total` is a number of at least 0. */
  constructor(total: number, sink: DisplaySink, options: ProgressOptions = {}) {
    if (!(total >= 0)) {
      throw new ConfigError(`display.progress: total must be a number of at least 0, got ${total}`);
    }
    this.total = total;
    this.#sink = sink;
    this.#label = options.label ?? '';
    this.#interval = options.interval ?? 100;
    this.#show(false);
  }

  /** Steps done so far. */
  get value(): number {
    return this.#done;
  }

  /** Sets the steps done, and a short note such as the loss. */
  update(done: number, note = this.#note): void {
    if (this.#ended) return;
    this.#done = Math.min(done, this.total);
    this.#note = note;
    if (this.#done >= this.total) this.finish();
    else if (performance.now() - this.#shown >= this.#interval) this.#show(true);
  }

  /** One more step (or `steps`). */
  step(steps = 1, note = this.#note): void {
    this.update(this.#done + steps, note);
  }

  /** Replaces the bar by one line that says what was done and how long it took. */
  finish(note = this.#note): void {
    if (this.#ended) return;
    this.#ended = true;
    const seconds = (performance.now() - this.#start) / 1000;
    const parts = [this.#label, `${this.#done}/${this.total}`, duration(seconds), note];
    const text = parts.filter((part) => part !== '').join('  ');
    this.#put({ 'text/plain': text }, true);
  }

  #show(update: boolean): void {
    this.#shown = performance.now();
    const share = this.total === 0 ? 1 : this.#done / this.total;
    const filled = Math.round(share * WIDTH);
    const bar = '█'.repeat(filled) + '░'.repeat(WIDTH - filled);
    const seconds = (performance.now() - this.#start) / 1000;
    const left = share > 0 ? ` left ${duration((seconds * (1 - share)) / share)}` : '';
    const label = this.#label === '' ? '' : `${this.#label} `;
    const note = this.#note === '' ? '' : `  ${this.#note}`;
    const percent = `${Math.floor(share * 100)}%`.padStart(4);
    const text = `${label}${bar}${percent} ${this.#done}/${this.total}${left}${note}`;
    this.#put({ 'text/plain': text }, update);
  }

  #put(bundle: Record<string, string>, update: boolean): void {
    this.#sink.show(bundle, { id: this.#id, update, metadata: { gibbs: { progress: true } } });
  }
}

function duration(seconds: number): string {
  if (seconds < 60) return `${seconds.toFixed(seconds < 10 ? 1 : 0)} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min ${Math.round(seconds % 60)} s`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}
