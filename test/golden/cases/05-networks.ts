import { logForward } from '../../../src/diffusion/forward.ts';
import {
  gaussianLogNorm,
  klToStandardNormal,
  reparameterise,
} from '../../../src/diffusion/gaussian.ts';
import { gatherLevels, levelTable } from '../../../src/diffusion/levels.ts';
import { grad } from '../../../src/jit/grad.ts';
import { type Tensor, tf } from '../../../src/jit/tf.ts';
import { encoder64, largeEncoder, smallEncoder } from '../../../src/models/encoders.ts';
import { ncsnppEnergy, ncsnppGenerator } from '../../../src/models/ncsnpp.ts';
import type { EncoderNetwork, NetworkSpec } from '../../../src/models/network.ts';
import type { UnetConfig } from '../../../src/models/unet-config.ts';
import { type Params, shapesOf } from '../../../src/nn/params.ts';
import { flatLayout, pack } from '../../../src/optim/flat.ts';
import { compare, rel, relToMax } from '../compare.ts';
import { executor } from '../executor.ts';
import type { Comparison, GoldenCase, Tolerance } from '../golden-case.ts';
import type { GoldenFile } from '../golden-file.ts';

// biome-ignore lint/suspicious/noExplicitAny: arguments as the reference names them
type Args = any;
type Trees = Record<string, Tensor>;

/** Our configuration for the arguments of the official classes. */
export function unetConfigOf(args: Args, blocks: number): UnetConfig {
  if (args.dropout !== 0) throw new Error('networks with dropout cannot be compared');
  const dashed = (name: string) => name.replace('_', '-');
  return {
    size: args.image_size,
    channels: args.num_channels,
    width: args.num_channels_dae,
    multipliers: args.ch_mult,
    blocks,
    attentionAt: args.attn_resolutions,
    filter: args.fir ? 'fir' : 'box',
    taps: args.fir_kernel,
    block: args.resblock_type === 'biggan_oneadagn' ? 'biggan-first' : args.resblock_type,
    resampleConv: args.resamp_with_conv,
    progressiveInput: dashed(args.progressive_input) as UnetConfig['progressiveInput'],
    combine: args.progressive_combine,
    progressive: dashed(args.progressive) as UnetConfig['progressive'],
    rescale: args.skip_rescale,
    centred: args.centered,
  };
}

export function generatorOf(args: Args) {
  return ncsnppGenerator({
    ...unetConfigOf(args, args.num_res_blocks),
    latent: args.nz,
    styleDim: args.z_emb_dim,
    mappingDepth: args.n_mlp,
    tanh: !args.not_use_tanh,
  });
}

export function energyOf(args: Args) {
  return ncsnppEnergy(unetConfigOf(args, args.num_res_blocks_E ?? args.num_res_blocks));
}

export function encoderOf(args: Args): EncoderNetwork {
  const make = { Encoder_small: smallEncoder, Encoder_64: encoder64, Encoder_large: largeEncoder };
  return make[args.cls as keyof typeof make]({
    channels: args.nc / 2,
    width: args.ngf,
    latent: args.nz,
    timeDim: args.t_emb_dim,
  });
}

/** The parameters of the file; refuses those that do not fit the network exactly. */
function weights(file: GoldenFile, network: NetworkSpec) {
  const params = file.group('param:');
  pack(flatLayout(shapesOf(network.params)), params);
  return params;
}

function gradients(
  file: GoldenFile,
  grads: Record<string, { data: Float32Array }>,
  tolerance: Tolerance,
): Comparison[] {
  return Object.entries(grads)
    .filter(([key]) => file.has(`grad:${key}`) && !file.ignored(`grad:${key}`))
    .map(([key, g]) => compare(file, `grad:${key}`, g.data, tolerance));
}

async function runGenerator(file: GoldenFile): Promise<Comparison[]> {
  const network = generatorOf(file.args);
  const run = executor((p: Trees, t: Tensor, x: Tensor, z: Tensor, cot: Tensor) => {
    const at = { p, x, z };
    const apply = (a: { p: Params; x: Tensor; z: Tensor }) =>
      network.bind(a.p, { levels: t })(a.x, a.z, { kind: 'batch' });
    return { y: apply(at), grad: grad((a: typeof at) => tf.sum(tf.mul(apply(a), cot)))(at) };
  });
  const inputs = ['t', 'x', 'z', 'cot'].map((name) => file.tensor(`in:${name}`));
  const out = (await run(weights(file, network), ...inputs)) as Args;
  const { p, x, z } = out.grad;
  return [
    compare(file, 'out:y', out.y.data, relToMax(5e-6)),
    ...gradients(file, { ...p, 'in:x': x, 'in:z': z }, relToMax(5e-5)),
  ];
}

