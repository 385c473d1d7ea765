import { InterruptedError, ParallelError } from '../core/errors.ts';
import type { HostTensor } from '../core/host-tensor.ts';
import { isInterrupted, shield } from '../core/interrupt.ts';
import type { Key } from '../core/random.ts';
import type { Executor } from '../jit/index.ts';
import type { HostState, Objective } from '../objectives/objective.ts';
import { agreedError, RankDone } from './parallel/ranks.ts';
import { resumedTogether } from './parallel/resume.ts';
import type { Parallel } from './parallel/team.ts';
import type { MetricsRow, TrainingRun } from './run.ts';
import { Session } from './session.ts';

/** Where a training stands; handed to `onProgress` a few times a second. */
export interface Progress {
  /** `compile` before the first iteration, `train` after, `done` once at the end. */
  readonly phase: 'compile' | 'train' | 'done';
  readonly step: number;
  /** Share of the iteration under way that is done, where it is made in parts. */
  readonly share?: number;
  readonly steps: number;
  /** Iterations per second over the last seconds; 0 while unknown. */
  readonly stepsPerSecond: number;
  /** Seconds to go at that speed; undefined while unknown. */
  readonly etaSeconds: number | undefined;
  /** Seconds of training so far, earlier sessions of a resumed run included. */
  readonly seconds: number;
  /** Running means of the metrics since the last row of the log. */
  readonly metrics: Readonly<Record<string, number>>;
}

export interface TrainOptions<State> {
  readonly objective: Objective<State>;
  /** A batch of shape `objective.batchShape`, a pure function of its key. */
  readonly data: (key: Key) => HostTensor;
  /** Iterations in all, those before a resume included. */
  readonly steps: number;
  readonly seed: number;
  /** Where checkpoints and metrics go; without it nothing is kept. */
  readonly run?: TrainingRun;
  /**
   * Scalars of the state to set before an iteration, by path, e.g. a learning rate
   * `{ 'energy/adam/learningRate': 1e-4 }`. A pure function of the iteration.
   */
  readonly scalars?: (step: number) => Readonly<Record<string, number>>;
  /** Iterations per row of the metric log. Default 100. */
  readonly logEvery?: number;
  /** Seconds between checkpoints. Default 30. */
  readonly checkpointSeconds?: number;
  /** Iterations between checkpoints, beside the seconds. Default: none. */
  readonly checkpointSteps?: number;
  /** Default: that of `jit`. */
  readonly executor?: Executor;
  /**
   * The other processes of the job, each of which trains with the same options and takes a share of
   * each batch, and the parts that this share is worked off in. The numbers are those of one process
   * that takes whole batches, but for rounding. Rank 0 alone writes.
   */
  readonly parallel?: Parallel<State>;
  readonly onProgress?: (progress: Progress) => void;
  /** Stops after the current iteration, with a checkpoint. */
  readonly signal?: AbortSignal;
}

export interface TrainResult {
  readonly state: HostState;
  readonly step: number;
  /** SHA-256 of the state: equal exactly when two runs ended bit-identical. */
  readonly checksum: string;
  /** Seconds of training over all sessions, compilation included. */
  readonly seconds: number;
  /** The step this session started from (0: the beginning). */
  readonly resumedFrom: number;
  /** The last row of the metric log. */
  readonly metrics: MetricsRow | undefined;
}

/** The step is a synchronous call: this often other work of the process gets its turn. */
const YIELD_MS = 50;

/**
 * Trains: one jitted call of `objective.step` per iteration, noise and data drawn on the host by
 * (seed, stream, iteration). Deterministic: an interrupted and resumed run ends bit-identical to
 * an uninterrupted one, metric log included.
 * @throws NumericError naming iteration and tensor when a metric or the state becomes NaN or
 * infinite; the last good checkpoint stays.
 * @throws InterruptedError after a stop through `signal`; a checkpoint was written.
 * @throws StoreError when the run's place cannot be written.
 */
export async function train<State>(options: TrainOptions<State>): Promise<TrainResult> {
  const { parallel } = options;
  const several = parallel !== undefined && parallel.ranks.size > 1;
  const session = new Session(several ? await resumedTogether(options, parallel) : options);
  const stopAsked = () => options.signal?.aborted === true || isInterrupted();
  try {
    session.report('compile');
    let lastYield = performance.now();
    while (session.step < options.steps) {
      if (parallel ? session.stopAgreed : stopAsked()) stop(session, options.run !== undefined);
      if (parallel) await together(session, stopAsked, options.run !== undefined);
      else shield(() => session.iterate());
      if (performance.now() - lastYield >= YIELD_MS) {
        session.report('train');
        await new Promise((resolve) => setImmediate(resolve));
        lastYield = performance.now();
      }
    }
    shield(() => session.save());
    session.report('done');
    if (parallel?.leave && parallel.ranks.rank > 0) throw agreedError(new RankDone());
    return session.result();
  } finally {
    session.dispose();
  }
}

function stop<State>(session: Session<State>, kept: boolean): never {
  shield(() => session.save());
  const state = kept ? ', the checkpoint is kept: the same run resumes there' : '';
  throw agreedError(new InterruptedError(`training stopped at iteration ${session.step}${state}`));
}

/** An iteration with the other ranks; when one of them is lost, what is there is kept. */
async function together<State>(
  session: Session<State>,
  stopAsked: () => boolean,
  kept: boolean,
): Promise<void> {
  try {
    await shield(() => session.iterateTogether(stopAsked));
  } catch (error) {
    if (error instanceof InterruptedError) stop(session, kept);
    if (!(error instanceof ParallelError)) throw error;
    session.save();
    throw new ParallelError(
      `training ended at iteration ${session.step}: ${error.message}; the checkpoint is kept: the same command goes on there, on any number of ranks`,
      { cause: error },
    );
  }
}
