import type { HostTensor } from '../../../src/core/host-tensor.ts';
import type { Key } from '../../../src/core/random.ts';
import { toyBatch } from '../../../src/datasets/toy.ts';
import { toyConfig, toyObjective } from '../../../src/experiments/toy-config.ts';
import type { ToyMethod } from '../../../src/experiments/toy-methods.ts';
import type { Checkpoint } from '../../../src/train/checkpoint.ts';
import { type Progress, type TrainResult, train } from '../../../src/train/loop.ts';
import { ALONE } from '../../../src/train/parallel/ranks.ts';
import type { MetricsRow } from '../../../src/train/run.ts';
import { virtualRanks } from './virtual-ranks.ts';

const BATCH = 24;

const objectiveOf = (method: ToyMethod, batch: number) =>
  toyObjective(toyConfig({ method, preset: 'smoke', overrides: { batch } }));

export interface Training {
  readonly results: readonly TrainResult[];
  /** One per iteration. */
  readonly rows: readonly MetricsRow[];
}

interface Extras {
  /** Parts that each batch, or a rank's share of it, is worked off in. */
  readonly parts?: number;
  /** Where the training goes on. */
  readonly from?: Checkpoint;
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: Progress) => void;
  readonly onSave?: (checkpoint: Checkpoint) => void;
}

/** A short training of a toy method by one process alone, or by `ranks` together. */
export async function toyTraining(
  method: ToyMethod,
  ranks: number | 'alone',
  steps: number,
  { parts = 1, from, signal, onProgress, onSave }: Extras = {},
): Promise<Training> {
  const objective = objectiveOf(method, BATCH);
  const rows: MetricsRow[] = [];
  const options = {
    objective,
    data: (key: Key): HostTensor => toyBatch('25gaussians', key, objective.batchShape[0]),
    ...{ steps, seed: 3, logEvery: 1, signal, onProgress },
    run: {
      restore: () => from,
      save: (checkpoint: Checkpoint) => onSave?.(checkpoint),
      log: (row: MetricsRow) => {
        rows.push(row);
      },
    },
  };
  const withBatch = (batch: number) => objectiveOf(method, batch);
  if (ranks === 'alone') {
    const parallel = { ranks: ALONE, parts, batch: BATCH, withBatch };
    return { results: [await train({ ...options, ...(parts !== 1 && { parallel }) })], rows };
  }
  const results = await Promise.all(
    virtualRanks(ranks).map((rank) =>
      train({ ...options, parallel: { ranks: rank, parts, batch: BATCH, withBatch } }),
    ),
  );
  return { results, rows };
}

/** The largest difference of two series, relative to their values (or to 0.01 near zero). */
export function apart(a: readonly MetricsRow[], b: readonly MetricsRow[]): number {
  if (a.length !== b.length || a.length === 0) return Number.POSITIVE_INFINITY;
  return Math.max(
    ...a.flatMap((row, i) =>
      Object.entries(row).map(([k, v]) => Math.abs(v - b[i][k]) / (0.01 + Math.abs(v))),
    ),
  );
}
