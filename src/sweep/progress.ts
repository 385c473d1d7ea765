import type { ProgressBar } from '../core/notebook-progress.ts';
import type { Progress } from '../train/loop.ts';
import { formatProgress, formatSeconds, type ProgressStream } from '../train/progress.ts';
import type { SweepEvents, TaskOutcome } from './local.ts';
import type { SweepTask } from './plan.ts';

const TTY_INTERVAL_MS = 150;
const LINE_INTERVAL_MS = 10_000;

/** Name of a task: its point of the grid and its seed. */
export function taskName({ settings, seed }: SweepTask): string {
  const point = Object.entries(settings).map(([path, value]) => {
    return `${path.slice(path.lastIndexOf('.') + 1)}=${value}`;
  });
  return [...point, `seed=${seed}`].join(' ');
}

/** Shows a sweep as it goes: one line for all of it, and on a terminal one for each running task. */
export class SweepDisplay implements Required<SweepEvents> {
  readonly #total: number;
  readonly #stream: ProgressStream;
  readonly #bar: ProgressBar | undefined;
  readonly #running = new Map<SweepTask, Progress | undefined>();
  readonly #begin = performance.now();
  #done = 0;
  #reused = 0;
  #failed = 0;
  #drawn = Number.NEGATIVE_INFINITY;
  #lines = 0;

  /** @param bar takes the place of the stream's lines for progress (not for notices). */
  constructor(total: number, stream: ProgressStream, bar?: ProgressBar) {
    this.#total = total;
    this.#stream = stream;
    this.#bar = bar;
  }

  onStart = (task: SweepTask): void => {
    this.#running.set(task, undefined);
    this.#draw();
  };

  onProgress = (task: SweepTask, progress: Progress): void => {
    this.#running.set(task, progress);
    this.#draw();
  };

  onNotice = (task: SweepTask, text: string): void => {
    this.#say(`${taskName(task)}: ${text}`);
  };

  onEnd = ({ task, result, error }: TaskOutcome): void => {
    this.#running.delete(task);
    this.#done++;
    if (result?.reused) this.#reused++;
    if (error !== undefined) {
      this.#failed++;
      this.#say(`${taskName(task)}: failed: ${error}`);
    }
    this.#draw(true);
  };

  /** Leaves the last state on the screen. */
  end(): void {
    this.#draw(true);
    this.#lines = 0;
    this.#bar?.finish(this.#counts());
  }

  #counts(): string {
    return [
      ...(this.#reused > 0 ? [`${this.#reused} reused`] : []),
      ...(this.#failed > 0 ? [`${this.#failed} failed`] : []),
    ].join(', ');
  }

  /** What a bar says of the runs that it does not count yet. */
  #note(): string {
    const shares = [...this.#running.values()].map((progress) =>
      progress && progress.steps > 0
        ? `${Math.floor((100 * progress.step) / progress.steps)} %`
        : 'starting',
    );
    const underWay = shares.length > 0 ? `${shares.length} under way (${shares.join(', ')})` : '';
    return [this.#counts(), underWay].filter((part) => part !== '').join(', ');
  }

  #line(): string {
    const trained = this.#done - this.#reused;
    const seconds = (performance.now() - this.#begin) / 1000;
    const left = ((this.#total - this.#done) * seconds) / trained;
    const parts = [
      `${this.#done}/${this.#total} runs`,
      `${this.#running.size} under way`,
      this.#counts(),
      trained > 0 && this.#done < this.#total ? `about ${formatSeconds(left)} to go` : '',
    ];
    return parts.filter((part) => part !== '').join(', ');
  }

  #draw(now = false): void {
    if (this.#bar) {
      this.#bar.update(this.#done, this.#note());
      return;
    }
    const interval = this.#stream.isTTY ? TTY_INTERVAL_MS : LINE_INTERVAL_MS;
    if (!now && performance.now() - this.#drawn < interval) return;
    this.#drawn = performance.now();
    this.#erase();
    const tasks = [...this.#running].map(([task, progress]) =>
      progress ? formatProgress(taskName(task), progress) : `${taskName(task)}  starting`,
    );
    const lines = [this.#line(), ...(this.#stream.isTTY ? tasks : [])];
    const columns = this.#stream.columns ?? 80;
    const shown = this.#stream.isTTY ? lines.map((line) => line.slice(0, columns - 1)) : lines;
    this.#stream.write(`${shown.join('\n')}\n`);
    if (this.#stream.isTTY) this.#lines = shown.length;
  }

  #say(text: string): void {
    this.#erase();
    this.#stream.write(`${text}\n`);
  }

  #erase(): void {
    if (this.#lines > 0) this.#stream.write(`\x1b[${this.#lines}A\x1b[0J`);
    this.#lines = 0;
  }
}
