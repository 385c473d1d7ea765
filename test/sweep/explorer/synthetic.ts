import { uniform } from '../../../src/core/random.ts';
import { toyConfig } from '../../../src/experiments/toy-config.ts';
import { runKey } from '../../../src/train/run.ts';
import type { RunRecord } from '../../../src/train/store/record.ts';
import type { RunStore } from '../../../src/train/store/run-store.ts';

const GRID = {
  T: [1, 2, 4, 8],
  divergence: ['kl', 'jeffreys'],
  dataset: ['25gaussians', 'pinwheel', 'swissroll'],
  width: [64, 128, 256],
} as const;

/** Rows of a series. */
const ROWS = 40;
const STEPS = 4000;

export interface SyntheticOptions {
  /** Rows of the series of every run. Default 0: none. */
  readonly rows?: number;
}

/**
 * Writes `count` runs as a sweep of the toy experiment would, without training: configurations are
 * real ones, numbers are drawn. One in forty has failed, one in fifty stopped, one in seventy died.
 * @returns their keys.
 */
export function syntheticRuns(
  store: RunStore,
  count: number,
  { rows = 0 }: SyntheticOptions = {},
): string[] {
  const start = Date.UTC(2026, 0, 5);
  const configs = configurations();
  return store.database.write(() =>
    Array.from({ length: count }, (_, i) => {
      const { config, T, jeffreys, width } = configs[i % configs.length];
      const seed = Math.floor(i / configs.length);
      const identity = { experiment: 'toy', config, seed, code: 'c0dec0dec0dec0de' };
      const key = runKey(identity);
      const [a, b, c] = uniform({ seed: i, stream: 'synthetic', step: 0 }, 3);
      const kl = (0.9 / (1 + T) + 30 / width ** 1.2) * (0.7 + 0.6 * a) * (jeffreys ? 0.85 : 1);
      const status = statusOf(i);
      const done = status === 'finished';
      const created = new Date(start + 60_000 * i).toISOString();
      const updated = new Date(start + 60_000 * i + 50_000 * (0.5 + b)).toISOString();
      const step = done ? STEPS : Math.floor(STEPS * c * 0.9);
      const record: Omit<RunRecord, 'change'> = {
        ...identity,
        key,
        ...{ created, updated, step, folder: key, files: {}, starts: 1 },
        status: status === 'dead' ? 'running' : status,
        seconds: 20 + 30 * b,
        sessions: [
          { started: created, ended: updated, pid: 1, host: 'synthetic', environment: '' },
        ],
        labels: { preset: 'quick', sweep: i % 2 === 0 ? 'ablation' : 'weights' },
        ...(status === 'failed' && { error: `the energy loss is NaN at iteration ${step}` }),
        ...(done && {
          result: {
            metrics: {
              gridKl: kl,
              mmd: kl * kl * 0.01 * (0.5 + b),
              modesCovered: Math.max(3, Math.round(25 - 14 * kl * c)),
              shareWithin4Sigma: Math.max(0, 1 - 0.5 * kl),
            },
          },
          checksum: key.padEnd(64, '0'),
        }),
      };
      store.update(key, (_before, inside) => {
        for (let row = 1; row <= rows; row++) inside.putMetrics(rowAt((STEPS / ROWS) * row, i));
        return record;
      });
      return key;
    }),
  );
}

function statusOf(i: number) {
  if (i % 40 === 7) return 'failed';
  if (i % 50 === 11) return 'stopped';
  return i % 70 === 13 ? 'dead' : 'finished';
}

/** A row that falls and wavers as losses do. */
export function rowAt(step: number, salt: number) {
  const [a, b, c] = uniform({ seed: salt, stream: 'row', step }, 3);
  const fall = Math.exp(-step / 900);
  return {
    step,
    energyLoss: 0.69 + 0.6 * fall + 0.08 * (a - 0.5),
    generatorLoss: 0.7 + 0.9 * fall + 0.2 * (b - 0.5),
    gradientPenalty: 0.002 + 0.8 * fall * (0.5 + c),
    gradNorm: 0.05 * (1 + 20 * fall) * (0.5 + a),
  };
}

function configurations() {
  return GRID.T.flatMap((T) =>
    GRID.divergence.flatMap((divergence) =>
      GRID.dataset.flatMap((dataset) =>
        GRID.width.map((width) => ({
          ...{ T, width, jeffreys: divergence === 'jeffreys' },
          config: toyConfig({
            dataset,
            overrides: {
              'diffusion.T': T,
              'objective.divergence': divergence,
              'network.width': width,
            },
          }),
        })),
      ),
    ),
  );
}
