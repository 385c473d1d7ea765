import { expect } from 'vitest';
import type { HostTensor } from '../../src/core/host-tensor.ts';
import { jit, type Tensor, tf, valueAndGrad } from '../../src/jit/index.ts';
import { type Entry, floats, type Sample } from './sample.ts';

/*
 * One sample, four comparisons: the value, the gradient of a loss and the gradient of the squared
 * gradient, each eager against jitted, and both gradients against differences of the level below.
 *
 * The loss is Σ w·(y + y²/2): the square makes the second order of a linear op non-trivial.
 */

/**
 * Largest deviation that float32 rounding may cause, relative to the largest element, or to FLOOR
 * where all are smaller: then they are what cancellation left.
 */
export const TOLERANCE = { value: 2e-6, first: 1e-5, second: 1e-4 } as const;
const FLOOR = 0.05;
/** Relative to the sum of the moduli of the terms of the directional derivative. */
const DIFFERENCE_TOLERANCE = 5e-3;
const STEP = 0.01;

interface Outcome {
  readonly values: Tensor[];
  readonly first: Tensor[];
  readonly second: Tensor[];
}

type Everything = (args: Tensor[], weights: Tensor[], penalties: Tensor[]) => Outcome;

const isFloat = (t: { dtype: string }) => t.dtype === 'float32';
const asArray = (y: Tensor | Tensor[]) => (Array.isArray(y) ? y : [y]);

function differentiated(entry: Entry, args: readonly { dtype: string }[]): number[] {
  return args.flatMap((a, i) => (isFloat(a) && !entry.fixed.includes(i) ? [i] : []));
}

/** Value, gradient and gradient of the squared gradient as one function of all arguments. */
function everything(entry: Entry, sample: Sample): Everything {
  const indices = differentiated(entry, sample.args);
  return (args, weights, penalties) => {
    const value = (xs: Tensor[]): Tensor[] => {
      const all = [...args];
      for (const [k, i] of indices.entries()) all[i] = xs[k];
      return asArray(sample.f(...(all as never[])));
    };
    const loss = (xs: Tensor[]) => {
      const ys = value(xs);
      const terms = ys
        .filter(isFloat)
        .map((y, k) => tf.sum(weights[k].mul(y.add(y.square().mul(0.5)))));
      return [tf.addN(terms), ys] as const;
    };
    const xs = indices.map((i) => args[i]);
    if (entry.order === 0) return { values: value(xs), first: [], second: [] };
    const first = valueAndGrad(loss, { hasAux: true });
    if (entry.order === 1) {
      const { aux, grad } = first(xs);
      return { values: aux, first: grad, second: [] };
    }
    const penalty = (vs: Tensor[]) => {
      const { aux, grad } = first(vs);
      const terms = grad.map((g, k) => tf.sum(penalties[k].mul(g.square())));
      return [tf.addN(terms), { values: aux, first: grad }] as const;
    };
    const { aux, grad } = valueAndGrad(penalty, { hasAux: true })(xs);
    return { ...aux, second: grad };
  };
}

const tensorOf = (t: HostTensor) => tf.tensor(t.data.slice(), [...t.shape], t.dtype);

function weightsLike(tensors: readonly { shape: readonly number[] }[], seed: number) {
  return tensors.map((t, k) => floats(t.shape, 'real', seed + k));
}

/** A sample as a function with its derivatives, its arguments, and what it gives eagerly. */
export interface Case {
  readonly f: Everything;
  readonly args: readonly HostTensor[];
  readonly weights: readonly HostTensor[];
  readonly penalties: readonly HostTensor[];
  readonly eager: Outcome;
}

export function caseOf(entry: Entry, sample: Sample): Case {
  const f = everything(entry, sample);
  const inputs = differentiated(entry, sample.args).map((i) => sample.args[i]);
  const probe = tf.tidy(() =>
    asArray((sample.eager ?? sample.f)(...(sample.args.map(tensorOf) as never[]))),
  );
  const weights = weightsLike(probe.filter(isFloat), 11);
  const penalties = weightsLike(inputs, 77);
  const eager = jit(everything(entry, { ...sample, f: sample.eager ?? sample.f }), {
    executor: 'eager',
  })(sample.args.map(tensorOf), weights.map(tensorOf), penalties.map(tensorOf));
  tf.dispose(probe);
  return { f, args: sample.args, weights, penalties, eager };
}

/** Compares what a case gave with what it gives eagerly; returns the largest relative deviations. */
export function compare(
  entry: Entry,
  sample: Sample,
  result: Outcome,
  eager: Outcome,
): Record<keyof Outcome, number> {
  const worst = { values: 0, first: 0, second: 0 };
  for (const level of ['values', 'first', 'second'] as const) {
    expect(result[level].length).toBe(eager[level].length);
    for (const [i, got] of result[level].entries()) {
      const want = eager[level][i];
      expect([got.dtype, got.shape], `${level} ${i}`).toEqual([want.dtype, want.shape]);
      const expected = reference(entry, sample, level) ?? want.dataSync();
      const deviation = relativeToMax(got.dataSync(), expected);
      const tolerance = TOLERANCE[level === 'values' ? 'value' : level] * entry.slack;
      expect(deviation, `${level} ${i}: eager ${expected}, jitted ${got.dataSync()}`).toBeLessThan(
        isFloat(want) ? tolerance : Number.MIN_VALUE,
      );
      worst[level] = Math.max(worst[level], deviation);
    }
  }
  return worst;
}

