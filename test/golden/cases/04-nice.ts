import type { HostTensor } from '../../../src/core/host-tensor.ts';
import { logitPixelsOf } from '../../../src/datasets/dequantise.ts';
import { grad } from '../../../src/jit/grad.ts';
import { type Tensor, tf } from '../../../src/jit/tf.ts';
import { type BoundFlow, nice, timeNice } from '../../../src/models/nice.ts';
import { abs, compare, rel, relToMax } from '../compare.ts';
import { executor } from '../executor.ts';
import type { Comparison, GoldenCase } from '../golden-case.ts';
import type { GoldenFile } from '../golden-file.ts';

type Weights = Record<string, Tensor>;

interface Result {
  readonly logDensity: HostTensor;
  readonly y: HostTensor;
  readonly back: HostTensor;
  readonly backDensity: HostTensor;
  readonly sample: HostTensor;
  readonly dx: HostTensor;
  readonly grads: Record<string, HostTensor>;
}

/** The sizes of a file, from its tensors. */
function sizesOf(file: GoldenFile, prefix: string) {
  const dense = (k: number) => `param:${prefix}nice1.dense${k}.weight`;
  let layers = 1;
  while (file.has(dense(layers + 1))) layers++;
  const [width, half] = file.shape(dense(1));
  return { dim: 2 * half, width, layers };
}

/** log p(x), y(x), x(y), samples and the gradients of Σ cot·log p. */
async function compareFlow(
  file: GoldenFile,
  bind: (params: Weights, t?: Tensor) => BoundFlow,
): Promise<Comparison[]> {
  const name = file.has('in:x') ? 'in:x' : 'out:x_preprocessed';
  const t = file.has('in:t') ? file.tensor('in:t') : undefined;
  const run = executor((params: Weights, x: Tensor, cot: Tensor, noise: Tensor, at?: Tensor) => {
    const loss = (p: Weights, z: Tensor) => tf.sum(tf.mul(bind(p, at).logDensity(z), cot));
    const flow = bind(params, at);
    const y = flow.forward(x);
    const back = flow.inverse(y);
    return {
      logDensity: flow.logDensity(x),
      y,
      back,
      backDensity: flow.logDensity(back),
      sample: flow.inverse(noise),
      dx: grad(loss, { argnum: 1 })(params, x),
      grads: grad(loss)(params, x),
    };
  });
  const out = (await run(
    file.group('param:'),
    file.tensor(name),
    file.tensor('in:cot_logp'),
    file.tensor('noise:sample_y'),
    ...(t === undefined ? [] : [t]),
  )) as Result;
  const rows = [
    compare(file, 'out:log_prob', out.logDensity.data, rel(2e-6)),
    compare(file, 'out:y', out.y.data, abs(2e-5)),
    compare(file, 'out:inverse_of_y', out.back.data, abs(2e-5)),
    compare(file, 'out:sample', out.sample.data, abs(2e-5)),
    compare(file, 'grad:in:x', out.dx.data, relToMax(1e-5)),
  ];
  // The reference evaluates the same density at the y that it inverts: log p(x) again.
  if (file.has('out:inverse_log_prob')) {
    rows.push(compare(file, 'out:inverse_log_prob', out.backDensity.data, rel(1e-5)));
  }
  for (const [key, g] of Object.entries(out.grads)) {
    if (file.has(`grad:${key}`)) {
      rows.push(compare(file, `grad:${key}`, g.data, relToMax(1e-5)));
    }
  }
  return rows;
}

async function plain(file: GoldenFile): Promise<Comparison[]> {
  const network = nice(sizesOf(file, ''));
  const rows = await compareFlow(file, (params) => network.bind(params));
  if (!file.has('in:pixels_uint8')) return rows;
  const logits = logitPixelsOf(file.numbers('in:pixels_uint8'), file.numbers('noise:dequant_u'));
  // Near 1 the float32 run of the reference takes log(1 - x) with 1 - x = 0.001: ±6e-5.
  return [...rows, compare(file, 'out:x_preprocessed', logits, abs(2e-4))];
}

function conditioned(file: GoldenFile): Promise<Comparison[]> {
  const timeDim = file.shape('param:time.0.0.weight')[1];
  const network = timeNice({ ...sizesOf(file, 'base.'), timeDim, activation: 'softplus' });
  return compareFlow(file, (params, t) => network.flow(params, { levels: t as Tensor }));
}

export const cases: readonly GoldenCase[] = [
  { prefix: '04_nice', run: plain },
  { prefix: '04_nice_t', run: conditioned },
];
