import { unknownName } from '../core/errors.ts';
import { celeba64 } from '../experiments/celeba64.ts';
import { cifar10Config } from '../experiments/cifar10-config.ts';
import { drlImageConfig } from '../experiments/drl-config.ts';
import { edDensityConfigs } from '../experiments/ed-density-config.ts';
import type { KeptRun, KeptRunOptions } from '../experiments/kept-run.ts';
import { latentPriorConfig } from '../experiments/latent-prior-config.ts';
import { lsunChurch } from '../experiments/lsun-church.ts';
import { niceConfig } from '../experiments/nice.ts';
import { type Overrides, withOverrides } from '../experiments/overrides.ts';
import type { PictureExperiment } from '../experiments/picture-experiment.ts';
import { stackedConfig } from '../experiments/stacked-config.ts';
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
  /** The choices it has beside settings; any other is refused. */
  readonly choices: readonly ('method' | 'dataset' | 'data')[];
  /** @returns the resolved configuration. @throws ConfigError. */
  check(options: TaskOptions): object;
  /** The trainings and their data are loaded by the processes that train, not by those that plan. */
  run(options: TaskOptions, place: TaskPlace): Promise<TaskResult>;
}

const EXPERIMENTS: Readonly<Record<string, SweepExperiment>> = {
  toy: {
    choices: ['method', 'dataset'],
    check: (options) => toyConfig(toyChoice(options)),
    async run(options, place) {
      const { runToy } = await import('../experiments/toy.ts');
      const choice = { ...toyChoice(options), seed: options.seed };
      const { key, metrics, steps, seconds, checksum, reused } = await runToy({
        ...choice,
        ...place,
      });
      return { key, metrics: { ...metrics }, steps, seconds, checksum, reused };
    },
  },
  nice: {
    choices: ['method', 'data'],
    check: (options) => niceConfig(options),
    async run(options, place) {
      const { runNice } = await import('../experiments/nice.ts');
      return resultOf((await runNice({ ...options, ...kept(place) })).run);
    },
  },
  stacked: {
    choices: ['method', 'data'],
    check: ({ method, preset, overrides }) => stackedConfig(method, preset, overrides),
    async run(options, place) {
      const { runStacked } = await import('../experiments/stacked.ts');
      return resultOf((await runStacked({ ...options, ...kept(place) })).run);
    },
  },
  'latent-prior': {
    choices: ['data'],
    check: ({ preset, overrides }) => latentPriorConfig(preset, overrides),
    async run(options, place) {
      const { runLatentPrior } = await import('../experiments/latent-prior.ts');
      return resultOf((await runLatentPrior({ ...options, ...kept(place) })).run);
    },
  },
  cifar10: {
    choices: ['data'],
    check: ({ preset, overrides }) => cifar10Config(preset, overrides),
    async run(options, place) {
      const { runCifar10 } = await import('../experiments/cifar10.ts');
      const { run, numbers } = await runCifar10({ ...options, ...kept(place) });
      return { ...resultOf(run), metrics: scalars(numbers.series[numbers.series.length - 1]) };
    },
  },
  drl: {
    choices: ['data'],
    check: ({ preset, overrides }) => drlImageConfig(preset, overrides),
    async run(options, place) {
      const { runDrl } = await import('../experiments/drl-cifar10.ts');
      const { run, numbers } = await runDrl({ ...options, ...kept(place) });
      return { ...resultOf(run), metrics: scalars(numbers.series[numbers.series.length - 1]) };
    },
  },
  celeba64: pictures(celeba64),
  'lsun-church': pictures(lsunChurch),
  'ed-density': {
    choices: ['method'],
    check: edConfig,
    async run(options, place) {
      const { edDensityRun } = await import('../experiments/ed-density.ts');
      const config = edConfig(options);
      const { seed } = options;
      return resultOf(
        (await edDensityRun(config, config.method.name, { seed, ...kept(place) })).run,
      );
    },
  },
};

function pictures({ config, run }: PictureExperiment): SweepExperiment {
  return {
    choices: ['data'],
    check: ({ preset, overrides }) => config(preset, overrides),
    async run(options, place) {
      const { run: trained, numbers } = await run({ ...options, ...kept(place) });
      return { ...resultOf(trained), metrics: scalars(numbers.series[numbers.series.length - 1]) };
    },
  };
}

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

/** The settings of a method of Energy Discrepancy begin with this, e.g. `method.stabiliser`. */
const OF_METHOD = 'method.';

function edConfig({ method = 'energy-discrepancy', preset, overrides }: TaskOptions) {
  const split = (own: boolean): Overrides =>
    Object.fromEntries(
      Object.entries(overrides).filter(([path]) => path.startsWith(OF_METHOD) === own),
    );
  const all = edDensityConfigs({ preset, overrides: split(false) });
  const found = all.find((config) => config.method.name === method);
  if (!found) {
    throw unknownName(
      'method',
      method,
      all.map((config) => config.method.name),
    );
  }
  return withOverrides(found, split(true));
}

/** A shard must hold its run, so there a result that came with the project is no substitute. */
function kept(place: TaskPlace): KeptRunOptions {
  return place.plain ? { ...place, shipped: null } : place;
}

function resultOf({ key, numbers, steps, seconds, checksum, origin }: KeptRun<object, object>) {
  const reused = origin !== 'trained';
  return { key, metrics: scalars(numbers), steps, seconds, checksum, reused };
}

/** The numbers in a tree by dotted path; series are left out. */
function scalars(tree: object, prefix = ''): Record<string, number> {
  const found: Record<string, number> = {};
  for (const [name, value] of Object.entries(tree)) {
    if (typeof value === 'number') found[`${prefix}${name}`] = value;
    else if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
      Object.assign(found, scalars(value as object, `${prefix}${name}.`));
    }
  }
  return found;
}
