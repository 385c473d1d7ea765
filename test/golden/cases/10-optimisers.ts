import { type HostTensor, hostTensor } from '../../../src/core/host-tensor.ts';
import type { Tensor } from '../../../src/jit/tf.ts';
import { type AdamState, adam } from '../../../src/optim/adam.ts';
import { type EmaState, emaInit, emaStep } from '../../../src/optim/ema.ts';
import { cosineAnnealing, exponential } from '../../../src/optim/schedules.ts';
import { sgd } from '../../../src/optim/sgd.ts';
import { abs, compare, rel } from '../compare.ts';
import { executor } from '../executor.ts';
import type { Check, Comparison, GoldenCase } from '../golden-case.ts';
import type { GoldenFile } from '../golden-file.ts';
import { rowOf } from '../tensors.ts';

interface Variant {
  readonly lr?: number;
  readonly betas?: readonly [number, number];
  readonly eps?: number;
  readonly weight_decay?: number;
  readonly amsgrad?: boolean;
}

interface Rule<S> {
  init(size: number): unknown;
  step(state: S, params: Tensor, gradient: Tensor): { params: Tensor; state: S };
}

/** The trajectory of a rule on flat vectors, one compiled call per step. */
async function trajectory<S>(
  rule: Rule<S>,
  start: HostTensor,
  gradients: HostTensor,
  steps = gradients.shape[0],
): Promise<{ path: number[]; state: Record<string, HostTensor>; at: HostTensor[] }> {
  const run = executor((state: S, params: Tensor, gradient: Tensor) =>
    rule.step(state, params, gradient),
  );
  let params = flat(start);
  let state = rule.init(params.data.length) as Record<string, HostTensor>;
  const at: HostTensor[] = [];
  for (let k = 0; k < steps; k++) {
    const next = (await run(state, params, flat(rowOf(gradients, k)))) as {
      params: HostTensor;
      state: Record<string, HostTensor>;
    };
    params = next.params;
    state = next.state;
    at.push(params);
  }
  return { path: at.flatMap((p) => Array.from(p.data)), state, at };
}

const flat = (t: HostTensor) => hostTensor(t.data, [t.data.length]);

async function adamSequence(file: GoldenFile): Promise<Comparison[]> {
  const start = file.tensor('in:p0');
  const gradients = file.tensor('in:g');
  const rows: Comparison[] = [];
  for (const [name, v] of Object.entries(file.args['variants'] as Record<string, Variant>)) {
    const rule = adam({
      learningRate: v.lr ?? 1e-3,
      betas: v.betas,
      eps: v.eps,
      weightDecay: v.weight_decay,
      amsgrad: v.amsgrad,
    });
    const { path, state } = await trajectory<AdamState>(rule, start, gradients);
    rows.push(
      compare(file, `out:${name}.p`, path, abs(2e-6)),
      compare(file, `out:${name}.exp_avg`, state['m'].data, { kind: 'rel-to-max', value: 2e-6 }),
      compare(file, `out:${name}.exp_avg_sq`, state['v'].data, {
        kind: 'rel-to-max',
        value: 2e-6,
      }),
    );
  }
  const rule = sgd({ learningRate: 0.01, momentum: 0.9, weightDecay: 5e-4 });
  const { path } = await trajectory(rule, start, gradients);
  rows.push(compare(file, 'out:sgd_momentum.p', path, { kind: 'rel-to-max', value: 1e-6 }));
  return rows;
}

/**
 * Three parameters of one optimiser of the reference; one of them gets its first gradient later
 * and starts its state then, so each runs on its own here.
 */
async function emaSequence(file: GoldenFile): Promise<Comparison[]> {
  const decay = file.args['decay'] as number;
  const rule = adam({ learningRate: 1e-2, betas: [0, 0.9] });
  const average = executor((state: EmaState, params: Tensor) => emaStep(decay, state, params));
  const rows: Comparison[] = [];
  for (const name of ['a', 'b', 'c']) {
    const start = file.tensor(`in:${name}0`);
    const size = start.data.length;
    const expected = file.numbers(`out:e${name}`);
    const idle = expected.findIndex((v) => !Number.isNaN(v)) / size;
    const gradients = file.tensor(`in:g${name}`);
    const late = hostTensor(gradients.data.subarray(idle * size), [
      gradients.shape[0] - idle,
      ...gradients.shape.slice(1),
    ]);
    const { path, at } = await trajectory<AdamState>(rule, start, late);
    let ema = emaInit(size) as unknown;
    const averages: number[] = new Array(idle * size).fill(Number.NaN);
    for (const params of at) {
      ema = await average(ema, params);
      averages.push(...(ema as EmaState<HostTensor>).average.data);
    }
    const before = Array.from({ length: idle }, () => Array.from(start.data)).flat();
    rows.push(
      compare(file, `out:${name}`, [...before, ...path], abs(1e-6)),
      compare(file, `out:e${name}`, averages, abs(1e-6)),
    );
    if (name === 'a') {
      const last = at[at.length - 1].data;
      const lastAverage = (ema as EmaState<HostTensor>).average.data;
      rows.push(
        compare(file, 'out:a_after_swap', lastAverage, abs(1e-6)),
        compare(file, 'out:a_stored_after_swap', last, abs(1e-6)),
        compare(file, 'out:a_after_second_swap', last, abs(1e-6)),
      );
    }
  }
  return rows;
}

function schedules(file: GoldenFile): Comparison[] {
  const rows: Comparison[] = [];
  for (const [name, value] of Object.entries(file.args)) {
    const { lr, T_max } = value as { lr: number; T_max: number };
    const rate = cosineAnnealing(lr, T_max);
    const ours = Float64Array.from({ length: file.size(`out:${name}.lr`) }, (_, e) => rate(e));
    const theirs = file.numbers(`out:${name}.lr`);
    // Rates near the minimum come out of a long recursion in the reference.
    const worst = ours.reduce((m, r, e) => {
      const allowed = Math.max(1e-9 * Math.abs(theirs[e]), 1e-15 * T_max);
      return Math.max(m, Math.abs(r - theirs[e]) / allowed);
    }, 0);
    const check: Check = {
      name: `out:${name}.lr`,
      pass: ours.length === theirs.length && worst <= 1,
      detail: `largest error ${worst} of max(1e-9 relative, 1e-15·T)`,
    };
    rows.push(check, compare(file, `out:${name}.closed_form`, ours, rel(1e-9)));
  }
  const rate = exponential(1e-4, 0.99);
  const key = 'out:exponential099.lr';
  const start = file.numbers(key)[0];
  const scaled = Float64Array.from({ length: file.size(key) }, (_, e) => (rate(e) / 1e-4) * start);
  rows.push(compare(file, key, scaled, rel(1e-9)));
  return rows;
}

export const cases: readonly GoldenCase[] = [
  { prefix: '10_adam_sequence', run: adamSequence },
  { prefix: '10_ema_sequence', run: emaSequence },
  { prefix: '10_lr_schedules', run: schedules },
];
