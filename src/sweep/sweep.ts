import { InterruptedError } from '../core/errors.ts';
import { defaultRunsFolder } from '../experiments/runs-folder.ts';
import { RunStore } from '../train/store/run-store.ts';
import { runLocally, type SweepEvents } from './local.ts';
import { type SweepSpec, sweepPlan } from './plan.ts';
import { type ProgressBar, SweepDisplay } from './progress.ts';
import { SweepResult } from './result.ts';

export interface SweepOptions extends SweepEvents {
  /** Place of the run store. Default: `GIBBS_STORE`, else `data/runs` of the project. */
  readonly root?: string;
  /** Processes at once, one thread each. Default: as many as there are cores. */
  readonly workers?: number;
  /** Seconds between checkpoints of a run. Default 30. */
  readonly checkpointSeconds?: number;
  /** Makes a bar for the progress, e.g. `display.progress` of a notebook; default: lines of text. */
  readonly progress?: (total: number, options: { readonly label: string }) => ProgressBar;
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
  const { root = defaultRunsFolder(), quiet = false, progress } = options;
  // A store that cannot be used shall show before processes are started.
  RunStore.open(root);
  const bar = quiet ? undefined : progress?.(plan.tasks.length, { label: plan.name });
  const display = quiet ? undefined : new SweepDisplay(plan.tasks.length, process.stderr, bar);
  const outcomes = await runLocally(plan, { ...display, ...options, root });
  display?.end();
  const result = new SweepResult(plan, outcomes);
  const missing = result.runs.filter(({ status }) => status === 'missing').length;
  if (missing > 0) {
    throw new InterruptedError(
      `sweep ${plan.name} stopped with ${missing} of ${plan.tasks.length} runs to go; checkpoints are kept, the same sweep goes on from there`,
    );
  }
  return result;
}
