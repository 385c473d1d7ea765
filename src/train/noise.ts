import { type HostTensor, hostTensor, sizeOf } from '../core/host-tensor.ts';
import { integers, type Key, normal, uniform } from '../core/random.ts';
import type { NoiseSpecs } from '../objectives/objective.ts';

/**
 * Draws every random tensor a step or a sampler asks for.
 * @param key each tensor gets the stream `${key.stream}/${name}`.
 */
export function drawNoise(specs: NoiseSpecs, key: Key): Record<string, HostTensor> {
  return Object.fromEntries([...drawsOf(specs, key)].map(([name, draw]) => [name, draw()]));
}

/** The same, each drawn when it is asked for. */
export function drawsOf(specs: NoiseSpecs, key: Key): Map<string, () => HostTensor> {
  const draw = (name: string, spec: NoiseSpecs[string]): HostTensor => {
    const own = { ...key, stream: `${key.stream}/${name}` };
    const n = sizeOf(spec.shape);
    switch (spec.kind) {
      case 'normal':
        return hostTensor(normal(own, n), spec.shape);
      case 'uniform':
        return hostTensor(uniform(own, n), spec.shape);
      case 'integers':
        return hostTensor(integers(own, n, spec.high ?? 0), spec.shape);
    }
  };
  return new Map(Object.entries(specs).map(([name, spec]) => [name, () => draw(name, spec)]));
}

/** Tensors of these shapes and types whose values nobody reads; their memory is one and the same. */
export function unread(specs: NoiseSpecs): Record<string, HostTensor> {
  const longest = Math.max(0, ...Object.values(specs).map(({ shape }) => sizeOf(shape)));
  const [floats, integral] = [new Float32Array(longest), new Int32Array(longest)];
  return Object.fromEntries(
    Object.entries(specs).map(([name, { kind, shape }]) => {
      const data = (kind === 'integers' ? integral : floats).subarray(0, sizeOf(shape));
      return [name, hostTensor(data, shape)];
    }),
  );
}
