import type { HostTensor } from '../../../src/core/host-tensor.ts';
import { sumPerSample } from '../../../src/diffusion/gaussian.ts';
import { type RecoverySchedule, recoverySchedule } from '../../../src/diffusion/recovery.ts';
import { grad } from '../../../src/jit/grad.ts';
import { type Tensor, tf } from '../../../src/jit/tf.ts';
import { wideResNet } from '../../../src/models/wide-resnet.ts';
import { shapesOf } from '../../../src/nn/params.ts';
import { type DrlState, drl, recoveryChain } from '../../../src/objectives/drl.ts';
import type { HostState } from '../../../src/objectives/objective.ts';
import { flatLayout, unpackHost } from '../../../src/optim/flat.ts';
import { abs, compare, rel, relToMax } from '../compare.ts';
import { executor } from '../executor.ts';
import type { Comparison, GoldenCase } from '../golden-case.ts';
import type { GoldenFile } from '../golden-file.ts';

// biome-ignore lint/suspicious/noExplicitAny: arguments as the reference names them
type Args = any;
type Trees = Record<string, Tensor>;

/**
 * The schedule with the cumulative deviations of the reference run, whose first one loses digits in
 * float32 (8e-5 of its value) and scales every Langevin step.
 */
function inFloat32(s: RecoverySchedule, file: GoldenFile, b2: number): RecoverySchedule {
  const sigmaCum = file.numbers('out:sigmas_cum');
  const stepFactor = s.stepFactor.map((_, t) => sigmaCum[t] / sigmaCum[0]);
  return {
    ...s,
    sigmaCum,
    stepFactor,
    stepVariance: stepFactor.map((c, t) => b2 * c * s.sigma[t + 1] ** 2),
    tether: stepFactor.map((c, t) => (t === s.steps - 1 ? 0 : 0.5 * b2 * c)),
  };
}

