import { logForward, qSample, qStep } from '../../../src/diffusion/forward.ts';
import { gatherLevels } from '../../../src/diffusion/levels.ts';
import {
  logPosterior,
  posteriorCoefficients,
  posteriorMean,
  samplePosterior,
} from '../../../src/diffusion/posterior.ts';
import { noiseSchedule } from '../../../src/diffusion/schedule.ts';
import { grad } from '../../../src/jit/grad.ts';
import { type Tensor, tf } from '../../../src/jit/tf.ts';
import { DEFAULT_OPTIONS, ddaebmTable } from '../../../src/objectives/ddaebm-config.ts';
import { abs, compare, relToMax } from '../compare.ts';
import type { Comparison, GoldenCase } from '../golden-case.ts';
import type { GoldenFile } from '../golden-file.ts';
import { eagerly, toTensor } from '../tensors.ts';
import { type ScheduleArgs, scheduleOf } from './01-diffusion-schedules.ts';

function run(file: GoldenFile): Promise<Comparison[]> {
  return eagerly(() => compareAll(file));
}

function compareAll(file: GoldenFile): Comparison[] {
  const args = file.args as unknown as ScheduleArgs;
  const schedule = noiseSchedule(scheduleOf(args));
  const posterior = posteriorCoefficients(schedule, args.code === 'img' ? 'image' : 'toy');
  const shape = file.shape('in:x0');
  const options = {
    ...DEFAULT_OPTIONS,
    reconstructionFloor: args.code === 'img' ? ('second' as const) : 0.01,
  };
  const table = ddaebmTable({ ...schedule, ...posterior }, options, shape.slice(1));
  const input = (name: string) => toTensor(file.tensor(name));
  const t = input('in:t');
  const { at } = gatherLevels(table, t, shape.length);
  const data = input('in:x0');
  const clean = input('in:x0_pred');
  const weights = tf.reshape(input('in:w'), [shape[0]]);
  const noise = input('noise:posterior');

  const x = qSample(at, data, input('noise:x_t'));
  const xNext = qStep(at, x, input('noise:x_tp1'));
  // With noise at t = 0 too, which training and generation leave out.
  const stdOfAll = gatherLevels(
    {
      ...table,
      values: withColumn(
        table,
        'std',
        posterior.logVariance.map((l) => Math.exp(l / 2)),
      ),
    },
    t,
    shape.length,
  ).at.std;
  // The densities are functions of the stored pair, so that no rounding of ours enters twice.
  const [xRef, xNextRef] = [input('out:x_t'), input('out:x_tp1')];
  const reconstruction = {
    ...at,
    halfPrecision: at.reconstructionHalfPrecision,
    logNorm: at.reconstructionLogNorm,
  };
  const forward = (y: Tensor) => logForward(at, y, xNextRef);
  const backward = (y: Tensor, x0: Tensor) => logPosterior(reconstruction, y, x0, xNextRef);
  const weighted = (values: Tensor) => tf.sum(tf.mul(values, weights));

  const sample = abs(1e-4);
  const density = relToMax(2e-5);
  const gradient = relToMax(1e-4);
  return (
    [
      ['out:q_sample', x, sample],
      ['out:x_t', x, sample],
      ['out:x_tp1', xNext, sample],
      ['out:sample_posterior_mean', posteriorMean(at, clean, xNextRef), sample],
      ['out:sample_posterior_gen', samplePosterior(at, clean, xNextRef, noise), sample],
      [
        'out:sample_posterior_nogen',
        samplePosterior({ ...at, std: stdOfAll }, clean, xNextRef, noise),
        sample,
      ],
      ['out:p_condition', forward(xRef), density],
      ['out:q_condition', backward(xRef, clean), density],
      ['grad:p_condition.x_t', grad((y: Tensor) => weighted(forward(y)))(xRef), gradient],
      ['grad:q_condition.x_t', grad((y: Tensor) => weighted(backward(y, clean)))(xRef), gradient],
      [
        'grad:q_condition.x0_pred',
        grad((c: Tensor) => weighted(backward(xRef, c)))(clean),
        gradient,
      ],
    ] as const
  ).map(([name, tensor, tolerance]) => compare(file, name, tensor.dataSync(), tolerance));
}

function withColumn(
  table: ReturnType<typeof ddaebmTable>,
  column: 'std',
  values: ArrayLike<number>,
): Float32Array {
  const copy = table.values.slice();
  const width = copy.length / table.levels;
  const j = table.columns.indexOf(column);
  for (let t = 0; t < table.levels; t++) copy[t * width + j] = values[t];
  return copy;
}

export const cases: readonly GoldenCase[] = [{ prefix: '02_q_p', run }];
