import { createHash } from 'node:crypto';
import { ConfigError, unknownName } from '../core/errors.ts';
import type { Overrides, Scalar } from '../experiments/overrides.ts';
import { canonicalJson } from '../train/run.ts';
import { type SweepExperiment, sweepExperiment } from './experiments.ts';

/** A grid of runs of one experiment. Plain JSON, also as a file. */
export interface SweepSpec {
  /** e.g. `'toy'`. */
  readonly experiment: string;
  /**
   * Values by setting, `{ 'diffusion.T': [1, 2, 4] }`; every combination is run. The names `method`,
   * `dataset` and `preset` may be among them.
   */
  readonly grid: Readonly<Record<string, readonly Scalar[]>>;
  /** How many seeds, from 0, or which ones. Default 1. */
  readonly seeds?: number | readonly number[];
  /** For all runs, unless the grid varies it. Default: the experiment's. */
  readonly preset?: string;
  readonly method?: string;
  readonly dataset?: string;
  /** Folder of MNIST's IDX files, for the experiments on MNIST. Default: the fetched one. */
  readonly data?: string;
  /** Settings of all runs, by dotted path. */
  readonly overrides?: Overrides;
  /** Default: the experiment and a hash of the grid. */
  readonly name?: string;
  /** What a task asks of a cluster; default by preset. */
  readonly slurm?: SlurmResources;
}

/** Resources of one task, in the words of `sbatch`. */
export interface SlurmResources {
  /** e.g. `'4:00:00'`. */
  readonly time?: string;
  /** e.g. `'2G'`. */
  readonly memory?: string;
  readonly partition?: string;
  readonly account?: string;
  /** Tasks at once; default: as many as the cluster gives. */
  readonly atOnce?: number;
  /** Further options of `sbatch`, as they are. */
  readonly options?: readonly string[];
}

/** One run of a sweep. */
export interface SweepTask {
  /** Place in the sweep, from 0: the last setting varies fastest, seeds faster still. */
  readonly index: number;
  /** The point of the grid. */
  readonly settings: Readonly<Record<string, Scalar>>;
  readonly seed: number;
  /** What the experiment is asked for. */
  readonly options: TaskOptions;
}

export interface TaskOptions {
  readonly method?: string;
  readonly dataset?: string;
  readonly preset?: string;
  readonly data?: string;
  readonly seed: number;
  readonly overrides: Overrides;
}

export interface SweepPlan {
  readonly name: string;
  readonly spec: SweepSpec;
  readonly tasks: readonly SweepTask[];
}

const FIELDS = [
  'experiment',
  'grid',
  'seeds',
  'preset',
  'method',
  'dataset',
  'data',
  'overrides',
  'name',
  'slurm',
];

/** Choices of an experiment that are no settings of its configuration. */
const CHOICES = ['method', 'dataset', 'preset'] as const;

/**
 * The runs of a sweep, each checked before any is started.
 * @throws ConfigError naming the field or setting that is unknown or out of range.
 */
export function sweepPlan(spec: SweepSpec): SweepPlan {
  const experiment = sweepExperiment(spec.experiment);
  for (const field of Object.keys(spec)) {
    if (!FIELDS.includes(field)) throw unknownName('field of a sweep', field, FIELDS);
  }
  const points = combinations(checkedGrid(spec.grid));
  const seeds = seedsOf(spec.seeds ?? 1);
  const tasks = points
    .flatMap((settings) => seeds.map((seed) => ({ settings, seed })))
    .map(({ settings, seed }, index) => {
      const options = optionsOf(spec, settings, seed);
      refuseChoices(spec.experiment, experiment, options);
      experiment.check(options);
      return { index, settings, seed, options };
    });
  const asked = new Set(tasks.map(({ options }) => canonicalJson(experiment.check(options))));
  if (asked.size * seeds.length !== tasks.length) {
    throw new ConfigError('sweep: two points of the grid are the same run; remove one of them');
  }
  const { name: _, slurm: __, data: ___, ...content } = spec;
  const hash = createHash('sha256').update(canonicalJson(content)).digest('hex').slice(0, 8);
  return { name: checkedName(spec.name ?? `${spec.experiment}-${hash}`), spec, tasks };
}

function checkedGrid(grid: unknown): Readonly<Record<string, readonly Scalar[]>> {
  if (typeof grid !== 'object' || grid === null || Array.isArray(grid)) {
    throw new ConfigError("sweep: 'grid' must be an object, e.g. { 'diffusion.T': [1, 2, 4] }");
  }
  for (const [path, values] of Object.entries(grid)) {
    const fine =
      Array.isArray(values) &&
      values.length > 0 &&
      values.every((value) => ['string', 'number', 'boolean'].includes(typeof value));
    if (!fine) throw new ConfigError(`sweep: grid '${path}' must be a list of one or more values`);
  }
  return grid as Readonly<Record<string, readonly Scalar[]>>;
}

function seedsOf(seeds: number | readonly number[]): readonly number[] {
  const list = Array.isArray(seeds)
    ? (seeds as readonly number[])
    : Array.from({ length: Math.max(0, Number(seeds)) || 0 }, (_, i) => i);
  const fine = list.length > 0 && list.every((seed) => Number.isSafeInteger(seed) && seed >= 0);
  if (fine && new Set(list).size === list.length) return list;
  throw new ConfigError(
    `sweep: 'seeds' must be a count of at least 1 or a list of different seeds, got ${JSON.stringify(seeds)}`,
  );
}

function combinations(
  grid: Readonly<Record<string, readonly Scalar[]>>,
): Readonly<Record<string, Scalar>>[] {
  return Object.entries(grid).reduce<Readonly<Record<string, Scalar>>[]>(
    (points, [path, values]) =>
      points.flatMap((point) => values.map((value) => ({ ...point, [path]: value }))),
    [{}],
  );
}

function optionsOf(
  spec: SweepSpec,
  settings: Readonly<Record<string, Scalar>>,
  seed: number,
): TaskOptions {
  const isChoice = (path: string) => (CHOICES as readonly string[]).includes(path);
  const own = Object.entries(settings).filter(([path]) => !isChoice(path));
  const choices = CHOICES.map((name) => [name, settings[name] ?? spec[name]] as const);
  return {
    ...Object.fromEntries(
      choices.filter(([, value]) => value !== undefined).map(([name, value]) => [name, `${value}`]),
    ),
    ...(spec.data !== undefined && { data: spec.data }),
    seed,
    overrides: { ...spec.overrides, ...Object.fromEntries(own) },
  };
}

/** A choice that an experiment does not have would be ignored, run after run. */
function refuseChoices(name: string, { choices }: SweepExperiment, options: TaskOptions): void {
  for (const choice of ['method', 'dataset', 'data'] as const) {
    if (options[choice] !== undefined && !choices.includes(choice)) {
      throw new ConfigError(
        `sweep: experiment '${name}' has no '${choice}' to choose, got '${options[choice]}'`,
      );
    }
  }
}

function checkedName(name: string): string {
  if (/^[\w.-]+$/.test(name)) return name;
  throw new ConfigError(
    `sweep: 'name' may hold letters, digits, '.', '-' and '_' only, got '${name}'`,
  );
}
