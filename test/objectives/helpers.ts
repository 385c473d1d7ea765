import { type HostTensor, hostTensor, isHostTensor } from '../../src/core/host-tensor.ts';
import { normal } from '../../src/core/random.ts';
import { flatten, unflatten } from '../../src/core/tree.ts';
import { type Tensor, tf } from '../../src/jit/tf.ts';
import type { HostState, NoiseSpecs } from '../../src/objectives/objective.ts';
import { drawNoise } from '../../src/train/noise.ts';

/** The tree with tensors for host arrays. */
export function lift<S>(state: unknown): S {
  const { leaves, structure } = flatten(state, isHostTensor);
  const tensors = leaves.map((h) => tf.tensor(h.data, [...h.shape], h.dtype));
  return unflatten(structure, tensors) as S;
}

/** The tree in memory. */
export function lower(state: unknown): HostState {
  const isTensor = (v: unknown): v is Tensor => v instanceof tf.Tensor;
  const { leaves, structure } = flatten(state, isTensor);
  const host = leaves.map((t) => hostTensor(t.dataSync().slice() as Float32Array, t.shape));
  return unflatten(structure, host) as HostState;
}

export function noiseAt(specs: NoiseSpecs, step = 0, stream = 'test'): Record<string, HostTensor> {
  return drawNoise(specs, { seed: 11, stream, step });
}

/** Four tight blobs on the axes: a target with an obvious wrong answer. */
export function blobs(n: number, step = 0): HostTensor {
  const z = normal({ seed: 3, stream: 'blobs', step }, 2 * n);
  const data = z.map((v, i) => {
    const k = (i >> 1) % 4;
    const angle = (Math.PI / 2) * k;
    return 0.1 * v + (i % 2 === 0 ? Math.cos(angle) : Math.sin(angle));
  });
  return hostTensor(data, [n, 2]);
}

/** The host vector plus h·v. */
export function shifted(base: HostTensor, v: Float32Array, h: number): HostTensor {
  return { ...base, data: (base.data as Float32Array).map((x, i) => x + h * v[i]) };
}
