import { ConfigError, DataError } from '../core/errors.ts';
import type { HostState, Objective } from '../objectives/objective.ts';
import { readLatestCheckpoint } from '../train/checkpoint.ts';
import { celeba64 } from './celeba64.ts';
import { type Cifar10Config, cifar10Objective } from './cifar10-config.ts';
import { type DrlImageConfig, drlImageObjective } from './drl-config.ts';
import { lsunChurch } from './lsun-church.ts';
import type { NiceMethod } from './nice-methods.ts';
import { niceMethodSpec } from './nice-methods.ts';
import type { NiceCommon } from './nice-settings.ts';
import type { PictureConfig } from './picture-experiment.ts';
import { type StackedConfig, stackedObjective } from './stacked-config.ts';
import { type ToyConfig, toyObjective } from './toy-config.ts';
import type { ToyMethod } from './toy-methods.ts';

const OBJECTIVES: Readonly<Record<string, (config: never) => unknown>> = {
  toy: (config: ToyConfig<ToyMethod>) => toyObjective(config),
  cifar10: (config: Cifar10Config) => cifar10Objective(config),
  drl: (config: DrlImageConfig) => drlImageObjective(config),
  celeba64: (config: PictureConfig) => celeba64.objective(config),
  'lsun-church': (config: PictureConfig) => lsunChurch.objective(config),
  stacked: (config: StackedConfig) => stackedObjective(config),
  nice: (config: NiceCommon & { method: NiceMethod }) =>
    niceMethodSpec(config.method).build(config),
};

/** Experiments whose runs have networks that can be taken out. */
export const EXPORTABLE: readonly string[] = Object.keys(OBJECTIVES);

/** The training method of a run, as its configuration says. @throws ConfigError for another kind. */
export function runObjective(experiment: string, config: unknown): Objective {
  const build = Object.hasOwn(OBJECTIVES, experiment) ? OBJECTIVES[experiment] : undefined;
  if (build === undefined) {
    throw new ConfigError(
      `runs of '${experiment}' have no networks to take out (${EXPORTABLE.join(', ')} have)`,
    );
  }
  return build(config as never) as Objective;
}

/**
 * The last state of a run, from its folder.
 * @throws DataError when no checkpoint is left there.
 */
export function lastState(
  objective: Objective,
  folder: string,
  seed: number,
): { readonly state: HostState; readonly step: number } {
  const kept = readLatestCheckpoint(folder, objective.init(seed));
  if (kept !== undefined) return { state: kept.state, step: kept.step };
  throw new DataError(
    `${folder}: there is no checkpoint of the run; train it again with --fresh, its result alone was kept`,
  );
}
