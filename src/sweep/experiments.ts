import { unknownName } from '../core/errors.ts';
import { toyConfig } from '../experiments/toy-config.ts';
import { toyMethod } from '../experiments/toy-methods.ts';
import type { Progress } from '../train/loop.ts';
import type { TaskOptions } from './plan.ts';

/** How a run is carried out and kept. */
export interface TaskPlace {
  readonly root: string;
  readonly plain?: boolean;
  readonly labels?: Readonly<Record<string, string>>;
  readonly checkpointSeconds?: number;
  readonly onProgress?: (progress: Progress) => void;
  readonly onNotice?: (text: string) => void;
  readonly signal?: AbortSignal;
}

/** What a run of a sweep came to. Plain JSON. */
export interface TaskResult {
  /** Key of the run in its store. */
  readonly key: string;
  readonly metrics: Readonly<Record<string, number | undefined>>;
  readonly steps: number;
  readonly seconds: number;
  /** SHA-256 of the final state. */
  readonly checksum: string;
  /** Whether the result was there already. */
  readonly reused: boolean;
}

/** An experiment that can be swept. */
export interface SweepExperiment {
  /** @returns the resolved configuration. @throws ConfigError. */
  check(options: TaskOptions): object;
  run(options: TaskOptions, place: TaskPlace): Promise<TaskResult>;
}

const EXPERIMENTS: Readonly<Record<string, SweepExperiment>> = {
  toy: {
    check: (options) => toyConfig(toyChoice(options)),
    async run(options, place) {
      // The engine is loaded by the processes that train, not by those that plan.
      const { runToy } = await import('../experiments/toy.ts');
      const choice = { ...toyChoice(options), seed: options.seed };
      const { key, metrics, steps, seconds, checksum, reused } = await runToy({
        ...choice,
        ...place,
      });
      return { key, metrics: { ...metrics }, steps, seconds, checksum, reused };
    },
  },
};

/** @throws ConfigError listing the experiments, for any other name. */
export function sweepExperiment(name: string): SweepExperiment {
  if (typeof name === 'string' && Object.hasOwn(EXPERIMENTS, name)) return EXPERIMENTS[name];
  throw unknownName('experiment', String(name), Object.keys(EXPERIMENTS));
}

function toyChoice({ method, dataset, preset, overrides }: TaskOptions) {
  return {
    ...(method !== undefined && { method: toyMethod(method) }),
    dataset,
    preset,
    overrides,
  };
}
