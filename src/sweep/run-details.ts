import type { Cifar10Config } from '../experiments/cifar10-config.ts';
import { cifar10Details, type ImageRunDetails } from '../experiments/cifar10-details.ts';
import { type ToyCurve, toyCurve } from '../experiments/toy-curve.ts';
import { noiseAuroc } from '../experiments/toy-detection.ts';
import type { ToyCommon } from '../experiments/toy-settings.ts';
import type { Environment } from '../train/environment.ts';
import type { RunRecord } from '../train/store/record.ts';
import type { RunStore } from '../train/store/run-store.ts';

/** What is known of a run of a sweep beside its final numbers. Plain JSON. */
export interface RunDetails {
  /** Means of its losses over stretches; absent where it logged none. */
  readonly curve?: ToyCurve;
  /** The first of its samples x0, y0, x1, y1, …, to two digits; absent unless they are in the plane. */
  readonly samples?: readonly number[];
  /** Distances and some samples of a run of `cifar10`, while its folder holds its samples. */
  readonly images?: ImageRunDetails;
  /**
   * Numbers computed from its arrays. `noiseAuroc`: how well the energy of a toy model tells data
   * from uniform noise on the square of its grid (see `noiseAuroc`). Of `cifar10`: see
   * `Cifar10Details`.
   */
  readonly numbers: Readonly<Record<string, number>>;
  /** Version of the code that computed it, when it ended (ISO 8601), and on what. */
  readonly code: string;
  readonly finished: string;
  readonly environment: Environment | undefined;
}

export interface DetailLimits {
  /** Stretches of a curve. Default 40. */
  readonly stretches?: number;
  /** Samples of a run. Default 120. */
  readonly samples?: number;
}

/**
 * A run of `cifar10` is measured here, which takes some seconds.
 * @returns undefined when the store does not hold the run, finished.
 */
export function runDetails(
  store: RunStore,
  key: string,
  { stretches = 40, samples = 120 }: DetailLimits = {},
): RunDetails | undefined {
  const record = store.get(key);
  if (record?.status !== 'finished') return undefined;
  const arrays = store.arrays(key);
  const session = record.sessions.at(-1);
  const points = arrays['samples'];
  const inThePlane = points?.shape.length === 2 && points.shape[1] === 2;
  const energy = arrays['logDensity'];
  const measured =
    record.experiment === 'cifar10'
      ? cifar10Details(store.folder(record), {
          ...{ config: record.config as Cifar10Config, seed: record.seed, arrays },
        })
      : undefined;
  return {
    curve: toyCurve(store.metrics(key), stretches),
    ...(inThePlane && {
      samples: Array.from(points.data.subarray(0, 2 * samples), (v) => Math.round(v * 100) / 100),
    }),
    ...(measured?.images && { images: measured.images }),
    numbers: measured?.numbers ?? (energy && derived(record, energy.data)) ?? {},
    code: record.code,
    finished: session?.ended ?? record.updated,
    environment: session && store.environment(session.environment),
  };
}

function derived({ experiment, config }: RunRecord, energy: ArrayLike<number>) {
  const auroc = experiment === 'toy' ? noiseAuroc(config as ToyCommon, energy) : undefined;
  return auroc === undefined ? undefined : { noiseAuroc: auroc };
}