async function run(file: GoldenFile): Promise<Comparison[]> {
  const args = file.args as Args;
  const network = wideResNet({
    depth: args.depth,
    widen: args.widen_factor,
    leak: args.leak,
    timeDim: args.time_embedding_dim,
    timeHidden: args.time_hidden,
    sumPool: args.sum_pool,
    classes: file.shape('param:linear.weight')[0],
  });
  const config = { steps: args.T, stepVariance: args.mcmc_step_size_b_square };
  const own = recoverySchedule(config);
  const s = inFloat32(own, file, config.stepVariance);
  const params = file.group('param:');
  const t = Array.from(file.numbers('in:t'));
  const each = (values: ArrayLike<number>) =>
    tf.tensor4d(
      t.map((i) => values[i]),
      [t.length, 1, 1, 1],
    );

  /** Pair, network and chain, at the noise of the file. */
  const forward = executor(
    (p: Trees, data: Tensor, n: { x: Tensor; xNext: Tensor; chain: Tensor }) => {
      const x = tf.add(tf.mul(data, each(s.aCum)), tf.mul(n.x, each(s.sigmaCum)));
      const next = (v: ArrayLike<number>) => each(Array.from(v).slice(1));
      const xNext = tf.add(tf.mul(x, next(s.a)), tf.mul(n.xNext, next(s.sigma)));
      const time = { levels: t };
      const features = network.bindFeatures(p, time)(data);
      const f = network.bind(p, time);
      const logProbability = (y: Tensor) => {
        const scaled = tf.div(f(y), tf.tensor1d(t.map((i) => s.stepVariance[i])));
        const tether = tf.tensor1d(t.map((i) => s.tether[i] / s.stepVariance[i]));
        return tf.sub(scaled, tf.mul(sumPerSample(tf.square(tf.sub(y, xNext))), tether));
      };
      const delta = each(s.stepVariance.map((v) => args.noise_scale * Math.sqrt(v)));
      const chain = recoveryChain(f, xNext, { tether: each(s.tether), delta }, n.chain);
      const negative = tf.div(chain[chain.length - 1], each(s.scale));
      return {
        x,
        xNext,
        features,
        logits: network.classify(p, features),
        slope: grad((y: Tensor) => tf.sum(f(y)))(data),
        score: grad((y: Tensor) => tf.sum(logProbability(y)))(xNext),
        chain: tf.stack(chain),
        logProbability: tf.stack(chain.map(logProbability)),
        negative,
        moved: tf.sqrt(sumPerSample(tf.square(tf.sub(negative, xNext)))),
        energies: f(tf.mul(x, each(s.scale))),
        fake: f(tf.mul(negative, each(s.scale))),
      };
    },
  );
  const noise = {
    x: file.tensor('noise:x_t'),
    xNext: file.tensor('noise:x_tp1'),
    chain: file.tensor('noise:langevin'),
  };
  const data = file.tensor('in:x0');
  const out = (await forward(params, data, noise)) as Record<string, HostTensor>;
  /** Values per sample, averaged per level. */
  const byLevel = (values: ArrayLike<number>) =>
    Array.from({ length: s.steps }, (_, level) => {
      const of = t.flatMap((v, i) => (v === level ? [values[i]] : []));
      return of.reduce((a, b) => a + b, 0) / Math.max(1, of.length);
    });
  const losses = Array.from(out['fake'].data).map(
    (v, i) => (v - out['energies'].data[i]) * s.weight[t[i]],
  );
  const top = (v: ArrayLike<number>) => [s.a[0], ...Array.from(v)];
  const tether = [1, ...s.tether].map((v) => (v === 0 ? 0 : 1));
  const feature = relToMax(1e-5);
  const chain = abs(1e-5);
  return [
    compare(file, 'out:sigmas', own.sigma, rel(1e-6)),
    compare(file, 'out:a_s', own.a, rel(1e-6)),
    compare(file, 'out:a_s_cum', own.aCum, rel(1e-6)),
    compare(file, 'out:sigmas_cum', own.sigmaCum, rel(1e-3)),
    compare(file, 'out:a_s_prev', top(s.scale), rel(1e-6)),
    compare(file, 'out:is_recovery', tether, rel(1e-6)),
    compare(file, 'out:x_t', out['x'].data, relToMax(1e-5)),
    compare(file, 'out:x_tp1', out['xNext'].data, relToMax(1e-5)),
    compare(file, 'out:features', out['features'].data, feature),
    compare(file, 'out:logits', out['logits'].data, feature),
    compare(file, 'grad:f_sum.x0', out['slope'].data, relToMax(1e-4)),
    compare(file, 'grad:log_prob.y0', out['score'].data, relToMax(1e-4)),
    compare(file, 'out:chain_y', out['chain'].data, chain),
    compare(file, 'out:chain_log_prob', out['logProbability'].data, relToMax(1e-5)),
    compare(file, 'out:x_neg', out['negative'].data, chain),
    compare(file, 'out:disp', byLevel(out['moved'].data), relToMax(1e-4)),
    compare(file, 'out:f_ts', byLevel(out['energies'].data), feature),
    compare(file, 'out:loss_ts', byLevel(losses), abs(1e-5)),
    ...(await compareStep(file, network, config, params, data, noise)),
  ];
}

/** The loss and its gradients through the objective that training runs. */
async function compareStep(
  file: GoldenFile,
  network: ReturnType<typeof wideResNet>,
  schedule: { steps: number; stepVariance: number },
  params: Record<string, HostTensor>,
  data: HostTensor,
  noise: Record<string, HostTensor>,
): Promise<Comparison[]> {
  const objective = drl({
    batch: data.shape[0],
    dataShape: data.shape.slice(1),
    network,
    schedule,
    chainSteps: noise['chain'].shape[0],
    // β1 = 0: the first moment after a step is the gradient.
    adam: { learningRate: 0, betas: [0, 0.9] },
  });
  const state = objective.importNetworks?.(objective.init(0), { energy: params }) as HostState;
  const step = executor((st: DrlState, d: Tensor, n: Trees) => objective.step(st, { data: d }, n));
  const out = (await step(state, data, { ...noise, t: file.tensor('in:t') })) as {
    state: DrlState<HostTensor>;
    metrics: Record<string, HostTensor>;
  };
  const layout = flatLayout(shapesOf(network.params));
  const gradients = unpackHost(layout, out.state.energy.adam.m.data as Float32Array);
  return [
    compare(file, 'out:loss', out.metrics['energyLoss'].data, abs(1e-5)),
    ...Object.entries(gradients)
      .filter(([key]) => file.has(`grad:${key}`) && !file.ignored(`grad:${key}`))
      .map(([key, g]) => compare(file, `grad:${key}`, g.data, relToMax(1e-3))),
  ];
}

export const cases: readonly GoldenCase[] = [{ prefix: '06_drl_wrn', run }];
