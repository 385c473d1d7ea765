import { DataError } from './errors.ts';
import { type HostTensor, sameShape } from './host-tensor.ts';
import { itemsOf, type PickleValue } from './pickle.ts';
import { readTorchFile, torchTensor } from './torch-file.ts';
import { torchToHostTensor } from './torch-tensor.ts';

/** Keys of training under DistributedDataParallel carry this. */
const PARALLEL_PREFIX = 'module.';

const BUFFER = /(^|\.)(running_mean|running_var|num_batches_tracked)$/;

/**
 * The tensors of a state dict by their keys, in the order of the file, without the prefix
 * `module.` where all have it.
 * @throws DataError when the value is no dictionary of tensors; `source` names it.
 */
export function stateDictOf(
  value: PickleValue | undefined,
  source: string,
): Record<string, HostTensor> {
  if (!(value instanceof Map)) throw new DataError(`${source}: expected a state dict`);
  const entries = [...value].map(([key, item]) => {
    const tensor = torchTensor(item);
    if (typeof key !== 'string' || tensor === undefined) {
      throw new DataError(`${source}: '${String(key)}' is no tensor; is this a state dict?`);
    }
    return [key, torchToHostTensor(tensor)] as const;
  });
  const parallel = entries.length > 0 && entries.every(([k]) => k.startsWith(PARALLEL_PREFIX));
  return Object.fromEntries(
    entries.map(([k, t]) => [parallel ? k.slice(PARALLEL_PREFIX.length) : k, t]),
  );
}

/** A file that holds one state dict, such as `netG_1200.pth`. */
export function readStateDict(path: string): Record<string, HostTensor> {
  return stateDictOf(readTorchFile(path), path);
}

/**
 * The moving averages that the official optimiser wrapper keeps in its state, for the networks it
 * moves: `netG_dict` and `netE_dict` for `optimizerG`, in the order in which their parameters were
 * given to it. Buffers are those of the state dicts, which are not averaged.
 * @param content what `content.pth` holds.
 * @throws DataError when a part is missing or belongs to other networks.
 */
export function averagedStateDicts(
  content: PickleValue,
  networks: readonly string[],
  optimiser: string,
  source: string,
): Record<string, Record<string, HostTensor>> {
  if (!(content instanceof Map)) throw new DataError(`${source}: expected a training content`);
  const state = content.get(optimiser);
  const moments = state instanceof Map ? state.get('state') : undefined;
  const groups = state instanceof Map ? itemsOf(state.get('param_groups')) : undefined;
  if (!(moments instanceof Map) || groups === undefined) {
    throw new DataError(`${source}: there is no optimiser state '${optimiser}'`);
  }
  const indices = groups.flatMap((group) =>
    group instanceof Map ? [...(itemsOf(group.get('params')) ?? [])] : [],
  );
  const dicts = networks.map((n) => stateDictOf(content.get(n), `${source}: ${n}`));
  const slots = dicts.flatMap((dict) =>
    Object.keys(dict)
      .filter((key) => !BUFFER.test(key))
      .map((key) => ({ dict, key })),
  );
  if (slots.length !== indices.length) {
    throw new DataError(
      `${source}: '${optimiser}' moves ${indices.length} parameters, ${networks.join(' and ')} have ${slots.length}`,
    );
  }
  slots.forEach(({ dict, key }, i) => {
    const slot = moments.get(indices[i]);
    const average = torchTensor(slot instanceof Map ? slot.get('ema') : undefined);
    if (average === undefined || !sameShape(average.shape, dict[key].shape)) {
      const got = average === undefined ? 'none' : `one of shape [${average.shape}]`;
      throw new DataError(
        `${source}: '${key}' needs an average of shape [${dict[key].shape}], '${optimiser}' has ${got}`,
      );
    }
    dict[key] = torchToHostTensor(average);
  });
  return Object.fromEntries(networks.map((n, i) => [n, dicts[i]]));
}
