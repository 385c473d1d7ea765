import { DataError, suggest, unknownName } from '../core/errors.ts';
import { type HostTensor, sameShape } from '../core/host-tensor.ts';
import { averagedStateDicts, stateDictOf } from '../core/torch-content.ts';
import { readTorchFile } from '../core/torch-file.ts';
import { encoder64, largeEncoder, smallEncoder } from '../models/encoders.ts';
import {
  DDPMPP_LSUN128,
  NCSNPP_CELEBA64,
  NCSNPP_CIFAR10,
  ncsnppEnergy,
  ncsnppGenerator,
} from '../models/ncsnpp.ts';
import type { NetworkSpec } from '../models/network.ts';

const NETWORKS: Readonly<Record<string, () => NetworkSpec>> = {
  'cifar10/netG': () => ncsnppGenerator(NCSNPP_CIFAR10),
  'cifar10/netD': () => ncsnppEnergy(NCSNPP_CIFAR10),
  'cifar10/netE': () => smallEncoder(),
  'celeba64/netG': () => ncsnppGenerator(NCSNPP_CELEBA64),
  'celeba64/netD': () => ncsnppEnergy(NCSNPP_CELEBA64),
  'celeba64/netE': () => encoder64(),
  'lsun128/netG': () => ncsnppGenerator(DDPMPP_LSUN128),
  'lsun128/netD': () => ncsnppEnergy(DDPMPP_LSUN128),
  'lsun128/netE': () => largeEncoder(),
};

/** Networks of the paper that checkpoints of the official code may hold. */
export const OFFICIAL_NETWORKS: readonly string[] = Object.keys(NETWORKS);

/** Parts of a `content.pth`: the network's entry, and whose optimiser keeps its averages. */
const PARTS: Readonly<Record<string, { readonly key: string; readonly optimiser: string }>> = {
  netG: { key: 'netG_dict', optimiser: 'optimizerG' },
  netE: { key: 'netE_dict', optimiser: 'optimizerG' },
  netD: { key: 'netD_dict', optimiser: 'optimizerD' },
};

export interface CheckpointChoice {
  /** Which network of a training content: `netG` (default), `netD` or `netE`. */
  readonly part?: string;
  /** Its moving averages, which the optimiser of a training content keeps. Default false. */
  readonly average?: boolean;
}

/**
 * The state dict of a checkpoint of DDAEBM or DDGAN: of a file that holds one (`netG_1200.pth`), or
 * of one network of a training content (`content.pth`), without the prefix `module.`.
 * @throws DataError when the file is damaged or hostile, or has no such part; ConfigError for an
 * unknown part.
 */
export function readOfficialCheckpoint(
  path: string,
  { part = 'netG', average = false }: CheckpointChoice = {},
): Record<string, HostTensor> {
  if (!Object.hasOwn(PARTS, part)) throw unknownName('network', part, Object.keys(PARTS));
  const content = readTorchFile(path);
  const isContent =
    content instanceof Map && Object.values(PARTS).some(({ key }) => content.has(key));
  if (!isContent) {
    if (average) {
      throw new DataError(
        `${path}: holds one state dict and no averages; they are in the content.pth of the training`,
      );
    }
    return stateDictOf(content, path);
  }
  const { key, optimiser } = PARTS[part];
  if (!content.has(key)) throw new DataError(`${path}: there is no '${key}' for ${part}`);
  if (!average) return stateDictOf(content.get(key), `${path}: ${key}`);
  const moved = Object.values(PARTS)
    .filter((p) => p.optimiser === optimiser && content.has(p.key))
    .map((p) => p.key);
  return averagedStateDicts(content, moved, optimiser, path)[key];
}

/**
 * Checks a state dict against a network of the paper, key for key.
 * @throws ConfigError for an unknown network; DataError naming the first key that is missing, left
 * over or of another shape, and how many there are.
 */
export function checkOfficial(
  dict: Readonly<Record<string, HostTensor>>,
  network: string,
  source: string,
): void {
  if (!Object.hasOwn(NETWORKS, network)) throw unknownName('network', network, OFFICIAL_NETWORKS);
  checkStateDict(dict, NETWORKS[network](), `${source}: as ${network}`);
}

/** The same against any network. @throws DataError. */
export function checkStateDict(
  dict: Readonly<Record<string, HostTensor>>,
  { params, buffers }: Pick<NetworkSpec, 'params' | 'buffers'>,
  source: string,
): void {
  const wanted = { ...params, ...buffers };
  const missing = Object.keys(wanted).filter((key) => !Object.hasOwn(dict, key));
  const extra = Object.keys(dict).filter(
    (key) => !Object.hasOwn(wanted, key) && !key.endsWith('.num_batches_tracked'),
  );
  const first = ([key, ...rest]: readonly string[]) =>
    rest.length > 0 ? `keys '${key}' and ${rest.length} more are` : `key '${key}' is`;
  if (missing.length > 0) {
    const near = suggest(missing[0], extra);
    const hint = near === undefined ? '' : `; it has '${near}'`;
    throw new DataError(`${source}: ${first(missing)} missing${hint}; weights of another network?`);
  }
  if (extra.length > 0) {
    throw new DataError(`${source}: ${first(extra)} not of this network; weights of another one?`);
  }
  for (const [key, { shape }] of Object.entries(wanted)) {
    if (!sameShape(dict[key].shape, shape)) {
      throw new DataError(
        `${source}: '${key}' has shape [${dict[key].shape}], the network needs [${shape}]`,
      );
    }
  }
}
