import { DataError } from './errors.ts';
import { readBytes } from './files.ts';
import {
  itemsOf,
  type PickleConstructor,
  type PickleForeign,
  type PickleOptions,
  type PickleValue,
  readPickle,
} from './pickle.ts';
import {
  bytesPerElement,
  checkGeometry,
  type Geometry,
  gatherTensor,
  type TorchDType,
  type TorchTensor,
} from './torch-tensor.ts';
import { openZip } from './zip.ts';

/** What the pickle says of a storage; its bytes lie elsewhere in the file. */
interface Storage {
  readonly key: string;
  readonly dtype: TorchDType;
  readonly count: number;
}

/** A tensor of the pickle; `tensor` is filled in once the storages are there. */
class PendingTensor {
  readonly storage: Storage;
  readonly geometry: Geometry;
  tensor: TorchTensor | undefined;

  constructor(storage: Storage, geometry: Geometry) {
    this.storage = storage;
    this.geometry = geometry;
  }
}

const STORAGE_TYPES: Readonly<Record<string, TorchDType>> = {
  HalfStorage: 'F16',
  BFloat16Storage: 'BF16',
  FloatStorage: 'F32',
  DoubleStorage: 'F64',
  CharStorage: 'I8',
  ShortStorage: 'I16',
  IntStorage: 'I32',
  LongStorage: 'I64',
  ByteStorage: 'U8',
  BoolStorage: 'BOOL',
};

const LEGACY_MAGIC = 0x1950a86a20f9469cfc6cn;
const LEGACY_PROTOCOL = 1001;

/**
 * Reads a file written by `torch.save`, in the zip format of today or the one before it: state
 * dicts, optimiser states, and containers of numbers, strings and tensors. Nothing in the file is
 * ever run; tensors are found with `torchTensor`, state dicts with `readStateDict`.
 * @throws DataError naming the file when it is damaged, truncated, no such file, or asks for
 *   anything but plain data.
 */
export function readTorchFile(path: string): PickleValue {
  return parseTorch(readBytes(path), path);
}

/** The same from memory; `source` names the data in errors. */
export function parseTorch(bytes: Uint8Array, source: string): PickleValue {
  const [p, k] = bytes;
  if (p === 0x50 && k === 0x4b) return parseZip(bytes, source);
  if (p === 0x80) return parseLegacy(bytes, source);
  throw new DataError(
    `${source}: ${bytes.length === 0 ? 'the file is empty' : 'no checkpoint of PyTorch'}; expected a file written by torch.save`,
  );
}

/** The tensor at this place of the tree, if there is one. */
export function torchTensor(value: PickleValue | undefined): TorchTensor | undefined {
  const isForeign =
    typeof value === 'object' && value !== null && 'kind' in value && value.kind === 'foreign';
  return isForeign && value.value instanceof PendingTensor ? value.value.tensor : undefined;
}

type Fail = (what: string) => DataError;

function parseZip(bytes: Uint8Array, source: string): PickleValue {
  const fail: Fail = (what) => new DataError(`${source}: ${what}`);
  const zip = openZip(bytes, source);
  const pickles = zip.names.filter((name) => /^[^/]+\/data\.pkl$/.test(name));
  if (pickles.length !== 1) {
    throw fail(`the archive holds ${pickles.length} files 'data.pkl', expected one`);
  }
  const root = pickles[0].slice(0, -'data.pkl'.length);
  if (zip.has(`${root}byteorder`)) {
    const order = new TextDecoder().decode(zip.read(`${root}byteorder`));
    if (order !== 'little') throw fail(`byte order '${order}' is not read, only 'little'`);
  }
  const pending: PendingTensor[] = [];
  const { value } = readPickle(zip.read(pickles[0]), pickleOptions(source, fail, pending));
  const storages = new Map<string, Uint8Array>();
  for (const item of pending) {
    const { key, dtype, count } = item.storage;
    const name = `${root}data/${key}`;
    const expected = count * bytesPerElement(dtype);
    if (!zip.has(name)) throw fail(`storage '${key}' is not in the archive`);
    if (zip.sizeOf(name) !== expected) {
      throw fail(
        `storage '${key}' has ${zip.sizeOf(name)} bytes, ${count} ${dtype} take ${expected}`,
      );
    }
    let data = storages.get(key);
    if (data === undefined) {
      data = zip.read(name);
      storages.set(key, data);
    }
    item.tensor = gatherTensor(data, dtype, item.geometry);
  }
  return value;
}

