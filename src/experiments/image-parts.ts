import { totalmem } from 'node:os';
import type { HostTensor } from '../core/host-tensor.ts';
import type { Key } from '../core/random.ts';
import { summariseEnergy, summariseGenerator } from '../models/summary.ts';
import type { Ddaebm } from '../objectives/ddaebm.ts';
import { sizeOfPart } from '../train/parallel/parts.ts';
import { ALONE } from '../train/parallel/ranks.ts';
import type { Parallel } from '../train/parallel/team.ts';
import { type BatchInParts, type Estimate, estimatePart, estimateTraining } from './eta.ts';
import {
  type ImageConfig,
  type ImageSetting,
  imageNetworks,
  imageObjective,
  imageShape,
} from './image-config.ts';
import { type KeptRunOptions, sharedTraining } from './kept-run.ts';

/** Memory that a training may take: a card or a machine of 24 GB, with some to spare. */
const MOST = 20e9;
/** Share of the machine's memory that it may take. */
const SHARE = 0.8;

/** Images of a part at most: larger parts are not faster. */
const LARGEST_PART = 16;

/** The process itself, in bytes of peak memory. */
const PROCESS = 0.6e9;

/**
 * How many times a float32 copy of all parameters, and one of the results of all layers for an image,
 * enter the peak: fitted to measured peaks of whole processes on ONNX Runtime with NCSN++ of 128
 * channels (see environment.md), and rounded up. In parts, sections use the same memory by turns.
 */
const WHOLE = { parameters: 21, activations: 7 } as const;
const PARTS = { parameters: 10, activations: 1.5 } as const;

/**
 * In how many parts a batch is worked off: so many as are asked for, else one where the whole fits
 * into 20 GB and four fifths of the machine, else as few as do, of at most 16 images. Several ranks
 * on one machine do not know of each other's memory.
 * @throws ConfigError when what is asked for does not divide the batch.
 */
export function imageExecution(
  setting: ImageSetting,
  config: ImageConfig,
  { parts, ranks }: Pick<KeptRunOptions, 'parts' | 'ranks'> = {},
): BatchInParts {
  const { batch } = config;
  if (parts !== undefined && parts !== 1) sizeOfPart({ ranks: ranks ?? ALONE, parts, batch });
  const share = batch / (ranks?.size ?? 1);
  const most = Math.min(MOST, SHARE * machineMemory());
  const memory = memoryOf(setting, config);
  const of = (n: number) => ({ parts: n, images: share / n, memory: memory(share / n, n) });
  if (parts !== undefined) return of(parts);
  if (memory(share, 1) <= most) return of(1);
  const possible = Array.from({ length: share }, (_, i) => i + 1).filter(
    (n) => n > 1 && share % n === 0 && share / n >= 2 && share / n <= LARGEST_PART,
  );
  return of(possible.find((n) => memory(share / n, n) <= most) ?? possible.at(-1) ?? 1);
}

/** The method for a part: as for the whole, but that blocks are recomputed unless it is said. */
export function imagePart(
  setting: ImageSetting,
  config: ImageConfig,
  batch: number,
  parts: number,
): Ddaebm {
  const network = parts > 1 ? { recompute: true, ...config.network } : config.network;
  return imageObjective(setting, { ...config, batch, network });
}

/** How `train` shares a training of images. */
export function sharedImages(
  setting: ImageSetting,
  config: ImageConfig,
  { ranks }: Pick<KeptRunOptions, 'ranks'>,
  parts: number,
): { readonly parallel?: Parallel<never> } {
  return sharedTraining({ ranks, parts }, config.batch, (batch) =>
    imagePart(setting, config, batch, parts),
  ) as { readonly parallel?: Parallel<never> };
}

/** Measures a few iterations of a training, or one part of an iteration where there are several. */
export async function estimateImages(
  setting: ImageSetting,
  config: ImageConfig,
  training: {
    readonly objective: Ddaebm;
    readonly data: (key: Key) => HostTensor;
    readonly steps: number;
  },
  options: Pick<KeptRunOptions, 'parts' | 'ranks'>,
): Promise<Estimate> {
  const { objective, data, steps } = training;
  const execution = imageExecution(setting, config, options);
  const { parts, images } = execution;
  if (parts === 1) return estimateTraining(objective, data, steps);
  const part = imagePart(setting, config, images, parts);
  return { ...(await estimatePart(part, data, steps, parts)), execution };
}

/** Peak memory by images of a part and number of parts. */
function memoryOf(
  setting: ImageSetting,
  config: ImageConfig,
): (images: number, parts: number) => number {
  const { energy, generator } = imageNetworks(setting, config);
  const shape = imageShape(setting);
  const passes = [
    summariseEnergy(energy, shape),
    summariseGenerator(generator, shape, config.network.latentDim),
  ];
  const sum = (of: (pass: (typeof passes)[number]) => number) =>
    passes.reduce((total, pass) => total + of(pass), 0);
  const parameters = 4 * sum((pass) => pass.parameters);
  const activations = sum((pass) => pass.activationBytes);
  return (images, parts) => {
    const times = parts > 1 ? PARTS : WHOLE;
    const remembered = parts > 1 && config.network.recompute === false;
    const results = (remembered ? WHOLE : times).activations * activations;
    return PROCESS + times.parameters * parameters + results * images;
  };
}

/** Of the machine, or what a container may take of it, in bytes. */
function machineMemory(): number {
  const limit = process.constrainedMemory();
  return limit > 0 && limit < totalmem() ? limit : totalmem();
}
