import { reparameterise } from '../../../src/diffusion/gaussian.ts';
import { grad } from '../../../src/jit/grad.ts';
import { type Tensor, tf } from '../../../src/jit/tf.ts';
import { type ToyConfig, toyEncoder, toyEnergy, toyGenerator } from '../../../src/models/toy.ts';
import type { NormMode } from '../../../src/nn/batch-norm.ts';
import { embedLevels } from '../../../src/nn/embedding.ts';
import { shapesOf } from '../../../src/nn/params.ts';
import { flatLayout, pack } from '../../../src/optim/flat.ts';
import { compare, relToMax } from '../compare.ts';
import type { Comparison, GoldenCase } from '../golden-case.ts';
import type { GoldenFile } from '../golden-file.ts';
import { eagerly, toTensor, toTensors } from '../tensors.ts';

export interface ToyArgs {
  readonly encoder_layers: readonly number[];
  readonly pos_dim: number;
  readonly decoder_layers: readonly number[];
}

/** Sizes from the arguments, and from the parameters where the arguments are silent. */
export function toyConfigOf(file: GoldenFile, args: ToyArgs): ToyConfig {
  const [latent, features] = file.shape('param:netE.fc_mu.weight');
  const dim = file.shape('param:netD.x_encoder.layers.0.weight')[1];
  return {
    dim,
    latent,
    features,
    posDim: args.pos_dim,
    encoderLayers: args.encoder_layers,
    decoderLayers: args.decoder_layers,
  };
}

const FORWARD = relToMax(1e-5);
const GRADIENT = relToMax(2e-4);

function run(file: GoldenFile): Promise<Comparison[]> {
  return eagerly(() => {
    const config = toyConfigOf(file, file.args as unknown as ToyArgs);
    return [
      ...compareEnergy(file, config),
      ...compareGenerator(file, config),
      ...compareEncoder(file, config),
      compare(
        file,
        'out:time_embedding',
        embedLevels(Array.from(file.numbers('in:t')), config.posDim as number).dataSync(),
        FORWARD,
      ),
    ];
  });
}

function compareEnergy(file: GoldenFile, config: ToyConfig): Comparison[] {
  const energy = toyEnergy(config);
  const params = load(file, 'netD', energy.params);
  const time = { levels: toTensor(file.tensor('in:t')) };
  const x = toTensor(file.tensor('in:x2'));
  const cotangent = tf.reshape(toTensor(file.tensor('in:cot_D')), [-1]);
  const loss = (p: typeof params, y: Tensor) => tf.sum(tf.mul(energy.bind(p, time)(y), cotangent));
  return [
    compare(file, 'out:netD', energy.bind(params, time)(x).dataSync(), FORWARD),
    ...gradients(file, 'netD', grad((p: typeof params) => loss(p, x))(params)),
    compare(file, 'grad:netD.in:x2', grad((y: Tensor) => loss(params, y))(x).dataSync(), GRADIENT),
  ];
}

function compareGenerator(file: GoldenFile, config: ToyConfig): Comparison[] {
  const generator = toyGenerator(config);
  const params = load(file, 'netG', generator.params);
  const buffers = toTensors(file.group('param:netG.'));
  const time = { levels: toTensor(file.tensor('in:t')) };
  const input = toTensor(file.tensor('in:x4'));
  const cotangent = toTensor(file.tensor('in:cot_G'));
  const apply = (p: typeof params, x: Tensor, mode: NormMode) => {
    const [xNext, z] = tf.split(x, [config.dim as number, config.latent as number], 1);
    return generator.bind(p, time)(xNext, z, mode);
  };
  const collect: Record<string, Tensor> = {};
  const out = apply(params, input, { kind: 'batch', collect });
  const loss = (p: typeof params, x: Tensor) =>
    tf.sum(tf.mul(apply(p, x, { kind: 'batch' }), cotangent));
  return [
    compare(file, 'out:netG', out.dataSync(), FORWARD),
    compare(
      file,
      'out:netG.eval',
      apply(params, input, { kind: 'running', buffers }).dataSync(),
      FORWARD,
    ),
    ...running(file, 'netG', collect),
    ...gradients(file, 'netG', grad((p: typeof params) => loss(p, input))(params)),
    compare(
      file,
      'grad:netG.in:x4',
      grad((x: Tensor) => loss(params, x))(input).dataSync(),
      GRADIENT,
    ),
  ];
}