/** Four pickles (magic, protocol, system, object), one of storage keys, then the storages. */
function parseLegacy(bytes: Uint8Array, source: string): PickleValue {
  const fail: Fail = (what) => new DataError(`${source}: ${what}`);
  let at = 0;
  const next = (options: PickleOptions = { source }): PickleValue => {
    const { value, end } = readPickle(bytes, options, at);
    at = end;
    return value;
  };
  if (next() !== LEGACY_MAGIC) throw fail('no checkpoint of PyTorch; expected one by torch.save');
  const protocol = next();
  if (protocol !== LEGACY_PROTOCOL) throw fail(`unknown protocol ${String(protocol)}`);
  const system = next();
  if (!(system instanceof Map) || system.get('little_endian') !== true) {
    throw fail('only files of little-endian machines are read');
  }
  const pending: PendingTensor[] = [];
  const value = next(pickleOptions(source, fail, pending));
  const keys = itemsOf(next()) ?? [];
  const wanted = new Map(pending.map(({ storage }) => [storage.key, storage]));
  const storages = new Map<string, Uint8Array>();
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (const key of keys) {
    const storage = wanted.get(String(key));
    if (storage === undefined) throw fail(`storage '${String(key)}' belongs to no tensor`);
    if (at + 8 > bytes.length) throw fail('truncated: a storage is missing');
    const count = Number(view.getBigInt64(at, true));
    const size = storage.count * bytesPerElement(storage.dtype);
    if (count !== storage.count) {
      throw fail(`storage '${storage.key}' has ${count} elements, expected ${storage.count}`);
    }
    at += 8;
    if (at + size > bytes.length) throw fail(`truncated: storage '${storage.key}' is cut off`);
    storages.set(storage.key, bytes.subarray(at, at + size));
    at += size;
  }
  for (const item of pending) {
    const data = storages.get(item.storage.key);
    if (data === undefined) throw fail(`storage '${item.storage.key}' is not in the file`);
    item.tensor = gatherTensor(data, item.storage.dtype, item.geometry);
  }
  return value;
}

function pickleOptions(source: string, fail: Fail, pending: PendingTensor[]): PickleOptions {
  const storages = new Map<string, Storage>();
  const symbols = Object.fromEntries(
    Object.entries(STORAGE_TYPES).map(([name, dtype]) => [
      `torch ${name}`,
      { kind: 'foreign', value: dtype } satisfies PickleForeign,
    ]),
  );
  return {
    source,
    symbols,
    constructors: {
      'torch._utils _rebuild_tensor_v2': tensorConstructor(fail, pending),
      'torch._utils _rebuild_parameter': ([tensor]) => tensor,
      'torch Size': ([sizes]) => [...(itemsOf(sizes) ?? [])],
    },
    persistent(id) {
      const storage = storageOf(id, fail);
      const known = storages.get(storage.key);
      if (known !== undefined && (known.dtype !== storage.dtype || known.count !== storage.count)) {
        throw fail(`storage '${storage.key}' is described in two ways`);
      }
      storages.set(storage.key, known ?? storage);
      return { kind: 'foreign', value: known ?? storage };
    },
  };
}

/** ('storage', type, key, location, number of elements); the location is of no interest here. */
function storageOf(id: PickleValue, fail: Fail): Storage {
  const [tag, type, key, , count, view] = itemsOf(id) ?? [];
  const dtype = foreign(type);
  const isCount = typeof count === 'number' && count >= 0;
  if (tag !== 'storage' || typeof dtype !== 'string' || typeof key !== 'string' || !isCount) {
    throw fail('the pickle refers to outside data that are no storage');
  }
  if (view !== undefined && view !== null) throw fail('views of storages are not read');
  return { key, dtype: dtype as TorchDType, count };
}

function tensorConstructor(fail: Fail, pending: PendingTensor[]): PickleConstructor {
  return ([stored, offset, sizes, strides]) => {
    const storage = foreign(stored) as Storage | undefined;
    const numbers = (v: PickleValue): number[] | undefined => {
      const list = itemsOf(v);
      return list?.every((n) => typeof n === 'number') ? [...(list as number[])] : undefined;
    };
    const [shape, steps] = [numbers(sizes), numbers(strides)];
    const isStorage = typeof storage === 'object' && 'key' in storage;
    if (!isStorage || typeof offset !== 'number' || shape === undefined || steps === undefined) {
      throw fail('a tensor has no readable description');
    }
    const geometry = { offset, shape, strides: steps };
    checkGeometry(geometry, storage.count, fail);
    const tensor = new PendingTensor(storage, geometry);
    pending.push(tensor);
    return { kind: 'foreign', value: tensor };
  };
}

function foreign(value: PickleValue | undefined): unknown {
  const isForeign =
    typeof value === 'object' && value !== null && 'kind' in value && value.kind === 'foreign';
  return isForeign ? value.value : undefined;
}
