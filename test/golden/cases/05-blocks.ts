import { grad } from '../../../src/jit/grad.ts';
import { type Tensor, tf } from '../../../src/jit/tf.ts';
import { silu } from '../../../src/nn/activations.ts';
import { attention } from '../../../src/nn/attention.ts';
import { downConv } from '../../../src/nn/down-conv.ts';
import { embedLevels, fourierProjection, sinusoidalEmbedding } from '../../../src/nn/embedding.ts';
import { adaptiveGroupNorm } from '../../../src/nn/group-norm.ts';
import { mapping } from '../../../src/nn/mapping.ts';
import { nin } from '../../../src/nn/nin.ts';
import type { Params } from '../../../src/nn/params.ts';
import { type ResBlockConfig, resBlock } from '../../../src/nn/res-block.ts';
import { downsample2, type Kernel, upfirdn2d, upsample2 } from '../../../src/nn/resample.ts';
import { combine, downsampleConv, upsampleConv } from '../../../src/nn/resample-layer.ts';
import { abs, compare, relToMax } from '../compare.ts';
import { executor } from '../executor.ts';
import type { Comparison, GoldenCase } from '../golden-case.ts';
import type { GoldenFile } from '../golden-file.ts';

type Inputs = Readonly<Record<string, Tensor>>;

/** One block: its parameters and inputs by their names in the file → its output. */
type Block = (params: Params, inputs: Inputs) => Tensor;

// biome-ignore lint/suspicious/noExplicitAny: the arguments differ per block
type Args = any;

function residualBlock(kind: ResBlockConfig['kind'], args: Args): Block {
  const config: ResBlockConfig = {
    kind,
    inChannels: args.in_ch,
    outChannels: args.out_ch ?? args.in_ch,
    timeDim: args.temb_dim,
    ...(args.zemb_dim !== undefined && { styleDim: args.zemb_dim }),
    ...((args.up || args.down) && { resample: args.up ? 'up' : 'down' }),
    filter: args.fir ? 'fir' : 'box',
    rescale: args.skip_rescale ?? true,
  };
  return (params, { x, temb, zemb }) =>
    resBlock(params, '', config, x, { time: { rows: silu(temb) }, style: zemb });
}

function resampling(args: Args, up: boolean): Block {
  const filter = args.fir ? 'fir' : 'box';
  if (!args.with_conv) return (_, { x }) => (up ? upsample2 : downsample2)(x, filter);
  if (up) return (params, { x }) => upsampleConv(params, '', x);
  return (params, { x }) => downsampleConv(params, '', x, filter);
}

function blockOf(name: string, args: Args): Block {
  const kind = name.replace(/^05_blk_/, '');
  if (kind.startsWith('adagn')) return (p, { x, z }) => adaptiveGroupNorm(p, '', x, z);
  if (kind.startsWith('attn')) return (p, { x }) => attention(p, '', x, args.skip_rescale);
  if (kind.startsWith('biggan')) return residualBlock('biggan', args);
  if (kind.startsWith('ddpm')) return residualBlock('ddpm', args);
  if (kind.startsWith('combine')) return (p, { x, y }) => combine(p, '', x, y, args.method);
  if (kind.startsWith('nin')) return (p, { x }) => nin(p, '', x);
  if (kind.startsWith('downconv')) {
    return (p, { x, temb }) => downConv(p, '', x, { rows: temb }, args.downsample);
  }
  if (kind.startsWith('resample')) return resampling(args, kind.startsWith('resample_up'));
  if (kind.startsWith('mapping')) {
    const config = { latentDim: args.nz, styleDim: args.z_emb_dim, depth: args.n_mlp };
    return (p, { z }) => mapping(p, 'z_transform', config, z);
  }
  throw new Error(`no block for ${name}`);
}

