/** Half the weight of a measurement is gone after about this many seconds. */
const MEMORY_SECONDS = 5;

/** Iterations per second, smoothed; the first iteration (it compiles) is left out. */
export class Speedometer {
  #lastTime: number | undefined;
  #lastStep = 0;
  #rate = 0;
  #weight = 0;
  readonly #now: () => number;

  /** @param now milliseconds, monotonic. */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /** To be called after every iteration. */
  tick(step: number): void {
    const time = this.#now();
    if (this.#lastTime === undefined) {
      this.#lastTime = time;
      this.#lastStep = step;
      return;
    }
    const seconds = (time - this.#lastTime) / 1000;
    // A clock tick is too short to divide by.
    if (seconds < 0.02) return;
    const keep = 0.5 ** (seconds / MEMORY_SECONDS);
    this.#rate = keep * this.#rate + (1 - keep) * ((step - this.#lastStep) / seconds);
    this.#weight = keep * this.#weight + (1 - keep);
    this.#lastTime = time;
    this.#lastStep = step;
  }

  /** Iterations per second; 0 while unknown. */
  rate(): number {
    return this.#weight > 0 ? this.#rate / this.#weight : 0;
  }
}
