import { basename } from 'node:path';
import { DataError } from '../../src/core/errors.ts';
import { type HostTensor, sizeOf } from '../../src/core/host-tensor.ts';
import {
  readSafetensorsFile,
  type Safetensors,
  type StoredTensor,
  toHostTensor,
  toNumbers,
} from '../../src/core/safetensors.ts';

/** Numbers computed by a reference implementation: inputs, draws, outputs, gradients, arguments. */
export class GoldenFile {
  readonly path: string;
  /** File name without extension, e.g. `03_toy_forward`. */
  readonly name: string;
  readonly metadata: Readonly<Record<string, string>>;
  /** The constructor arguments of the reference run (`__metadata__.args`), `{}` when absent. */
  readonly args: Readonly<Record<string, unknown>>;
  /** Names containing one of these hold rounding noise around an exact zero. */
  readonly ignoreSubstrings: readonly string[];
  readonly #stored: Safetensors;

  constructor(path: string) {
    this.path = path;
    this.name = basename(path, '.safetensors');
    this.#stored = readSafetensorsFile(path);
    this.metadata = this.#stored.metadata;
    this.args = parse(path, 'args', this.metadata['args'] ?? '{}') as Record<string, unknown>;
    this.ignoreSubstrings = parse(
      path,
      'ignore_substrings',
      this.metadata['ignore_substrings'] ?? '[]',
    ) as string[];
  }

  /** Names that begin with `prefix`, sorted. */
  names(prefix = ''): string[] {
    return [...this.#stored.tensors.keys()].filter((n) => n.startsWith(prefix));
  }

  has(name: string): boolean {
    return this.#stored.tensors.has(name);
  }

  /** The tensor as stored. @throws DataError when there is none of this name. */
  stored(name: string): StoredTensor {
    const tensor = this.#stored.tensors.get(name);
    if (tensor === undefined) throw new DataError(`${this.path} holds no tensor '${name}'`);
    return tensor;
  }

  shape(name: string): readonly number[] {
    return this.stored(name).shape;
  }

  /** For the engine: F32 and F64 as float32, I32 and I64 as int32. */
  tensor(name: string): HostTensor {
    return toHostTensor(this.stored(name));
  }

  /** The values in float64, whatever the stored type. */
  numbers(name: string): Float64Array {
    return toNumbers(this.stored(name));
  }

  /** A tensor of one element as a number. */
  scalar(name: string): number {
    const values = this.numbers(name);
    if (values.length !== 1) {
      throw new DataError(`${this.path}: '${name}' has ${values.length} elements, expected one`);
    }
    return values[0];
  }

  /** All tensors under a prefix, without it: `group('param:netD.')` is netD's state_dict. */
  group(prefix: string): Record<string, HostTensor> {
    return Object.fromEntries(
      this.names(prefix).map((n) => [n.slice(prefix.length), this.tensor(n)]),
    );
  }

  /** True when the reference asks not to compare this tensor. */
  ignored(name: string): boolean {
    return this.ignoreSubstrings.some((s) => name.includes(s));
  }

  /** Number of elements of a tensor. */
  size(name: string): number {
    return sizeOf(this.shape(name));
  }
}

function parse(path: string, key: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new DataError(`${path}: __metadata__.${key} is not JSON`, { cause: error });
  }
}
