import type { Scalar } from '../experiments/overrides.ts';
import type { TaskOutcome } from './local.ts';
import type { SweepPlan } from './plan.ts';
import type { RunDetails } from './run-details.ts';
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

/** The runs behind a figure: what they are, when and on what they were computed. */
export interface SweepProvenance {
  readonly sweep: string;
  readonly runs: readonly (Pick<
    SweepRun,
    'key' | 'status' | 'settings' | 'seed' | 'steps' | 'checksum'
  > & {
    readonly code?: string;
    readonly finished?: string;
    readonly commit?: string;
    readonly dirty?: boolean;
    readonly cpu?: string;
  })[];
}

/** Finds what is known of a run beside its numbers. */
export type DetailsOf = (key: string) => RunDetails | undefined;

/** What a sweep came to. */
export class SweepResult {
  readonly name: string;
  /** One for each task, in the order of the plan. */
  readonly runs: readonly SweepRun[];
  readonly #details: DetailsOf;
  readonly #known = new Map<string, RunDetails>();

  /** @param details are asked for one run at a time, and only when somebody looks. */
  constructor(
    plan: SweepPlan,
    outcomes: readonly TaskOutcome[],
    details: DetailsOf = () => undefined,
  ) {
    this.#details = details;
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

  /** Learning curve, samples, origin and derived numbers of a run; undefined unless it is finished. */
  details({ key }: Pick<SweepRun, 'key'>): RunDetails | undefined {
    if (key === null) return undefined;
    const details = this.#known.get(key) ?? this.#details(key);
    // Those of images are measured when they are asked for.
    if (details) this.#known.set(key, details);
    return details;
  }

  /** The runs with the numbers of their `details` among their metrics. */
  measured(): SweepRun[] {
    return this.runs.map((run) => ({
      ...run,
      metrics: { ...run.metrics, ...this.details(run)?.numbers },
    }));
  }

  /** What a figure of this sweep was made from, in plain JSON, for its metadata. */
  provenance(): SweepProvenance {
    return {
      sweep: this.name,
      runs: this.runs.map((run) => {
        const { settings, seed, key, status, steps, checksum } = run;
        const { code, finished, environment } = this.details(run) ?? {};
        const { commit, dirty, cpu } = environment ?? {};
        return { key, status, settings, seed, steps, checksum, code, finished, commit, dirty, cpu };
      }),
    };
  }

  /**
   * Mean ± standard error over the seeds of each point of the grid. A metric that is asked for and
   * that no run has is looked for among the numbers of their `details`.
   */
  summary(options: SummaryOptions = {}): SummaryTable {
    const derived = options.metrics?.some((name) =>
      this.runs.every(({ metrics }) => metrics[name] === undefined),
    );
    return new SummaryTable(derived ? this.measured() : this.runs, options);
  }

  /** In a notebook the value of a cell shows its summary. */
  [Symbol.for('Jupyter.display')](): Record<string, string> {
    return this.summary().bundle();
  }
}
