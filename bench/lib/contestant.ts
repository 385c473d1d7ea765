import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { ContestantSpec, Introduction, Timing } from './bench.ts';

const KEPT_STDERR = 4000;

/** How long a contestant may be silent, in milliseconds. */
export interface Patience {
  readonly ready: number;
  readonly round: number;
}

/**
 * A running contestant. The process prints one JSON line when it is warm, then one per `run N` line
 * on its standard input, until `quit`. Other lines that it prints are ignored.
 */
export class Contestant {
  readonly spec: ContestantSpec;
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #patience: Patience;
  readonly #replies: string[] = [];
  #waiting: (() => void) | undefined;
  #stderr = '';
  #ended: string | undefined;

  constructor(spec: ContestantSpec, patience: Patience = { ready: 300_000, round: 300_000 }) {
    this.spec = spec;
    this.#patience = patience;
    this.#child = spawn(spec.command, spec.args, { env: { ...process.env, ...spec.env } });
    this.#child.stderr.on('data', (chunk: Buffer) => {
      this.#stderr = (this.#stderr + chunk.toString()).slice(-KEPT_STDERR);
    });
    this.#child.stdin.on('error', () => {}); // it ended; 'close' says why
    createInterface({ input: this.#child.stdout }).on('line', (line) => {
      if (!line.startsWith('{')) return;
      this.#replies.push(line);
      this.#waiting?.();
    });
    this.#child.on('error', (error) => this.#end(`cannot start: ${error.message}`));
    this.#child.on('close', (code, signal) => this.#end(`ended with ${signal ?? `code ${code}`}`));
  }

  /** Waits until the process has built, compiled and warmed up. */
  ready(): Promise<Introduction> {
    return this.#reply<Introduction>('start-up', this.#patience.ready);
  }

  run(iters: number): Promise<Timing> {
    this.#child.stdin.write(`run ${iters}\n`);
    return this.#reply<Timing>(`a round of ${iters}`, this.#patience.round);
  }

  stop(): void {
    if (this.#ended !== undefined) return;
    this.#child.stdin.end('quit\n');
    this.#child.kill();
  }

  #end(why: string): void {
    this.#ended ??= why;
    this.#waiting?.();
  }

  async #reply<T>(what: string, patience: number): Promise<T> {
    const deadline = performance.now() + patience;
    while (this.#replies.length === 0 && this.#ended === undefined) {
      const left = deadline - performance.now();
      if (left <= 0) {
        this.stop();
        this.#ended = `no answer to ${what} within ${patience / 1000} s`;
        break;
      }
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, left);
        this.#waiting = () => {
          clearTimeout(timer);
          resolve();
        };
      });
      this.#waiting = undefined;
    }
    const line = this.#replies.shift();
    if (line !== undefined) return JSON.parse(line) as T;
    // Of a traceback the last line says what went wrong.
    const lines = this.#stderr.trim().split('\n');
    const error = lines.findLast((l) => /error|exception/i.test(l)) ?? lines.at(-1) ?? '';
    throw new Error([this.#ended, error.trim().slice(0, 300)].filter(Boolean).join(': '));
  }
}
