import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { DataError } from '../core/errors.ts';
import { fromFloat16, toFloat16 } from '../core/float16.ts';
import { type HostTensor, hostTensor } from '../core/host-tensor.ts';
import {
  readSafetensorsFile,
  type StoredTensor,
  toHostTensor,
  writeSafetensorsFile,
} from '../core/safetensors.ts';
import type { HostState, Objective, StateDicts } from '../objectives/objective.ts';
import { readLatestCheckpoint } from '../train/checkpoint.ts';
import { checksum, type NamedLeaves } from '../train/state-leaves.ts';
import type { Environment } from './environment.ts';
import { projectRoot } from './runs-folder.ts';
import type { ToyResult } from './toy.ts';
import { type ToyConfig, toyObjective } from './toy-config.ts';
import type { ToyCurve } from './toy-curve.ts';
import { evaluateToy, type ToyEvaluation, type ToyMetrics } from './toy-evaluation.ts';
import { type ToyMethod, toyMethod, toyMethodSpec } from './toy-methods.ts';
import { REVISION } from './toy-settings.ts';

const FORMAT = 'gibbs-toy-1';

/** What a published checkpoint says of itself. */
export interface ToyCheckpoint {
  readonly config: ToyConfig<ToyMethod>;
  readonly seed: number;
  readonly steps: number;
  /** Seconds of training, and on what. */
  readonly seconds: number;
  readonly environment: Environment;
  /** Of the full-precision final state. */
  readonly runChecksum: string;
  /** Of the parameters as stored, which are what `metrics` judges. */
  readonly checksum: string;
  readonly metrics: ToyMetrics;
  /** Absent where the run logged nothing. */
  readonly curve?: ToyCurve;
}

/** `data/checkpoints` of the Gibbs checkout. */
export function checkpointsFolder(): string {
  return join(projectRoot(), 'data', 'checkpoints');
}

/** `<folder>/<model>-<dataset>.safetensors`; `model` is a method or one of its variants. */
export function toyCheckpointPath(model: string, dataset: string, folder?: string): string {
  return join(folder ?? checkpointsFolder(), `${model}-${dataset}.safetensors`);
}

/** Whether there is one. */
export function hasToyCheckpoint(model: string, dataset: string, folder?: string): boolean {
  return existsSync(toyCheckpointPath(model, dataset, folder));
}

/**
 * Writes what density and samples of a finished run need, in half precision, with what it was made
 * from. The numbers it carries are those of the rounded parameters.
 * @throws DataError when the run's last checkpoint is not that of its last iteration.
 */
export function publishToyRun(result: ToyResult<ToyMethod>, path: string): ToyCheckpoint {
  const { config, seed, steps, seconds, environment, folder } = result;
  const objective = toyObjective(config);
  const template = objective.init(seed);
  const kept = readLatestCheckpoint(folder, template);
  if (kept?.step !== steps) {
    throw new DataError(
      `${folder}: the last checkpoint is of iteration ${kept?.step ?? 'none'}, the run ended at ${steps}; run again with --fresh`,
    );
  }
  const tensors = rounded(parametersOf(config, objective, kept.state));
  const leaves = leavesOf(tensors);
  const state = stateOf(config, objective, seed, leaves, path);
  const { metrics } = evaluateToy(config, objective, state, seed);
  const about: ToyCheckpoint = {
    config,
    seed,
    steps,
    seconds,
    environment,
    runChecksum: result.checksum,
    checksum: checksum(leaves),
    metrics,
    curve: result.curve,
  };
  writeSafetensorsFile(path, tensors, { format: FORMAT, about: JSON.stringify(about) });
  return about;
}

