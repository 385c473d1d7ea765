import type { Progress } from './loop.ts';

/** What a progress display needs of a stream; `process.stderr` is one. */
export interface ProgressStream {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

const BAR_WIDTH = 24;
const TTY_INTERVAL_MS = 100;
const LINE_INTERVAL_MS = 5000;

/** Draws the state of one or several trainings, by name. */
export class ProgressDisplay {
  readonly #stream: ProgressStream;
  readonly #now: () => number;
  readonly #latest = new Map<string, Progress>();
  readonly #metrics: readonly string[] | undefined;
  #lastDrawn = -Infinity;
  #linesDrawn = 0;

  /**
   * @param stream a terminal is redrawn in place; anything else gets a line every few seconds.
   * @param options `metrics`: the names to show (default: the first three).
   */
  constructor(
    stream: ProgressStream = process.stderr,
    options: { readonly metrics?: readonly string[]; readonly now?: () => number } = {},
  ) {
    this.#stream = stream;
    this.#metrics = options.metrics;
    this.#now = options.now ?? (() => performance.now());
  }

  update(name: string, progress: Progress): void {
    const before = this.#latest.get(name);
    this.#latest.set(name, progress);
    const changedPhase = before?.phase !== progress.phase;
    const interval = this.#stream.isTTY ? TTY_INTERVAL_MS : LINE_INTERVAL_MS;
    if (!changedPhase && this.#now() - this.#lastDrawn < interval) return;
    this.#lastDrawn = this.#now();
    if (this.#stream.isTTY) this.#redraw();
    else if (changedPhase) this.#stream.write(`${this.#line(name, progress)}\n`);
    else for (const [n, p] of this.#latest) this.#stream.write(`${this.#line(n, p)}\n`);
  }

  /** A line above the display. */
  note(text: string): void {
    this.#erase();
    this.#stream.write(`${text}\n`);
    if (this.#stream.isTTY && this.#latest.size > 0) this.#redraw();
  }

  /** Leaves the last state on the screen. */
  end(): void {
    if (this.#stream.isTTY && this.#latest.size > 0) this.#redraw();
    this.#linesDrawn = 0;
  }

  #erase(): void {
    if (this.#linesDrawn > 0) this.#stream.write(`\x1b[${this.#linesDrawn}A\x1b[0J`);
    this.#linesDrawn = 0;
  }

  #redraw(): void {
    const columns = this.#stream.columns ?? 80;
    const lines = [...this.#latest].map(([name, p]) => this.#line(name, p).slice(0, columns - 1));
    this.#erase();
    this.#stream.write(`${lines.join('\n')}\n`);
    this.#linesDrawn = lines.length;
  }

  #line(name: string, progress: Progress): string {
    return formatProgress(name, progress, this.#metrics);
  }
}

/** One line: name, bar, share, iterations, speed, time to go, metrics. */
export function formatProgress(
  name: string,
  progress: Progress,
  metrics: readonly string[] = Object.keys(progress.metrics).slice(0, 3),
): string {
  const { step, steps, phase, stepsPerSecond, etaSeconds } = progress;
  const within = progress.share === undefined ? '' : ` + ${Math.floor(100 * progress.share)} %`;
  const share = steps > 0 ? step / steps : 1;
  const full = Math.floor(share * BAR_WIDTH);
  const bar = '█'.repeat(full) + '░'.repeat(BAR_WIDTH - full);
  const head = `${name}  ${bar} ${String(Math.floor(share * 100)).padStart(3)} %  ${step}/${steps}${within}`;
  if (phase === 'compile') return `${head}  compiling`;
  const parts = [head];
  if (stepsPerSecond > 0) parts.push(`${stepsPerSecond.toFixed(1)} it/s`);
  if (phase === 'done') parts.push(`done in ${formatSeconds(progress.seconds)}`);
  else if (etaSeconds !== undefined) parts.push(`${formatSeconds(etaSeconds)} to go`);
  for (const metric of metrics) {
    const value = progress.metrics[metric];
    if (value !== undefined) parts.push(`${metric} ${formatNumber(value)}`);
  }
  return parts.join('  ');
}

/** e.g. `42 s`, `3:05 min`, `2:30 h`. */
export function formatSeconds(seconds: number): string {
  const s = Math.round(seconds);
  if (s < 60) return `${s} s`;
  const two = (n: number) => String(n).padStart(2, '0');
  if (s < 3600) return `${Math.floor(s / 60)}:${two(s % 60)} min`;
  return `${Math.floor(s / 3600)}:${two(Math.floor((s % 3600) / 60))} h`;
}

function formatNumber(value: number): string {
  const size = Math.abs(value);
  return size !== 0 && (size >= 1e4 || size < 1e-3) ? value.toExponential(2) : value.toFixed(3);
}
