import type { HostTensor } from '../../../src/core/host-tensor.ts';
import type { Tensor } from '../../../src/jit/tf.ts';
import { type Ddaebm, type DdaebmState, ddaebm } from '../../../src/objectives/ddaebm.ts';
import type { DdaebmOptions } from '../../../src/objectives/ddaebm-config.ts';
import type { HostState, StateDicts } from '../../../src/objectives/objective.ts';
import { unpackHost } from '../../../src/optim/flat.ts';
import { compare, rel, relToMax } from '../compare.ts';
import { executor } from '../executor.ts';
import type { Comparison, GoldenCase } from '../golden-case.ts';
import type { GoldenFile } from '../golden-file.ts';
import { encoderOf, energyOf, generatorOf } from './05-networks.ts';

/**
 * The three reconstruction terms of the file. `ref` is the released code for CIFAR-10 and CelebA,
 * `paper` the same with the latent of the encoder, `lsun128` the weighted likelihood.
 */
const FORMS: Record<string, Partial<DdaebmOptions>> = {
  ref: { reconstruction: 'prior', reconstructionLoss: 'squared-error' },
  paper: { reconstruction: 'encoder', reconstructionLoss: 'squared-error' },
  lsun128: {
    reconstruction: 'encoder',
    reconstructionLoss: 'likelihood',
    reconstructionFloor: 'second',
    recoveryWeights: [0.6, 0.2],
  },
};

const DRAWS: Readonly<Record<string, string>> = {
  t: 'in:t',
  x: 'noise:x_t',
  xNext: 'noise:x_tp1',
  z: 'noise:latent_z',
  posterior: 'noise:posterior',
  zPosterior: 'noise:eps_E_real',
};

const SAMPLES = { x: 'x_t', xNext: 'x_tp1', clean: 'x_0_predict', fake: 'x_pos_sample' } as const;

const LOSSES: Readonly<Record<string, string>> = {
  generatorLoss: 'errG',
  likelihood: 'E_F',
  latent: 'errLatent',
  kl: 'errKld',
  reconstruction: 'err_Recon',
};

/** τ_k from the stored weights: the inverse of eq. (21). */
function timesOf(file: GoldenFile): number[] {
  const exponent = Math.log(0.2 / 0.6) / Math.log(0.5);
  return Array.from(file.numbers('in:recon_weight'), (w) => (w / 0.6) ** (1 / exponent));
}

function objectiveOf(file: GoldenFile, form: Partial<DdaebmOptions>): Ddaebm {
  const {
    generator_and_energy: unet,
    encoder,
    batch,
    r1_gamma: gamma,
  } = file.args as never as {
    generator_and_energy: { nz: number };
    encoder: object;
    batch: number;
    r1_gamma: number;
  };
  const coef = (name: string) => Array.from(file.numbers(`in:coef.${name}`));
  const still = { learningRate: 0 };
  return ddaebm({
    ...form,
    batch,
    gamma,
    dataShape: file.shape('in:x0').slice(1),
    latentDim: unet.nz,
    networks: {
      energy: energyOf(unet),
      generator: generatorOf(unet),
      encoder: encoderOf(encoder),
    },
    energyAdam: still,
    generatorAdam: still,
    schedule: {
      aCum: coef('a_s_cum'),
      sigmaCum: coef('sigmas_cum'),
      a: coef('a_s'),
      sigma: coef('sigmas'),
      c1: coef('posterior_mean_coef1'),
      c2: coef('posterior_mean_coef2'),
      logVariance: coef('posterior_log_variance_clipped'),
      times: timesOf(file),
    },
  });
}

interface Ran {
  readonly state: HostState;
  readonly metrics: Record<string, HostTensor>;
  readonly samples: Record<keyof typeof SAMPLES, HostTensor>;
}

/** With β1 = 0 the first moment after a step is the gradient of that step. */
function gradientsOf(objective: Ddaebm, state: HostState, side: 'energy' | 'generator') {
  const s = state as unknown as DdaebmState<HostTensor>;
  return unpackHost(objective.players[side].layout, s[side].adam.m.data as Float32Array);
}

async function run(file: GoldenFile): Promise<Comparison[]> {
  const dicts: StateDicts = Object.fromEntries(
    ['netD', 'netG', 'netE'].map((n) => [n, file.group(`param:${n}.`)]),
  );
  const noise = Object.fromEntries(
    Object.entries(DRAWS).map(([ours, theirs]) => [ours, file.tensor(theirs)]),
  );
  const rows: Comparison[] = [];
  const gradients = (prefix: string, grads: Record<string, HostTensor>) => {
    for (const [key, g] of Object.entries(grads)) {
      const name = `grad:${prefix}${key}`;
      if (file.has(name) && !file.ignored(name)) {
        rows.push(compare(file, name, g.data, relToMax(2e-4)));
      }
    }
  };
  for (const [name, form] of Object.entries(FORMS)) {
    const objective = objectiveOf(file, form);
    const state = objective.importNetworks?.(objective.init(0), dicts) as HostState;
    const step = executor((s: DdaebmState, data: Tensor, draws: Record<string, Tensor>) => ({
      ...objective.step(s, { data }, draws),
      samples: objective.forward(s, { data }, draws),
    }));
    const out = (await step(state, file.tensor('in:x0'), noise)) as Ran;
    const scalar = (metric: string) => out.metrics[metric].data;
    for (const [ours, theirs] of Object.entries(LOSSES)) {
      rows.push(compare(file, `out:${name}.${theirs}`, scalar(ours), rel(5e-6)));
    }
    gradients(`${name}.`, gradientsOf(objective, out.state, 'generator'));
    if (name !== 'ref') continue;
    rows.push(compare(file, 'out:errD', scalar('energyLoss'), rel(5e-6)));
    rows.push(compare(file, 'out:grad_penalty', scalar('penalty'), rel(5e-6)));
    gradients('', gradientsOf(objective, out.state, 'energy'));
    for (const [ours, theirs] of Object.entries(SAMPLES)) {
      const sample = out.samples[ours as keyof typeof SAMPLES];
      rows.push(compare(file, `out:${theirs}`, sample.data, relToMax(1e-5)));
    }
    rows.push(...(await energies(file, objective, state, out)));
  }
  return rows;
}

/** E at the real and the generated samples. */
async function energies(
  file: GoldenFile,
  objective: Ddaebm,
  state: HostState,
  out: Ran,
): Promise<Comparison[]> {
  const network = objective.config.networks.energy;
  const evaluate = executor((s: DdaebmState, t: Tensor, x: Tensor) =>
    network.bind(objective.players.energy.unpack(s.energy.params).netD, { levels: t })(x),
  );
  const t = file.tensor('in:t');
  const real = (await evaluate(state, t, out.samples.x)) as HostTensor;
  const fake = (await evaluate(state, t, out.samples.fake)) as HostTensor;
  return [
    compare(file, 'out:D_real_r', real.data, rel(5e-6)),
    compare(file, 'out:D_fake_r', fake.data, rel(5e-6)),
  ];
}

export const cases: readonly GoldenCase[] = [{ prefix: '05_image_step', run }];
