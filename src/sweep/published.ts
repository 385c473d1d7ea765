import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { DataError, StoreError } from '../core/errors.ts';
import { toReadError, writeFileAtomic } from '../core/files.ts';
import { makeFolder } from '../core/folders.ts';
import { shippedFolder } from '../experiments/kept-run.ts';
import type { Scalar } from '../experiments/overrides.ts';
import type { Environment } from '../train/environment.ts';
import { canonicalJson } from '../train/run.ts';
import type { RunStore } from '../train/store/run-store.ts';
import { sweepExperiment, type TaskResult } from './experiments.ts';
import type { TaskOutcome } from './local.ts';
import { type SweepPlan, type SweepSpec, type SweepTask, sweepPlan } from './plan.ts';
import type { SweepResult } from './result.ts';
import { type DetailLimits, type RunDetails, runDetails } from './run-details.ts';

const FORMAT = 'gibbs-sweep-1';

/** One run of a published sweep. Plain JSON. */
export interface PublishedRun extends Omit<TaskResult, 'reused'> {
  readonly settings: Readonly<Record<string, Scalar>>;
  readonly seed: number;
  readonly details: Omit<RunDetails, 'environment'>;
  /** Place in the list of environments. */
  readonly environment: number;
}

/** The results of a sweep as one small file, to be looked at without its store. */
export interface PublishedSweep {
  readonly format: typeof FORMAT;
  readonly name: string;
  readonly spec: SweepSpec;
  /** What the runs were computed with and on. */
  readonly environments: readonly (Environment | null)[];
  /** In the order of the plan of `spec`. */
  readonly runs: readonly PublishedRun[];
}

/** Where the published results of a sweep of this name lie: `data/checkpoints/sweeps`. */
export function publishedSweepPath(name: string, folder: string = shippedFolder()): string {
  return join(folder, 'sweeps', `${name}.json`);
}

/**
 * Writes what is worth showing of a complete sweep: numbers, curves, some samples, and how each
 * run came about.
 * @throws StoreError when a run is missing, or the file cannot be written.
 */
export function publishSweep(
  plan: SweepPlan,
  result: SweepResult,
  store: RunStore,
  path: string,
  limits: DetailLimits = {},
): PublishedSweep {
  const environments: (Environment | null)[] = [];
  const runs = result.runs.map((run): PublishedRun => {
    const { settings, seed, key, metrics, steps, seconds, checksum } = run;
    const found = key === null ? undefined : runDetails(store, key, limits);
    if (key === null || !found) {
      throw new StoreError(
        `publishSweep: run ${key ?? JSON.stringify({ ...settings, seed })} of ${plan.name} is not finished in ${store.place}; run the sweep first`,
      );
    }
    const { environment = null, ...details } = found;
    let place = environments.findIndex((e) => canonicalJson(e) === canonicalJson(environment));
    if (place < 0) place = environments.push(environment) - 1;
    return {
      ...{ settings, seed, key, metrics },
      steps: steps ?? 0,
      seconds: seconds ?? 0,
      checksum: checksum ?? '',
      details,
      environment: place,
    };
  });
  const { name, spec } = plan;
  const published: PublishedSweep = { format: FORMAT, name, spec, environments, runs };
  makeFolder(dirname(path));
  // One run a line: a difference in version control shows which run it is in.
  const head = JSON.stringify({ format: FORMAT, name, spec, environments }, null, 1).slice(0, -2);
  const lines = runs.map((run) => JSON.stringify(run)).join(',\n');
  writeFileAtomic(path, `${head},\n "runs": [\n${lines}\n]}\n`);
  return published;
}

/** @throws DataError when the file is missing, damaged or of another format. */
export function readPublishedSweep(path: string): PublishedSweep {
  let found: Partial<PublishedSweep>;
  try {
    found = JSON.parse(readFileSync(path, 'utf8')) as Partial<PublishedSweep>;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw toReadError(error, path);
    throw new DataError(`${path} is damaged: ${error.message}`, { cause: error });
  }
  if (found.format !== FORMAT) {
    throw new DataError(`${path}: format ${found.format ?? 'unknown'}, expected ${FORMAT}`);
  }
  const { spec, runs } = found;
  if (!spec || !Array.isArray(runs) || sweepPlan(spec).tasks.length !== runs.length) {
    throw new DataError(`${path} is damaged: its runs are not those of its grid`);
  }
  return found as PublishedSweep;
}

/** What published results say of the tasks of a plan; other tasks are not among the outcomes. */
export function publishedOutcomes(
  plan: SweepPlan,
  published: PublishedSweep,
): { readonly outcomes: TaskOutcome[]; readonly details: ReadonlyMap<string, RunDetails> } {
  const { spec, runs, environments } = published;
  const same = plan.spec.experiment === spec.experiment;
  const known = new Map(
    same
      ? sweepPlan(spec).tasks.map((task, i) => [identityOf(spec.experiment, task), runs[i]])
      : [],
  );
  const details = new Map<string, RunDetails>();
  const outcomes = plan.tasks.flatMap((task): TaskOutcome[] => {
    const run = known.get(identityOf(plan.spec.experiment, task));
    if (!run) return [];
    const { key, metrics, steps, seconds, checksum } = run;
    const environment = environments[run.environment] ?? undefined;
    details.set(key, { ...run.details, environment });
    return [{ task, result: { key, metrics, steps, seconds, checksum, reused: true } }];
  });
  return { outcomes, details };
}

function identityOf(experiment: string, { options }: SweepTask): string {
  return canonicalJson([sweepExperiment(experiment).check(options), options.seed]);
}
