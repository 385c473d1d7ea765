import type { Scalar } from '../experiments/overrides.ts';
import type { TaskOutcome } from './local.ts';
import type { SweepPlan } from './plan.ts';
import { type SummaryOptions, SummaryTable } from './summary.ts';

/** A run of a sweep with its numbers, in plain JSON. */
export interface SweepRun {
  readonly settings: Readonly<Record<string, Scalar>>;
  readonly seed: number;
  /** Key in the store; null for a run that failed or was not reached. */
  readonly key: string | null;
  readonly status: 'finished' | 'failed' | 'missing';
  readonly metrics: Readonly<Record<string, number | undefined>>;
  readonly steps: number | null;
  readonly seconds: number | null;
  readonly checksum: string | null;
  readonly error: string | null;
  readonly reused: boolean;
}

/** What a sweep came to. */
export class SweepResult {
  readonly name: string;
  /** One for each task, in the order of the plan. */
  readonly runs: readonly SweepRun[];

  constructor(plan: SweepPlan, outcomes: readonly TaskOutcome[]) {
    const byIndex = new Map(outcomes.map((outcome) => [outcome.task.index, outcome]));
    this.name = plan.name;
    this.runs = plan.tasks.map(({ index, settings, seed }): SweepRun => {
      const { result, error } = byIndex.get(index) ?? {};
      return {
        settings,
        seed,
        key: result?.key ?? null,
        status: result ? 'finished' : error === undefined ? 'missing' : 'failed',
        metrics: result?.metrics ?? {},
        steps: result?.steps ?? null,
        seconds: result?.seconds ?? null,
        checksum: result?.checksum ?? null,
        error: error ?? null,
        reused: result?.reused ?? false,
      };
    });
  }

  /** Runs that failed, with the reason in `error`. */
  get failures(): readonly SweepRun[] {
    return this.runs.filter(({ status }) => status === 'failed');
  }

  /** Whether every run is there. */
  get complete(): boolean {
    return this.runs.every(({ status }) => status === 'finished');
  }

  /** Mean ± standard error over the seeds of each point of the grid. */
  summary(options: SummaryOptions = {}): SummaryTable {
    return new SummaryTable(this.runs, options);
  }

  /** In a notebook the value of a cell shows its summary. */
  [Symbol.for('Jupyter.display')](): Record<string, string> {
    return this.summary().bundle();
  }
}
