import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { DataError } from '../core/errors.ts';
import { writeFileAtomic } from '../core/files.ts';
import { makeFolder } from '../core/folders.ts';
import type { HostTensor } from '../core/host-tensor.ts';
import {
  encodeSafetensors,
  readSafetensorsFile,
  type StoredTensor,
  toHostTensor,
} from '../core/safetensors.ts';
import type { Objective } from '../objectives/objective.ts';
import type { Computation } from '../train/code-version.ts';
import type { Progress } from '../train/loop.ts';
import { ALONE, agreedError, lead, RankDone, type Ranks } from '../train/parallel/ranks.ts';
import type { Parallel } from '../train/parallel/team.ts';
import { type OpenRun, type RunIdentity, runKey } from '../train/run.ts';
import { shownAsRun } from '../train/run-display.ts';
import {
  finishedRun,
  openRun,
  type RunPlace,
  rememberedCodeVersion,
} from '../train/store/open-run.ts';
import { type Environment, environment } from './environment.ts';
import { defaultRunsFolder, projectRoot } from './runs-folder.ts';

/** How a run is carried out and kept; what is trained is in the configuration of its experiment. */
export interface KeptRunOptions {
  /** Default 0. */
  readonly seed?: number;
  /** Place of the run store. Default: `GIBBS_STORE`, else `data/runs` of the project. */
  readonly root?: string;
  /**
   * Keeps runs as folders of plain files below `root`, without a store and whatever the code: the
   * form of the results that come with the project.
   */
  readonly plain?: boolean;
  /** Results that came with the project. Default: `data/checkpoints`; `null`: look at none. */
  readonly shipped?: string | null;
  /**
   * Looks at the results that came with the project before anything else: for trainings whose
   * data may not be here, without which the code version is not to be had.
   */
  readonly shippedFirst?: boolean;
  /** Trains again from the start even where a result is there. */
  readonly fresh?: boolean;
  /** Seconds between checkpoints. Default 30. */
  readonly checkpointSeconds?: number;
  /** How the run was asked for, kept beside it, e.g. `{ sweep: 'stabilisers' }`. */
  readonly labels?: Readonly<Record<string, string>>;
  /** `name` says which of the trainings of the experiment is under way. */
  readonly onProgress?: (progress: Progress, name: string) => void;
  readonly onNotice?: (text: string) => void;
  /** Stops after the current iteration, with a checkpoint. */
  readonly signal?: AbortSignal;
  /** The processes that train it together. Rank 0 alone keeps and evaluates it. */
  readonly ranks?: Ranks;
  /**
   * Parts that each batch, or the share of a rank, is worked off in, one after the other, for less
   * memory. No part of what a run is: its numbers are the same but for rounding, and it may go on
   * in another number of parts. Default 1, but for DDAEBM on images what `imageExecution` chooses.
   */
  readonly parts?: number;
}

/** How the training of a kept run is shared by processes and parts; nothing when all is one. */
export function sharedTraining<State>(
  { ranks, parts = 1 }: Pick<KeptRunOptions, 'ranks' | 'parts'>,
  batch: number,
  withBatch: (batch: number) => Objective<State>,
): { readonly parallel?: Parallel<State> } {
  if (!ranks && parts === 1) return {};
  const leave = ranks !== undefined;
  return { parallel: { ranks: ranks ?? ALONE, parts, batch, withBatch, leave } };
}

/** Named arrays kept beside the numbers of a run. */
export type RunArrays = Readonly<Record<string, HostTensor>>;

/** What a training leaves behind, apart from its arrays; plain JSON. */
export interface KeptRunRecord<C, N> {
  readonly key: string;
  readonly config: C;
  readonly seed: number;
  readonly numbers: N;
  readonly steps: number;
  /** Seconds of training, compilation included, over all sessions of the run. */
  readonly seconds: number;
  /** SHA-256 of the final state. */
  readonly checksum: string;
  readonly environment: Environment;
}

export interface KeptRun<C, N> extends KeptRunRecord<C, N> {
  readonly arrays: RunArrays;
  /** Whether it was trained now, earlier on this machine, or came with the project. */
  readonly origin: 'trained' | 'kept' | 'shipped';
}

/** What the training of one run returns. */
export interface KeptOutcome<N> {
  readonly numbers: N;
  readonly arrays: RunArrays;
  readonly steps: number;
  readonly seconds: number;
  readonly checksum: string;
}

/** What a run is, and how its numbers come about. */
export interface KeptTraining extends RunIdentity {
  readonly computation: () => Computation;
}

const ARRAYS = 'arrays.safetensors';

/**
 * The finished run of an identity: the one kept in the runs folder, else the one that came with the
 * project, else trained now in its run folder, from its last checkpoint where there is one.
 * @throws RankDone on ranks other than the first, when their part is done.
 */
export async function keptRun<C, N>(
  training: KeptTraining & { readonly config: C },
  options: KeptRunOptions,
  work: (run: OpenRun) => Promise<KeptOutcome<N>>,
): Promise<KeptRun<C, N>> {
  const { ranks } = options;
  let begun: Begun<C, N> | undefined;
  const begin = () => {
    begun = beginRun<C, N>(training, options);
    return 'run' in begun;
  };
  const trains = ranks ? await lead(ranks, begin) : begin();
  if (begun === undefined) {
    if (trains) await work(UNKEPT);
    throw agreedError(new RankDone());
  }
  return 'run' in begun
    ? finishRun(begun.run, training, work, options)
    : shownInNotebook(begun.found);
}

