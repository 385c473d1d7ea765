import { InterruptedError } from '../core/errors.ts';
import { notebookProgress, type ProgressMaker } from '../core/notebook-progress.ts';
import { defaultRunsFolder } from '../experiments/runs-folder.ts';
import type { RunRecord } from '../train/store/record.ts';
import { RunStore } from '../train/store/run-store.ts';
import type { TaskResult } from './experiments.ts';
import { runLocally, type SweepEvents, type TaskOutcome } from './local.ts';
import { type SweepPlan, type SweepSpec, sweepPlan } from './plan.ts';
import { SweepDisplay } from './progress.ts';
import { publishedOutcomes, publishedSweepPath, readPublishedSweep } from './published.ts';
import { SweepResult } from './result.ts';
import { type RunDetails, runDetails } from './run-details.ts';

export interface SweepOptions extends SweepEvents {
  /** Place of the run store. Default: `GIBBS_STORE`, else `data/runs` of the project. */
  readonly root?: string;
  /** Processes at once, one thread each. Default: as many as there are cores. */
  readonly workers?: number;
  /** Seconds between checkpoints of a run. Default 30. */
  readonly checkpointSeconds?: number;
  /**
   * Takes results that were published from their file rather than train: `true` for the file of
   * this name in `data/checkpoints/sweeps`, or the path of one. A run that the store holds is taken
   * from there; one that is in neither is trained.
   */
  readonly published?: boolean | string;
  /** Makes a bar for the progress. Default: `display.progress` in a notebook, else lines of text. */
  readonly progress?: ProgressMaker;
  /** Shows nothing. */
  readonly quiet?: boolean;
  /** Stops all runs, each with a checkpoint. */
  readonly signal?: AbortSignal;
}

/**
 * Runs every point of a grid for every seed on this machine, and waits for the end. Runs that are in
 * the store already are reused; stopped or killed, the same sweep goes on where it was.
 *
 * ```ts
 * const result = await sweep({
 *   experiment: 'toy',
 *   grid: { 'diffusion.T': [1, 2, 4, 8], 'objective.divergence': ['kl', 'jeffreys'] },
 *   seeds: 3,
 * });
 * result.summary({ metrics: ['gridKl', 'mmd'] });
 * ```
 *
 * A run that fails is tried once more and then reported in `failures`; the others go on.
 * @throws ConfigError before anything is started, for an unknown experiment, setting or value.
 * @throws InterruptedError when stopped; every run has its checkpoint.
 * @throws StoreError when the store cannot be used.
 */
export async function sweep(spec: SweepSpec, options: SweepOptions = {}): Promise<SweepResult> {
  const plan = sweepPlan(spec);
  const { root = defaultRunsFolder(), published = false } = options;
  const given = published === false ? undefined : takePublished(plan, published, root);
  const outcomes = [...(given?.outcomes ?? [])];
  const taken = new Set(outcomes.map(({ task }) => task.index));
  const rest = { ...plan, tasks: plan.tasks.filter(({ index }) => !taken.has(index)) };
  if (rest.tasks.length > 0) outcomes.push(...(await trainAll(rest, root, options)));
  const result = new SweepResult(plan, outcomes, (key) => {
    const store = RunStore.find(root);
    return (store && runDetails(store, key)) ?? given?.details.get(key);
  });
  const missing = result.runs.filter(({ status }) => status === 'missing').length;
  if (missing > 0) {
    throw new InterruptedError(
      `sweep ${plan.name} stopped with ${missing} of ${plan.tasks.length} runs to go; checkpoints are kept, the same sweep goes on from there`,
    );
  }
  return result;
}

async function trainAll(
  plan: SweepPlan,
  root: string,
  options: SweepOptions,
): Promise<TaskOutcome[]> {
  const { quiet = false, progress = notebookProgress() } = options;
  // A store that cannot be used shall show before processes are started.
  RunStore.open(root);
  const bar = quiet ? undefined : progress?.(plan.tasks.length, { label: plan.name });
  const display = quiet ? undefined : new SweepDisplay(plan.tasks.length, process.stderr, bar);
  const outcomes = await runLocally(plan, { ...display, ...options, root });
  display?.end();
  return outcomes;
}

interface Given {
  readonly outcomes: readonly TaskOutcome[];
  readonly details: ReadonlyMap<string, RunDetails>;
}

/** The tasks that published results answer; where the store has the same run, by its record. */
function takePublished(plan: SweepPlan, published: true | string, root: string): Given {
  const path = published === true ? publishedSweepPath(plan.name) : published;
  const { outcomes, details } = publishedOutcomes(plan, readPublishedSweep(path));
  const store = RunStore.find(root);
  return {
    details,
    outcomes: outcomes.map((outcome) => {
      const kept = outcome.result && store?.get(outcome.result.key);
      return kept?.status === 'finished' ? { ...outcome, result: resultOf(kept) } : outcome;
    }),
  };
}

function resultOf({ key, result, step, seconds, checksum = '' }: RunRecord): TaskResult {
  const { metrics = {} } = result as { metrics?: TaskResult['metrics'] };
  return { key, metrics, steps: step, seconds, checksum, reused: true };
}
