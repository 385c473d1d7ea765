import { ConfigError } from '../../core/errors.ts';
import { type HostTensor, hostTensor, sizeOf } from '../../core/host-tensor.ts';
import { integers, type Key, normal, uniform } from '../../core/random.ts';
import type { RankPlace } from '../../jit/ranks.ts';
import type { NoiseSpec, NoiseSpecs, Objective } from '../../objectives/objective.ts';

/** A stretch of numbers of a tensor in row-major order. */
interface Stretch {
  readonly from: number;
  readonly count: number;
}

/**
 * What one rank takes of the batch and the noise of the whole: the same draws as one process makes,
 * each rank a stretch of each batch, so that the numbers do not depend on how many ranks there are.
 */
export class Share {
  readonly #whole: Objective;
  readonly #noise: Readonly<Record<string, readonly Stretch[]>>;
  readonly #data: readonly Stretch[];
  readonly #local: Objective;

  /**
   * @param whole the method for the whole batch, `local` for a rank's share of it.
   * @throws ConfigError when `local` is not `whole` with a batch divided by the number of ranks.
   */
  constructor(whole: Objective, local: Objective, place: RankPlace) {
    this.#whole = whole;
    this.#local = local;
    this.#noise = Object.fromEntries(
      Object.entries(whole.noise).map(([name, { shape }]) => {
        const part = local.noise[name]?.shape ?? [];
        return [name, stretches(`noise '${name}'`, shape, part, place)];
      }),
    );
    const { batches = 1 } = whole;
    const rows = ([first, ...rest]: readonly number[]) => [batches, first / batches, ...rest];
    this.#data = stretches('the data', rows(whole.batchShape), rows(local.batchShape), place);
  }

  /** This rank's part of `drawNoise(whole.noise, key)`; nothing else is drawn. */
  noise(key: Key): Record<string, HostTensor> {
    return Object.fromEntries(this.noiseByName(key).map(([name, draw]) => [name, draw()]));
  }

  /** The same, tensor by tensor. */
  noiseByName(key: Key): [name: string, draw: () => HostTensor][] {
    return Object.keys(this.#whole.noise).map((name) => [name, () => this.draw(key, name)]);
  }

  /** One tensor of it. */
  draw(key: Key, name: string): HostTensor {
    const specs: NoiseSpecs = this.#whole.noise;
    const own = { ...key, stream: `${key.stream}/${name}` };
    const parts = this.#noise[name].map(({ from, count }) => drawn(specs[name], own, from, count));
    return hostTensor(joined(parts), this.#local.noise[name].shape);
  }

  /** This rank's rows of a whole batch. */
  data(batch: HostTensor): HostTensor {
    const parts = this.#data.map(({ from, count }) => batch.data.subarray(from, from + count));
    return hostTensor(joined(parts as Float32Array[]), this.#local.batchShape);
  }
}

function drawn(spec: NoiseSpec, key: Key, from: number, count: number): Float32Array | Int32Array {
  switch (spec.kind) {
    case 'normal':
      return normal(key, count, from);
    case 'uniform':
      return uniform(key, count, from);
    case 'integers':
      // Rejected words shift all that follow: these cannot be drawn from the middle.
      return integers(key, from + count, spec.high ?? 0).subarray(from);
  }
}

function joined<T extends Float32Array | Int32Array>(parts: readonly T[]): T {
  if (parts.length === 1) return parts[0].slice() as T;
  const Type = parts[0].constructor as new (n: number) => T;
  const all = new Type(parts.reduce((n, p) => n + p.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

/** The stretches of a tensor [.., B, ..] that are a rank's [.., B/size, ..]. */
function stretches(
  what: string,
  whole: readonly number[],
  part: readonly number[],
  { rank, size }: RankPlace,
): Stretch[] {
  const differ = whole.flatMap((d, i) => (d === part[i] ? [] : [i]));
  if (differ.length === 0 && whole.length === part.length) {
    return [{ from: 0, count: sizeOf(whole) }];
  }
  const [axis] = differ;
  if (differ.length !== 1 || whole.length !== part.length || whole[axis] !== size * part[axis]) {
    throw new ConfigError(
      `training on ${size} ranks: ${what} is [${whole}] for the whole batch and [${part}] for a rank; one axis should be divided by ${size}`,
    );
  }
  const inner = sizeOf(whole.slice(axis + 1));
  const outer = sizeOf(whole.slice(0, axis));
  const count = part[axis] * inner;
  return Array.from({ length: outer }, (_, i) => ({
    from: (i * whole[axis] + rank * part[axis]) * inner,
    count,
  }));
}