/** What there is of a run that was asked for: its result, or the run to be trained. */
type Begun<C, N> = { readonly found: KeptRun<C, N> } | { readonly run: OpenRun };

/** A run as ranks other than the first have it. */
const UNKEPT: OpenRun = {
  key: '',
  folder: '',
  restore: () => undefined,
  save: () => {},
  log: () => {},
  metrics: () => [],
  write: () => {},
  finish: () => {},
  close: () => {},
};

function beginRun<C, N>(
  { computation, ...asked }: KeptTraining & { readonly config: C },
  options: KeptRunOptions,
): Begun<C, N> {
  const { root = defaultRunsFolder(), plain, fresh, labels, parts, onNotice } = options;
  const shipped = options.shipped === undefined ? shippedFolder() : options.shipped;
  const place = { root, plain };
  const ours = () =>
    shipped === null ? undefined : readRun<C, N>({ root: shipped, plain: true }, asked);
  const early = options.shippedFirst && !fresh ? ours() : undefined;
  if (early) return { found: { ...early, origin: 'shipped' } };
  const identity = plain
    ? asked
    : { ...asked, code: rememberedCodeVersion(place, asked, computation) };
  if (!fresh) {
    const kept = readRun<C, N>(place, identity, onNotice);
    if (kept) return { found: { ...kept, origin: 'kept' } };
    const came = ours();
    if (came) return { found: { ...came, origin: 'shipped' } };
  }
  return { run: openRun({ ...identity, ...place, fresh, labels, parts, onNotice }) };
}

async function finishRun<C, N>(
  run: OpenRun,
  asked: RunIdentity & { readonly config: C },
  work: (run: OpenRun) => Promise<KeptOutcome<N>>,
  { parts }: KeptRunOptions,
): Promise<KeptRun<C, N>> {
  try {
    const { arrays, numbers, steps, seconds, checksum } = await work(run);
    const record: KeptRunRecord<C, N> = {
      key: run.key,
      config: asked.config,
      seed: asked.seed,
      numbers,
      steps,
      seconds: Math.round(seconds * 10) / 10,
      checksum,
      environment: environment({ parts }),
    };
    run.write(ARRAYS, encodeSafetensors(compact(arrays)));
    run.finish(record);
    run.close();
    return shownInNotebook({ ...record, arrays, origin: 'trained' });
  } catch (error) {
    run.close(error);
    throw error;
  }
}

const ORIGINS = {
  trained: 'trained now',
  kept: 'trained before',
  shipped: 'came with the project',
} as const;

function shownInNotebook<C, N>(run: KeptRun<C, N>): KeptRun<C, N> {
  return shownAsRun(run, ({ key, origin, steps, seconds, numbers }) => ({
    title: `${key}, ${ORIGINS[origin]}`,
    steps,
    seconds,
    ...(typeof numbers === 'object' && numbers !== null && { numbers }),
  }));
}

/**
 * Puts a finished run among the results that come with the project: its record and arrays, no
 * checkpoints, in the folder that `keptRun` looks for.
 * @returns the folder.
 */
export function shipRun<C, N>(
  experiment: string,
  { arrays, origin: _, ...record }: KeptRun<C, N>,
  shipped: string = shippedFolder(),
): string {
  const key = runKey({ experiment, config: record.config, seed: record.seed });
  const folder = join(shipped, key);
  makeFolder(folder);
  writeFileAtomic(join(folder, ARRAYS), encodeSafetensors(compact(arrays)));
  const text = `${JSON.stringify({ ...record, key }, null, 2)}\n`;
  writeFileAtomic(join(folder, 'result.json'), text);
  return folder;
}

/** Where results that come with the project lie, run by run as in the runs folder. */
export function shippedFolder(): string {
  return join(projectRoot(), 'data', 'checkpoints');
}

/** Whole numbers that are all bytes, as pictures are, take a byte each; they are read back equal. */
function compact(arrays: RunArrays): Record<string, HostTensor | StoredTensor> {
  const small = ({ dtype, data }: HostTensor) =>
    dtype === 'int32' && data.every((v) => v >= 0 && v <= 255);
  return Object.fromEntries(
    Object.entries(arrays).map(([name, array]) => [
      name,
      small(array)
        ? { dtype: 'U8' as const, shape: array.shape, data: Uint8Array.from(array.data) }
        : array,
    ]),
  );
}

function readRun<C, N>(
  place: RunPlace,
  identity: RunIdentity,
  onNotice?: (text: string) => void,
): Omit<KeptRun<C, N>, 'origin'> | undefined {
  const found = finishedRun(place, identity, onNotice);
  if (!found) return undefined;
  const path = join(found.folder, ARRAYS);
  if (!existsSync(path)) {
    throw new DataError(`${path} is missing beside its result; train the run again with fresh`);
  }
  const { tensors } = readSafetensorsFile(path);
  const arrays = Object.fromEntries([...tensors].map(([name, t]) => [name, toHostTensor(t)]));
  return { ...(found.result as KeptRunRecord<C, N>), arrays };
}
