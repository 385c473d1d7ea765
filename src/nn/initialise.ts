import { type HostTensor, hostTensor, sizeOf } from '../core/host-tensor.ts';
import { normal, uniform } from '../core/random.ts';
import type { ParamSpec, ParamSpecs } from './params.ts';

/** How a parameter starts. */
export type Initialiser =
  /** U(−bound, bound). */
  | { readonly kind: 'uniform'; readonly bound: number }
  /** N(mean, std²). */
  | { readonly kind: 'normal'; readonly mean: number; readonly std: number }
  | { readonly kind: 'constant'; readonly value: number }
  /** The first half of the elements one value, the second half another. */
  | { readonly kind: 'halves'; readonly first: number; readonly second: number };

/**
 * Draws every parameter. Each has a random stream of its own (`${stream}/${key}`), so adding a
 * layer does not change how the others start.
 */
export function initialise(
  specs: ParamSpecs,
  seed: number,
  stream: string,
): Record<string, HostTensor> {
  const out: Record<string, HostTensor> = {};
  for (const [key, spec] of Object.entries(specs)) {
    out[key] = hostTensor(draw(spec, seed, `${stream}/${key}`), spec.shape);
  }
  return out;
}

function draw({ shape, init }: ParamSpec, seed: number, stream: string): Float32Array {
  const n = sizeOf(shape);
  const key = { seed, stream, step: 0 };
  switch (init.kind) {
    case 'uniform':
      return uniform(key, n).map((u) => init.bound * (2 * u - 1));
    case 'normal':
      return normal(key, n).map((z) => init.mean + init.std * z);
    case 'constant':
      return new Float32Array(n).fill(init.value);
    case 'halves':
      return new Float32Array(n).fill(init.first, 0, n / 2).fill(init.second, n / 2);
  }
}

/**
 * Weight and bias of an affine layer as PyTorch draws them: Kaiming-uniform with a = √5, which is
 * U(±1/√fanIn) for both. Keys `${name}.weight` [out, in] and `${name}.bias` [out].
 */
export function linearSpecs(name: string, fanIn: number, fanOut: number): ParamSpecs {
  const init: Initialiser = { kind: 'uniform', bound: 1 / Math.sqrt(fanIn) };
  return {
    [`${name}.weight`]: { shape: [fanOut, fanIn], init },
    [`${name}.bias`]: { shape: [fanOut], init },
  };
}

/** Slope of a PReLU: one scalar, 0.25 (PyTorch). */
export function preluSpecs(name: string): ParamSpecs {
  return { [`${name}.weight`]: { shape: [1], init: { kind: 'constant', value: 0.25 } } };
}

/** What replaces a scale of 0, so that a layer starts near zero but not at it. */
const MIN_SCALE = 1e-10;

/**
 * Variance scaling by the average of fan-in and fan-out, uniform: U(±√(3s/fan)), the start of all
 * layers of NCSN++ and DDPM++. `taps` is the number of kernel positions, 1 for a dense layer.
 */
export function fanAverage(scale: number, fanIn: number, fanOut: number, taps = 1): Initialiser {
  const fan = (taps * (fanIn + fanOut)) / 2;
  return { kind: 'uniform', bound: Math.sqrt((3 * (scale || MIN_SCALE)) / fan) };
}

/** An affine layer that starts by `fanAverage` with zero bias. */
export function denseSpecs(name: string, fanIn: number, fanOut: number, scale = 1): ParamSpecs {
  return {
    [`${name}.weight`]: { shape: [fanOut, fanIn], init: fanAverage(scale, fanIn, fanOut) },
    [`${name}.bias`]: { shape: [fanOut], init: { kind: 'constant', value: 0 } },
  };
}