function compareEncoder(file: GoldenFile, config: ToyConfig): Comparison[] {
  const encoder = toyEncoder(config);
  const params = load(file, 'netE', encoder.params);
  const buffers = toTensors(file.group('param:netE.'));
  const time = { levels: toTensor(file.tensor('in:t')) };
  const input = toTensor(file.tensor('in:x4'));
  const cotSample = toTensor(file.tensor('in:cot_E_sample'));
  const cotLogVariance = toTensor(file.tensor('in:cot_E_logvar'));
  const apply = (p: typeof params, x: Tensor, mode: NormMode, noise: string) => {
    const dim = config.dim as number;
    const [xt, xNext] = tf.split(x, [dim, dim], 1);
    const { mean, logVariance } = encoder.bind(p, time)(xt, xNext, mode);
    const sample = reparameterise(mean, logVariance, toTensor(file.tensor(noise)));
    return { mean, logVariance, sample };
  };
  const collect: Record<string, Tensor> = {};
  const out = apply(params, input, { kind: 'batch', collect }, 'noise:eps');
  const evaluated = apply(params, input, { kind: 'running', buffers }, 'noise:eps_eval');
  const loss = (p: typeof params, x: Tensor) => {
    const { sample, logVariance } = apply(p, x, { kind: 'batch' }, 'noise:eps');
    return tf.add(tf.sum(tf.mul(sample, cotSample)), tf.sum(tf.mul(logVariance, cotLogVariance)));
  };
  return [
    compare(file, 'out:netE.mean', out.mean.dataSync(), FORWARD),
    compare(file, 'out:netE.logvar', out.logVariance.dataSync(), FORWARD),
    compare(file, 'out:netE.std', tf.exp(tf.mul(out.logVariance, 0.5)).dataSync(), FORWARD),
    compare(file, 'out:netE.sample', out.sample.dataSync(), FORWARD),
    compare(file, 'out:netE.eval.mean', evaluated.mean.dataSync(), FORWARD),
    compare(file, 'out:netE.eval.logvar', evaluated.logVariance.dataSync(), FORWARD),
    compare(file, 'out:netE.eval.sample', evaluated.sample.dataSync(), FORWARD),
    ...running(file, 'netE', collect),
    ...gradients(file, 'netE', grad((p: typeof params) => loss(p, input))(params)),
    compare(
      file,
      'grad:netE.in:x4',
      grad((x: Tensor) => loss(params, x))(input).dataSync(),
      GRADIENT,
    ),
  ];
}

/** The parameters of a network; refuses a state dict that does not fit exactly. */
function load(
  file: GoldenFile,
  network: string,
  specs: Parameters<typeof shapesOf>[0],
): Record<string, Tensor> {
  const weights = Object.fromEntries(
    Object.entries(file.group(`param:${network}.`)).filter(
      ([k]) => !/\.(running_mean|running_var|num_batches_tracked)$/.test(k),
    ),
  );
  pack(flatLayout(shapesOf(specs)), weights);
  return toTensors(weights);
}

function gradients(
  file: GoldenFile,
  network: string,
  grads: Readonly<Record<string, Tensor>>,
): Comparison[] {
  return Object.entries(grads)
    .map(([k, g]) => [`grad:${network}.${k}`, g] as const)
    .filter(([name]) => file.has(name) && !file.ignored(name))
    .map(([name, g]) => compare(file, name, g.dataSync(), GRADIENT));
}

/** Running statistics after one batch: r ← 0.9·r + 0.1·batch; idle norms keep theirs. */
function running(
  file: GoldenFile,
  network: string,
  collected: Readonly<Record<string, Tensor>>,
): Comparison[] {
  const prefix = `out:after_train_forward.${network}.`;
  return file.names(prefix).map((name) => {
    const key = name.slice(prefix.length);
    const before = file.numbers(`param:${network}.${key}`);
    const batch = collected[key]?.dataSync();
    if (key.endsWith('num_batches_tracked')) {
      const norm = key.slice(0, -'.num_batches_tracked'.length);
      const ran = collected[`${norm}.running_mean`] !== undefined;
      return compare(file, name, [before[0] + (ran ? 1 : 0)], FORWARD);
    }
    return compare(
      file,
      name,
      batch === undefined ? before : before.map((r, i) => 0.9 * r + 0.1 * batch[i]),
      FORWARD,
    );
  });
}

export const cases: readonly GoldenCase[] = [{ prefix: '03_toy_forward', run }];
