import type { HostTensor } from '../../../src/core/host-tensor.ts';
import { sumPerSample } from '../../../src/diffusion/gaussian.ts';
import { grad } from '../../../src/jit/grad.ts';
import { type Tensor, tf } from '../../../src/jit/tf.ts';
import { latentDecoder, latentEnergy } from '../../../src/models/latent-prior.ts';
import { energyDiscrepancy, varianceOfScale } from '../../../src/objectives/energy-discrepancy.ts';
import {
  type LatentPriorState,
  latentPrior,
  totalEnergy,
} from '../../../src/objectives/latent-prior.ts';
import { langevin } from '../../../src/samplers/langevin.ts';
import { compare, rel, relToMax } from '../compare.ts';
import { executor } from '../executor.ts';
import type { Comparison, GoldenCase } from '../golden-case.ts';
import type { GoldenFile } from '../golden-file.ts';

type Weights = Record<string, Tensor>;

/** The constants of the reference that its arguments do not name. */
const SIGMA = 0.3;
const PRIOR_STEP = 0.2;
const POSTERIOR_STEP = 0.1;

async function run(file: GoldenFile): Promise<Comparison[]> {
  const [, nz] = file.shape('in:z');
  const features = file.shape('param:netG.gen.0.weight')[1] / 8;
  const width = file.shape('param:netE.ebm.0.weight')[0];
  const decoder = latentDecoder(nz, features);
  const network = latentEnergy(nz, width);
  const sizes = { latentDim: nz, features, width };
  const objective = latentPrior({ ...sizes, sigma: SIGMA, posteriorStep: POSTERIOR_STEP });
  const networks = { netE: file.group('param:netE.'), netG: file.group('param:netG.') };
  const energyOf = (p: Weights) => (z: Tensor) => tf.reshape(network.apply(p, z), [z.shape[0]]);
  const total = (p: Weights) => totalEnergy(energyOf(p));
  const variance = varianceOfScale(file.args['t_sqrt'] as number);

  /** The states of a chain, from all of whose noise. */
  const chain = (size: number, density: (z: Tensor) => Tensor, start: Tensor, noise: Tensor) => {
    const sampler = langevin({ stepSize: size ** 2 });
    let state = sampler.init(density, start);
    return tf.unstack(tf.reshape(noise, [-1, ...start.shape]), 0).map((normal) => {
      state = sampler.step(density, state, { normal }).state;
      return state.x;
    });
  };

  const compute = executor(
    (netE: Weights, netG: Weights, given: Weights, noise: Weights, state: unknown) => {
      const z = tf.reshape(given['z'], [given['z'].shape[0], nz]);
      const x = given['x'];
      const draws = { shared: noise['shared'], particles: noise['particles'] };
      const discrepancy = (p: Weights) =>
        energyDiscrepancy(total(p), z, draws, { variance, stabiliser: 1 });
      const prior = chain(PRIOR_STEP, (v) => tf.neg(total(netE)(v)), z, noise['prior_langevin']);
      const posterior = objective.posterior(
        state as LatentPriorState,
        x,
        z,
        tf.reshape(noise['post_langevin'], [-1, z.shape[0] as number, nz]),
      );
      const reconstruction = (p: Weights) =>
        tf.mean(sumPerSample(tf.square(tf.sub(decoder.decode(p, posterior), x))));
      const shift = Math.sqrt(variance);
      const [batch, particles] = draws.particles.shape;
      const centre = tf.add(z, tf.mul(draws.shared, shift));
      const near = tf.add(tf.expandDims(centre, 1), tf.mul(draws.particles, shift));
      const negative = tf.reshape(total(netE)(tf.reshape(near, [batch * particles, nz])), [
        batch,
        particles,
      ]);
      return {
        energy: energyOf(netE)(z),
        generator: decoder.decode(netG, z),
        discrepancy: discrepancy(netE),
        gaps: tf.sub(tf.reshape(total(netE)(z), [batch, 1]), negative),
        netE: grad(discrepancy)(netE),
        prior: tf.stack(prior),
        posterior,
        reconstruction: reconstruction(netG),
        netG: grad(reconstruction)(netG),
      };
    },
  );
  const group = (prefix: string, names: readonly string[]) =>
    Object.fromEntries(names.map((n) => [n, file.tensor(`${prefix}${n}`)]));
  const out = (await compute(
    file.group('param:netE.'),
    file.group('param:netG.'),
    group('in:', ['x', 'z']),
    group('noise:', ['shared', 'particles', 'prior_langevin', 'post_langevin']),
    objective.importNetworks!(objective.init(0), networks),
  )) as Record<string, HostTensor> & Record<'netE' | 'netG', Record<string, HostTensor>>;

  const values = (name: string, actual: HostTensor, tolerance = relToMax(1e-5)) =>
    compare(file, `out:${name}`, actual.data, tolerance);
  const gradients = (loss: string, network: 'netE' | 'netG', tolerance: number) =>
    Object.entries(out[network])
      .map(([key, g]) => [`grad:${loss}.${network}.${key}`, g] as const)
      .filter(([key]) => file.has(key) && !file.ignored(key))
      .map(([key, g]) => compare(file, key, g.data, relToMax(tolerance)));
  return [
    values('prior_energy', out['energy']),
    values('generator', out['generator']),
    values('loss_e', out['discrepancy'], rel(1e-5)),
    compare(file, 'out:en_ctr', withZeroColumn(out['gaps'], file), relToMax(1e-5)),
    ...gradients('loss_e', 'netE', 1e-4),
    values('prior_langevin', out['prior']),
    values('post_langevin', out['posterior'], relToMax(1e-4)),
    values('loss_g', out['reconstruction'], rel(1e-4)),
    ...gradients('loss_g', 'netG', 1e-4),
  ];
}

/** The gaps U(z) − U(z̃) and, where the reference has it, the column of log w = 0. */
function withZeroColumn(gaps: HostTensor, file: GoldenFile): Float32Array {
  const [batch, columns] = file.shape('out:en_ctr');
  const particles = gaps.shape[1];
  const first = file.numbers('out:en_ctr')[0] === 0 ? 1 : 0;
  const out = new Float32Array(batch * columns);
  for (let i = 0; i < batch; i++) {
    out.set(gaps.data.subarray(i * particles, (i + 1) * particles), i * columns + first);
  }
  return out;
}

export const cases: readonly GoldenCase[] = [{ prefix: '07_latent_ebm_prior', run }];
