import { posteriorCoefficients, recoveryWeights } from '../../../src/diffusion/posterior.ts';
import { noiseSchedule, type ScheduleConfig } from '../../../src/diffusion/schedule.ts';
import { compare, rel } from '../compare.ts';
import type { Comparison, GoldenCase } from '../golden-case.ts';
import type { GoldenFile } from '../golden-file.ts';

/** Arguments of one reference schedule, as all diffusion cases store them. */
export interface ScheduleArgs {
  readonly beta_min: number;
  readonly beta_max: number;
  readonly num_timesteps: number;
  readonly use_geometric: boolean;
  readonly dataset?: string;
  readonly code?: 'toy' | 'img';
}

export function scheduleOf(args: ScheduleArgs): ScheduleConfig {
  return {
    steps: args.num_timesteps,
    betaMin: args.beta_min,
    betaMax: args.beta_max,
    variance: args.use_geometric ? 'geometric' : 'vp',
    times: args.dataset === 'lsun' ? 'first-stage' : 'uniform',
    maxBeta: args.code === 'img' ? 0.999 : 1,
  };
}

/** Everything is computed in float64, so the float64 run of the reference is the yardstick. */
function compareSchedule(file: GoldenFile, name: string, args: ScheduleArgs): Comparison[] {
  const s = noiseSchedule(scheduleOf(args));
  const p = posteriorCoefficients(s, args.code === 'img' ? 'image' : 'toy');
  const ours: Record<string, ArrayLike<number>> = {
    time_schedule: s.times,
    sigmas: s.sigma,
    a_s: s.a,
    a_s_cum: s.aCum,
    sigmas_cum: s.sigmaCum,
    a_s_prev: s.a.map((a, k) => (k === s.steps ? 1 : a)),
    'post.betas': s.betas,
    'post.alphas': s.betas.map((b) => 1 - b),
    'post.alphas_cumprod': s.alphaBars,
    'post.sqrt_alphas_cumprod': s.aCum,
    'post.sqrt_recip_alphas_cumprod': s.alphaBars.map((ab) => 1 / Math.sqrt(ab)),
    'post.sqrt_recipm1_alphas_cumprod': s.alphaBars.map((ab) => Math.sqrt(1 / ab - 1)),
    'post.posterior_variance': p.variance,
    'post.posterior_log_variance_clipped': p.logVariance,
    'post.posterior_mean_coef1': p.c1,
    'post.posterior_mean_coef2': p.c2,
  };
  if (file.has(`out64:${name}.recon_weight`)) {
    ours['recon_weight'] = recoveryWeights(s.times, 0.6, 0.2);
  }
  return Object.entries(ours).map(([key, values]) =>
    compare(file, `out64:${name}.${key}`, values, rel(1e-6)),
  );
}

export const cases: readonly GoldenCase[] = [
  {
    prefix: '01_diffusion_schedules',
    run: (file) =>
      Object.entries(file.args).flatMap(([name, args]) =>
        compareSchedule(file, name, args as ScheduleArgs),
      ),
  },
];