async function runEnergy(file: GoldenFile): Promise<Comparison[]> {
  const network = energyOf(file.args);
  const a = file.numbers('in:coef.a_s').slice(1);
  const sigma = file.numbers('in:coef.sigmas').slice(1);
  const dim = file
    .shape('in:x_t')
    .slice(1)
    .reduce((m, d) => m * d, 1);
  const table = levelTable({
    aNext: a,
    halfPrecision: sigma.map((s) => 0.5 / s ** 2),
    logNorm: sigma.map((s) => gaussianLogNorm(dim, s ** 2)),
  });
  const gamma = file.args['r1_gamma'] as number;
  const run = executor((params: Trees, t: Tensor, x: Tensor, xNext: Tensor, fake: Tensor) => {
    const { at } = gatherLevels(table, t, 4);
    const forward = (y: Tensor) => logForward(at, y, xNext);
    const loss = (p: Params) => {
      const energy = network.bind(p, { levels: t });
      const slope = grad((y: Tensor) => tf.sum(tf.add(energy(y), forward(y))))(x);
      const penalty = tf.mul(tf.sum(tf.square(slope)), gamma / (2 * x.shape[0]));
      const contrast = tf.mean(tf.sub(energy(fake), energy(x)));
      return { loss: tf.add(contrast, penalty), penalty };
    };
    const energy = network.bind(params, { levels: t });
    return {
      energy: energy(x),
      fake: energy(fake),
      forward: forward(x),
      slope: grad((y: Tensor) => tf.sum(energy(y)))(x),
      conditional: grad((y: Tensor) => tf.sum(tf.add(energy(y), forward(y))))(x),
      ...loss(params),
      grad: grad((p: Params) => loss(p).loss)(params),
    };
  });
  const inputs = ['t', 'x_t', 'x_tp1', 'x_pos'].map((name) => file.tensor(`in:${name}`));
  const out = (await run(weights(file, network), ...inputs)) as Args;
  const value = rel(2e-6);
  return [
    compare(file, 'out:energy_value', out.energy.data, value),
    compare(file, 'out:energy_value_pos', out.fake.data, value),
    compare(file, 'out:p_condition', out.forward.data, value),
    compare(file, 'out:errD', out.loss.data, value),
    compare(file, 'out:grad_penalty', out.penalty.data, value),
    compare(file, 'grad:D.x_t', out.slope.data, relToMax(2e-5)),
    compare(file, 'grad:D_plus_logp.x_t', out.conditional.data, relToMax(2e-5)),
    ...gradients(file, out.grad, relToMax(1e-4)),
  ];
}

async function runEncoder(file: GoldenFile): Promise<Comparison[]> {
  const network = encoderOf(file.args);
  const run = executor(
    (params: Trees, t: Tensor, x: Tensor, xNext: Tensor, eps: Tensor, cot: Tensor, z: Tensor) => {
      const forward = (p: Params, xt: Tensor) => {
        const { mean, logVariance } = network.bind(p, { levels: t })(xt, xNext, { kind: 'batch' });
        const sample = reparameterise(mean, logVariance, eps);
        const kld = tf.mean(klToStandardNormal(mean, logVariance));
        const scaled = tf.div(tf.square(tf.sub(z, mean)), tf.add(tf.exp(logVariance), 1e-6));
        const nll = tf.mean(tf.mul(tf.sum(tf.add(logVariance, scaled), 1), 0.5));
        const loss = tf.add(tf.add(tf.sum(tf.mul(sample, cot)), kld), tf.mul(nll, 0.1));
        return {
          mean,
          logvar: logVariance,
          std: tf.exp(tf.mul(logVariance, 0.5)),
          sample,
          kld,
          nll,
          loss,
        };
      };
      const at = { p: params, x };
      return { ...forward(params, x), grad: grad((a: typeof at) => forward(a.p, a.x).loss)(at) };
    },
  );
  const inputs = ['in:t', 'in:x', 'in:x_tp1', 'noise:eps', 'in:cot_sample', 'in:latent_z'];
  const out = (await run(weights(file, network), ...inputs.map((n) => file.tensor(n)))) as Args;
  const values = ['sample', 'mean', 'std', 'logvar', 'kld', 'nll', 'loss'];
  return [
    ...values.map((name) => compare(file, `out:${name}`, out[name].data, relToMax(5e-6))),
    ...gradients(file, { ...out.grad.p, 'in:x': out.grad.x }, relToMax(5e-5)),
  ];
}

export const cases: readonly GoldenCase[] = [
  { prefix: '05_gen_', run: runGenerator },
  { prefix: '05_energy_', run: runEnergy },
  { prefix: '05_enc_', run: runEncoder },
];