async function runBlock(file: GoldenFile): Promise<Comparison[]> {
  const block = blockOf(file.name, file.args);
  const params = file.group('param:');
  const { cot, ...inputs } = file.group('in:');
  const first = 'x' in inputs ? 'x' : 'z';
  const twice = file.has('out:penalty');
  const run = executor((p: Record<string, Tensor>, ins: Record<string, Tensor>, c: Tensor) => {
    const loss = (at: { p: Params; ins: Inputs }) => tf.sum(tf.mul(block(at.p, at.ins), c));
    const penalty = (at: { p: Params; ins: Inputs }) => {
      const slope = grad((x: Tensor) => loss({ p: at.p, ins: { ...at.ins, [first]: x } }));
      return tf.mul(tf.sum(tf.square(slope(at.ins[first]))), 0.5);
    };
    const at = { p, ins };
    return {
      y: block(p, ins),
      grad: grad(loss)(at),
      ...(twice && { penalty: penalty(at), grad2: grad(penalty)(at) }),
    };
  });
  const out = (await run(params, inputs, cot)) as Args;
  const value = relToMax(2e-6);
  const rows = [compare(file, 'out:y', out.y.data, value)];
  if (twice) rows.push(compare(file, 'out:penalty', out.penalty.data, value));
  for (const [order, tolerance] of [
    ['grad', relToMax(1e-5)],
    ['grad2', relToMax(3e-5)],
  ] as const) {
    if (out[order] === undefined) continue;
    const gradients = {
      ...out[order].p,
      ...Object.fromEntries(Object.entries(out[order].ins).map(([k, g]) => [`in:${k}`, g])),
    } as Record<string, { data: Float32Array }>;
    for (const [key, g] of Object.entries(gradients)) {
      const name = `${order}:${key}`;
      if (file.has(name) && !file.ignored(name)) {
        rows.push(compare(file, name, g.data, tolerance));
      }
    }
  }
  return rows;
}

async function runResampling(file: GoldenFile): Promise<Comparison[]> {
  const kernel = (name: string): Kernel => {
    const [rows, columns] = file.shape(`in:${name}`);
    const values = file.numbers(`in:${name}`);
    return Array.from({ length: rows }, (_, i) => [
      ...values.subarray(i * columns, (i + 1) * columns),
    ]);
  };
  const configs = file.args['cfg'] as [string, number, number, [number, number]][];
  const rows: Comparison[] = [];
  for (const [j, [name, up, down, pad]] of configs.entries()) {
    const filter = (x: Tensor) => upfirdn2d(x, kernel(name), { up, down, pad });
    const run = executor((x: Tensor, c: Tensor) => ({
      y: filter(x),
      x: grad((v: Tensor) => tf.sum(tf.mul(filter(v), c)))(x),
    }));
    const out = (await run(file.tensor('in:x'), file.tensor(`in:cot${j}`))) as Args;
    rows.push(compare(file, `out:y${j}`, out.y.data, relToMax(2e-6)));
    rows.push(compare(file, `grad:x${j}`, out.x.data, relToMax(2e-6)));
  }
  return rows;
}

/**
 * Sine and cosine of arguments up to 1000 carry the rounding of the frequencies, which the
 * reference computes in float32.
 */
async function runEmbeddings(file: GoldenFile): Promise<Comparison[]> {
  const rows: Comparison[] = [];
  const levels = Array.from(file.numbers('in:t'));
  for (const dim of file.args['dims'] as number[]) {
    const run = executor((t: Tensor) => ({
      exact: embedLevels(levels, dim),
      traced: sinusoidalEmbedding(t, dim),
    }));
    const fine = (await run(file.tensor('in:t'))) as Args;
    rows.push(compare(file, `out:emb${dim}`, fine.exact.data, abs(1e-4)));
    rows.push(compare(file, `out:emb${dim}`, fine.traced.data, abs(1.5e-4)));
    const real = (await executor((t: Tensor) => sinusoidalEmbedding(t, dim))(
      file.tensor('in:tf'),
    )) as Args;
    rows.push(compare(file, `out:emb_float${dim}`, real.data, abs(1e-4)));
  }
  const fourier = executor((t: Tensor, w: Tensor) => fourierProjection(t, w));
  const out = (await fourier(file.tensor('in:tf'), file.tensor('param:W'))) as Args;
  rows.push(compare(file, 'out:fourier', out.data, abs(1e-3)));
  return rows;
}

export const cases: readonly GoldenCase[] = [
  { prefix: '05_blk_', run: runBlock },
  { prefix: '05_blk_upfirdn2d', run: runResampling },
  { prefix: '05_blk_time_embedding', run: runEmbeddings },
];