/** @throws DataError when the file is damaged or of another version. */
export function readToyCheckpoint(path: string): ToyCheckpoint & { readonly leaves: NamedLeaves } {
  const { tensors, metadata } = readSafetensorsFile(path);
  if (metadata['format'] !== FORMAT) {
    throw new DataError(`${path}: format ${metadata['format'] ?? 'unknown'}, expected ${FORMAT}`);
  }
  const about = JSON.parse(metadata['about']) as ToyCheckpoint;
  toyMethod(about.config.method);
  if (about.config.revision !== REVISION) {
    throw new DataError(
      `${path}: made by revision ${about.config.revision} of the toy experiments, this is ${REVISION}; train again`,
    );
  }
  const leaves = Object.fromEntries([...tensors].map(([name, t]) => [name, toHostTensor(t)]));
  if (checksum(leaves) !== about.checksum) {
    throw new DataError(`${path}: its content does not match its checksum`);
  }
  return { ...about, leaves };
}

/**
 * Density and samples of a published checkpoint, computed anew; as many samples as one batch, the
 * numbers are those it carries.
 * @throws DataError when the file is damaged or of another version.
 */
export function evaluateToyCheckpoint(path: string): ToyCheckpoint & ToyEvaluation {
  const { leaves, ...about } = readToyCheckpoint(path);
  const { evaluation } = about.config;
  const config = {
    ...about.config,
    evaluation: { ...evaluation, samples: Math.min(evaluation.samples, evaluation.sampleBatch) },
  } as ToyConfig<ToyMethod>;
  const objective = toyObjective(config);
  const state = stateOf(config, objective, about.seed, leaves, path);
  return { ...evaluateToy(config, objective, state, about.seed), ...about };
}

/** `network/key` → tensor, of the networks that density and samples need. */
function parametersOf(
  config: ToyConfig<ToyMethod>,
  objective: Objective,
  state: HostState,
): NamedLeaves {
  const dicts = objective.exportNetworks!(averaged(state));
  const leaves: NamedLeaves = {};
  for (const network of toyMethodSpec(config.method).networks) {
    for (const [key, tensor] of Object.entries(dicts[network])) {
      leaves[`${network}/${key}`] = tensor;
    }
  }
  return leaves;
}

interface Averaged {
  readonly params: HostTensor;
  readonly ema?: { readonly started: HostTensor; readonly average: HostTensor };
}

/** Each player's parameters replaced by their average, where it keeps one. */
function averaged(state: HostState): HostState {
  const players = Object.entries(state as unknown as Record<string, Averaged>).map(
    ([name, player]) => {
      const running = player.ema !== undefined && player.ema.started.data[0] > 0;
      return [name, running ? { ...player, params: player.ema?.average } : player] as const;
    },
  );
  return Object.fromEntries(players) as unknown as HostState;
}

/** The initial state with the stored networks. */
function stateOf(
  config: ToyConfig<ToyMethod>,
  objective: Objective,
  seed: number,
  leaves: NamedLeaves,
  path: string,
): HostState {
  const initial = objective.init(seed);
  const dicts: Record<string, StateDicts[string]> = { ...objective.exportNetworks!(initial) };
  for (const network of toyMethodSpec(config.method).networks) {
    const keys = Object.keys(dicts[network]);
    dicts[network] = Object.fromEntries(
      keys.map((key) => {
        const tensor = leaves[`${network}/${key}`];
        if (!tensor) throw new DataError(`${path}: tensor '${network}/${key}' is missing`);
        return [key, tensor];
      }),
    );
  }
  return objective.importNetworks!(initial, dicts);
}

function rounded(leaves: NamedLeaves): Record<string, StoredTensor | HostTensor> {
  return Object.fromEntries(
    Object.entries(leaves).map(([name, tensor]) => [
      name,
      tensor.dtype === 'float32'
        ? { dtype: 'F16' as const, shape: tensor.shape, data: toFloat16(tensor.data) }
        : tensor,
    ]),
  );
}

function leavesOf(tensors: Readonly<Record<string, StoredTensor | HostTensor>>): NamedLeaves {
  return Object.fromEntries(
    Object.entries(tensors).map(([name, tensor]) => [
      name,
      tensor.dtype === 'F16'
        ? hostTensor(fromFloat16(tensor.data as Uint16Array), tensor.shape)
        : (tensor as HostTensor),
    ]),
  );
}
