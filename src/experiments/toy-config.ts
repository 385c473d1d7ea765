import { ConfigError, unknownName } from '../core/errors.ts';
import { toyName } from '../datasets/toy.ts';
import type { Ddaebm } from '../objectives/ddaebm.ts';
import type { Objective } from '../objectives/objective.ts';
import { constant, cosineAnnealing } from '../optim/schedules.ts';
import { checkCounts, type Overrides, withOverrides } from './overrides.ts';
import { type ToyConfigs, type ToyMethod, toyMethod, toyMethodSpec } from './toy-methods.ts';
import { REVISION, type ToyCommon } from './toy-settings.ts';

/** All that decides the numbers of a toy run, beside its seed. Plain JSON. */
export type ToyConfig<M extends ToyMethod = 'ddaebm'> = ToyConfigs[M];

/** `smoke`: seconds, teaches nothing. `quick`: minutes. `paper`: as published. */
export const TOY_PRESETS = ['smoke', 'quick', 'paper'] as const;

export type ToyPreset = (typeof TOY_PRESETS)[number];

/** @throws ConfigError listing the presets, for any other name. */
export function toyPreset(name: string): ToyPreset {
  if ((TOY_PRESETS as readonly string[]).includes(name)) return name as ToyPreset;
  throw unknownName('preset', name, TOY_PRESETS);
}

export interface ToyChoice<M extends ToyMethod = ToyMethod> {
  /** Default `ddaebm`. */
  readonly method?: M;
  /** Default `25gaussians`. */
  readonly dataset?: string;
  /** Default `quick`. */
  readonly preset?: string;
  /** Changes to the preset by dotted path, e.g. `{ 'diffusion.betaMax': 20 }`. */
  readonly overrides?: Overrides;
}

/**
 * The full configuration of a preset of a method.
 * @param options a text among the overrides is read as the setting's own type.
 * @throws ConfigError for an unknown method, data set, preset or setting (which lists those of the
 * method), or a value out of range.
 */
export function toyConfig<M extends ToyMethod = 'ddaebm'>(
  options: ToyChoice<M> = {},
): ToyConfig<M> {
  const { preset = 'quick', overrides = {} } = options;
  const spec = toyMethodSpec(toyMethod(options.method ?? 'ddaebm'));
  const dataset = toyName(options.dataset ?? spec.paper.dataset);
  const quick = { ...spec.quick, ...spec.quickFor?.[dataset] };
  const changes = { smoke: spec.smoke, quick, paper: {} }[toyPreset(preset)];
  const base = withOverrides(spec.paper, changes);
  const config = withOverrides({ ...base, dataset: dataset as string }, overrides);
  const resolved: ToyCommon = { ...config, dataset: toyName(config.dataset) };
  check(resolved, spec.paper.method);
  return resolved as ToyConfig<M>;
}

/** The training method of a configuration. @throws ConfigError naming an option out of range. */
export function toyObjective(config: ToyConfig): Ddaebm;
export function toyObjective(config: ToyConfig<ToyMethod>): Objective;
export function toyObjective(config: ToyConfig<ToyMethod>): Objective {
  return toyMethodSpec(config.method).build(config);
}

/** Learning rates of an iteration, as the scalars of the state that hold them. */
export function toyRates(config: ToyConfig<ToyMethod>): (step: number) => Record<string, number> {
  const { energyPlayers, generatorPlayers } = toyMethodSpec(config.method);
  const optimizer: ToyCommon['optimizer'] = config.optimizer;
  const { schedule, finalShare, holdShare } = optimizer;
  const held = Math.floor(config.steps * holdShare);
  const rate = (top: number) =>
    schedule === 'cosine'
      ? cosineAnnealing(top, Math.max(1, config.steps - held), top * finalShare)
      : constant(top);
  const all = [
    ...energyPlayers.map((player) => [player, rate(optimizer.energyRate)] as const),
    ...generatorPlayers.map((player) => [player, rate(optimizer.generatorRate ?? 0)] as const),
  ];
  return (step) =>
    Object.fromEntries(
      all.map(([player, at]) => [`${player}/adam/learningRate`, at(Math.max(0, step - held))]),
    );
}

function check(config: ToyCommon, method: string): void {
  const { evaluation, optimizer } = config;
  const sections = config as unknown as Record<string, Record<string, unknown> | undefined>;
  const counts: Record<string, readonly [value: unknown, least: number]> = {
    steps: [config.steps, 0],
    'evaluation.samples': [evaluation.samples, 1],
    'evaluation.sampleBatch': [evaluation.sampleBatch, 2],
    'evaluation.gridSize': [evaluation.gridSize, 2],
  };
  for (const [section, names] of Object.entries(COUNTS)) {
    for (const name of names) {
      const value = sections[section]?.[name];
      if (value !== undefined) counts[`${section}.${name}`] = [value, 1];
    }
  }
  checkCounts(counts);
  if (!['constant', 'cosine'].includes(optimizer.schedule)) {
    throw unknownName('optimizer.schedule', optimizer.schedule, ['constant', 'cosine']);
  }
  if (!(optimizer.holdShare >= 0 && optimizer.holdShare <= 1)) {
    throw new ConfigError(
      `setting 'optimizer.holdShare' must be in 0 .. 1, got ${optimizer.holdShare}`,
    );
  }
  if (config.revision !== REVISION || config.method !== method) {
    throw new ConfigError("settings 'revision' and 'method' cannot be changed");
  }
  // Everything else is checked where it is used; a fault shall show before anything is written.
  toyObjective(config as ToyConfig<ToyMethod>);
}

/** Settings that count something, wherever a method has them. */
const COUNTS = {
  network: ['latentDim', 'width', 'layers'],
  sampling: ['steps'],
  objective: ['energySteps', 'importanceSamples', 'particles', 'chainSteps', 'T'],
} as const;
