import { createHash } from 'node:crypto';
import { type HostTensor, hostTensor, sizeOf } from '../../../src/core/host-tensor.ts';
import {
  type InceptionStyle,
  resizeForInception,
  scaleForInception,
} from '../../../src/datasets/inception-input.ts';
import { jit, type Tensor } from '../../../src/jit/index.ts';
import {
  foldInception,
  INCEPTION_SIDE,
  inceptionFeatures,
  inceptionLogits,
} from '../../../src/models/inception.ts';
import type { Params } from '../../../src/nn/params.ts';
import { compare, relToMax } from '../compare.ts';
import type { Comparison, GoldenCase } from '../golden-case.ts';
import type { GoldenFile } from '../golden-file.ts';

/** The generated weights of the case: a hash of place and key, scaled to the kind of parameter. */
function generated(key: string, index: number, shape: readonly number[]): HostTensor {
  const data = new Float32Array(sizeOf(shape));
  const fanIn = shape.slice(1).reduce((a, b) => a * b, 1);
  const spread = Math.sqrt(6 / fanIn);
  const ofNorm = key.endsWith('bn.weight') || key.endsWith('bn.running_var');
  const [low, width] = key.endsWith('bn.weight') ? [0.9, 0.2] : [0.8, 0.4];
  const bound = shape.length > 1 ? spread : 0.05;
  for (let i = 0; i < data.length; i++) {
    let h = (Math.imul(i, 2654435761) + Math.imul(index, 40503) + 12345) >>> 0;
    h = Math.imul(h ^ (h >>> 16), 2246822519) >>> 0;
    h = Math.imul(h ^ (h >>> 13), 3266489917) >>> 0;
    const u = ((h ^ (h >>> 16)) >>> 0) / 2 ** 32;
    data[i] = ofNorm ? low + width * u : (2 * u - 1) * bound;
  }
  return hostTensor(data, shape);
}

interface Outputs {
  readonly pool: Tensor;
  readonly logits: Tensor;
  readonly unbiased: Tensor;
  readonly stages: Readonly<Record<string, Tensor>>;
}

const run = jit(
  (p: Params, x: Tensor): Outputs => {
    const stages: Record<string, Tensor> = {};
    const pool = inceptionFeatures(p, x, (name, h) => {
      stages[name] = h;
    });
    stages['block3'] = pool;
    const logits = inceptionLogits(p, pool);
    return { pool, logits, unbiased: inceptionLogits(p, pool, false), stages };
  },
  { name: 'inception' },
) as unknown as (p: unknown, x: HostTensor) => Outputs;

/** Mean, population standard deviation and maximum of each row, in float64. */
function rowStatistics(values: ArrayLike<number>, rows: number) {
  const n = values.length / rows;
  const [mean, std, max] = [0, 1, 2].map(() => new Float64Array(rows));
  for (let r = 0; r < rows; r++) {
    let [sum, largest] = [0, Number.NEGATIVE_INFINITY];
    for (let i = r * n; i < (r + 1) * n; i++) {
      sum += values[i];
      largest = Math.max(largest, values[i]);
    }
    let square = 0;
    for (let i = r * n; i < (r + 1) * n; i++) square += (values[i] - sum / n) ** 2;
    mean[r] = sum / n;
    std[r] = Math.sqrt(square / n);
    max[r] = largest;
  }
  return { mean, std, max };
}

const PIPELINES: Readonly<Record<string, { images: string; style?: InceptionStyle }>> = {
  pt: { images: 'in:img32', style: 'torch' },
  pt48: { images: 'in:img48x40', style: 'torch' },
  tf: { images: 'in:img32', style: 'tensorflow' },
  tf48: { images: 'in:img48x40', style: 'tensorflow' },
  raw: { images: 'in:raw' },
};

function inception(file: GoldenFile): Comparison[] {
  const keys = file.args['keys'] as [string, number[]][];
  const state = Object.fromEntries(
    keys.map(([key, shape], i) => [key, generated(key, i, shape)] as const),
  );
  const digest = createHash('sha256');
  for (const [key] of keys) digest.update(new Uint8Array(state[key].data.buffer));
  const params = foldInception(state);
  const names = file.args['stages'] as string[];
  const out: Comparison[] = [
    {
      name: 'generated weights',
      pass: digest.digest('hex') === file.args['fill_sha256'],
      detail: 'their SHA-256 differs',
    },
  ];
  for (const [tag, { images, style }] of Object.entries(PIPELINES)) {
    const [count, channels, height, width] = file.shape(images);
    const pixels = file.numbers(images);
    let x = hostTensor(Float32Array.from(pixels), [count, channels, height, width]);
    if (style) {
      const side = INCEPTION_SIDE;
      const resized = resizeForInception({ count, channels, height, width, pixels }, side, style);
      const grid = file.numbers('in:grid');
      const picked = Float32Array.from({ length: count * channels * grid.length ** 2 }, (_, k) => {
        const [plane, at] = [Math.floor(k / grid.length ** 2), k % grid.length ** 2];
        const [row, column] = [grid[Math.floor(at / grid.length)], grid[at % grid.length]];
        return resized[(plane * side + row) * side + column];
      });
      const tolerance = relToMax(style === 'torch' ? 3e-6 : 8e-6);
      out.push(compare(file, `out:${tag}.resized_grid`, picked, tolerance));
      x = hostTensor(scaleForInception(resized, style), [count, channels, side, side]);
    }
    const { pool, logits, unbiased, stages } = run(params, x);
    const add = (name: string, value: ArrayLike<number>, tolerance: number) =>
      out.push(compare(file, `out:${tag}.${name}`, value, relToMax(tolerance)));
    add('pool', pool.dataSync(), 1e-5);
    add('logits', logits.dataSync(), 1e-5);
    add('logits_unbiased', unbiased.dataSync(), 1e-5);
    const statistics = (name: string) => rowStatistics(stages[name].dataSync(), count);
    for (const block of ['block0', 'block1', 'block2', 'block3']) {
      const { mean, std, max } = statistics(block);
      add(`${block}.mean`, mean, 2e-6);
      add(`${block}.std`, std, 2e-6);
      add(`${block}.max`, max, 1e-5);
      if (block === 'block3') continue;
      const planes = count * (stages[block].shape[1] as number);
      add(`${block}.chanmean`, rowStatistics(stages[block].dataSync(), planes).mean, 1e-5);
    }
    const all = names.map(statistics);
    add(
      'stage_mean',
      all.flatMap(({ mean }) => [...mean]),
      2e-6,
    );
    add(
      'stage_std',
      all.flatMap(({ std }) => [...std]),
      2e-6,
    );
  }
  return out;
}

export const cases: readonly GoldenCase[] = [{ prefix: '08_inception_fid', run: inception }];