/** Runs one sample; returns the largest relative deviations seen. */
export function check(entry: Entry, sample: Sample): Record<keyof Outcome, number> {
  const { f, args, weights, penalties, eager } = caseOf(entry, sample);
  const jitted = jit(f, { name: entry.name });
  const call = (moved: readonly HostTensor[]) =>
    jitted([...moved], weights as HostTensor[], penalties as HostTensor[]);
  const result = call(args);
  const worst = compare(entry, sample, result, eager);
  let calls = 1;
  if (entry.order > 0 && entry.noDifferences === undefined) {
    compareWithDifferences(entry, sample, { call, result, weights, penalties });
    calls += 4;
  }
  const stats = jitted.stats();
  expect({ traces: stats.traces, onnx: stats.onnxCalls, eager: stats.eagerCalls }).toEqual({
    traces: 1,
    onnx: calls,
    eager: 0,
  });
  tf.dispose([eager, result] as never);
  return worst;
}

function reference({ reference: f }: Entry, { args }: Sample, level: keyof Outcome) {
  return f !== undefined && level === 'values'
    ? Array.from(args[0].data as Float32Array, f)
    : undefined;
}

function relativeToMax(got: ArrayLike<number>, want: ArrayLike<number>): number {
  let scale = 0;
  let deviation = 0;
  for (let i = 0; i < want.length; i++) {
    if (Object.is(got[i], want[i]) || got[i] === want[i]) {
      if (Number.isFinite(want[i])) scale = Math.max(scale, Math.abs(want[i]));
      continue;
    }
    scale = Math.max(scale, Math.abs(want[i]));
    const d = Math.abs(got[i] - want[i]);
    deviation = Number.isNaN(d) ? Number.POSITIVE_INFINITY : Math.max(deviation, d);
  }
  return deviation === 0 ? 0 : deviation / Math.max(scale, FLOOR);
}

interface Run {
  readonly call: (args: readonly HostTensor[]) => Outcome;
  readonly result: Outcome;
  readonly weights: readonly HostTensor[];
  readonly penalties: readonly HostTensor[];
}

/** Directional derivatives along a random direction by central differences, extrapolated once. */
function compareWithDifferences(entry: Entry, sample: Sample, run: Run): void {
  const indices = differentiated(entry, sample.args);
  const directions = indices.map((i) =>
    floats(sample.args[i].shape, 'unit', 1234 + i).data.map((v) => v),
  );
  const at = (h: number) => {
    const moved = [...sample.args];
    for (const [k, i] of indices.entries()) {
      const data = Float32Array.from(moved[i].data, (x, j) => x + h * directions[k][j]);
      moved[i] = { ...moved[i], data };
    }
    const outcome = run.call(moved);
    return {
      loss: lossOnHost(outcome.values, run.weights),
      penalty: penaltyOnHost(outcome.first, run.penalties),
    };
  };
  const [a, b, c, d] = [STEP, -STEP, 2 * STEP, -2 * STEP].map(at);
  for (const level of ['first', 'second'] as const) {
    if (run.result[level].length === 0) continue;
    const of = level === 'first' ? 'loss' : 'penalty';
    const near = (a[of].sum - b[of].sum) / (2 * STEP);
    const far = (c[of].sum - d[of].sum) / (4 * STEP);
    const numeric = (4 * near - far) / 3;
    let exact = 0;
    let scale = 0;
    for (const [k, g] of run.result[level].entries()) {
      for (const [j, v] of g.dataSync().entries()) {
        exact += v * directions[k][j];
        scale += Math.abs(v * directions[k][j]);
      }
    }
    const rounding = (2e-7 * a[of].moduli) / STEP;
    expect(
      Math.abs(numeric - exact),
      `${level}: derivative ${exact}, differences ${numeric}, near ${near}, far ${far}`,
    ).toBeLessThan(DIFFERENCE_TOLERANCE * entry.slack * scale + rounding + 1e-9);
  }
}

function lossOnHost(values: readonly Tensor[], weights: readonly HostTensor[]) {
  let sum = 0;
  let moduli = 0;
  for (const [k, y] of values.filter(isFloat).entries()) {
    for (const [j, v] of y.dataSync().entries()) {
      sum += weights[k].data[j] * (v + (v * v) / 2);
      moduli += Math.abs(weights[k].data[j]) * (Math.abs(v) + v * v);
    }
  }
  return { sum, moduli };
}

function penaltyOnHost(grads: readonly Tensor[], penalties: readonly HostTensor[]) {
  let sum = 0;
  let moduli = 0;
  for (const [k, g] of grads.entries()) {
    for (const [j, v] of g.dataSync().entries()) {
      sum += penalties[k].data[j] * v * v;
      moduli += 4 * Math.abs(penalties[k].data[j]) * v * v;
    }
  }
  return { sum, moduli };
}
