import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { HostState } from '../objectives/objective.ts';
import type { Checkpoint } from '../train/checkpoint.ts';
import type { MetricsRow, OpenRun, TrainingRun } from '../train/run.ts';

const SERIES = 'evaluation.json';

/**
 * A run folder that evaluates the state at every so many iterations, when it is handed a
 * checkpoint; the rows so far are kept in the folder and cut back when the run resumes earlier.
 */
export class EvaluatedRun<Row extends { readonly step: number }> implements TrainingRun {
  readonly #run: OpenRun;
  readonly #every: number;
  readonly #measure: (state: HostState, step: number) => Row;
  #series: Row[] = [];

  /** @param every iterations between evaluations; the training must hand in a checkpoint at each. */
  constructor(run: OpenRun, every: number, measure: (state: HostState, step: number) => Row) {
    this.#run = run;
    this.#every = every;
    this.#measure = measure;
  }

  get series(): readonly Row[] {
    return this.#series;
  }

  restore(template: HostState): Checkpoint | undefined {
    const found = this.#run.restore(template);
    const path = join(this.#run.folder, SERIES);
    const kept = found && existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as Row[]) : [];
    this.#series = kept.filter(({ step }) => step <= (found?.step ?? -1));
    if (found === undefined) this.#evaluate(template, 0);
    return found;
  }

  save(checkpoint: Checkpoint): void {
    if (checkpoint.step % this.#every === 0) this.#evaluate(checkpoint.state, checkpoint.step);
    this.#run.save(checkpoint);
  }

  log(row: MetricsRow): void {
    this.#run.log(row);
  }

  #evaluate(state: HostState, step: number): void {
    if (this.#series.some((row) => row.step === step)) return;
    this.#series.push(this.#measure(state, step));
    // Before the checkpoint: a row too many is dropped when the run resumes, a missing one is lost.
    this.#run.write(SERIES, JSON.stringify(this.#series));
  }
}
