import { simpson } from '../datasets/toy-mixture.ts';
import { logMixture, type Mixture } from './derivations/mixture.ts';

/** d/dx log p(x): the pull of every component, weighted by how far it explains x. */
export function mixtureScore({ weights, means, sds }: Mixture, x: number): number {
  const logs = weights.map(
    (w, i) => Math.log(w) - Math.log(sds[i]) - 0.5 * ((x - means[i]) / sds[i]) ** 2,
  );
  const largest = Math.max(...logs);
  const shares = logs.map((l) => Math.exp(l - largest));
  const pull = shares.reduce((sum, r, i) => sum + (r * (means[i] - x)) / sds[i] ** 2, 0);
  return pull / shares.reduce((a, b) => a + b, 0);
}

/** ½ E_p[(d/dx log q - d/dx log p)^2], by Simpson's rule. */
export function exactScoreMatching(p: Mixture, q: Mixture): number {
  return expectation(p, (x) => 0.5 * (mixtureScore(q, x) - mixtureScore(p, x)) ** 2);
}

/** KL(p || q) in nats: what maximum likelihood minimises, up to a constant. */
export function exactLikelihood(p: Mixture, q: Mixture): number {
  return expectation(p, (x) => logMixture(p, x) - logMixture(q, x));
}

/**
 * Energy discrepancy of q = exp(-U)/Z under p with Gaussian noise of variance t, less its value at
 * q = p: KL(p || q) - KL(p_t || q_t) for the laws after the noise. The normalisers cancel, so this
 * is the functional itself (Schröder et al., NeurIPS 2023, section 3), without estimator.
 */
export function exactDiscrepancy(p: Mixture, q: Mixture, t: number): number {
  return exactLikelihood(p, q) - exactLikelihood(blurred(p, t), blurred(q, t));
}

function blurred({ weights, means, sds }: Mixture, t: number): Mixture {
  return { weights, means, sds: sds.map((sd) => Math.sqrt(sd * sd + t)) };
}

function expectation(p: Mixture, f: (x: number) => number): number {
  const reach = 10 * Math.max(...p.sds);
  const [low, high] = [Math.min(...p.means) - reach, Math.max(...p.means) + reach];
  const { nodes, weights } = simpson(low, high, 1000);
  return nodes.reduce((sum, x, i) => sum + weights[i] * Math.exp(logMixture(p, x)) * f(x), 0);
}
