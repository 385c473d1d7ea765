import { DataError } from '../core/errors.ts';
import { type HostTensor, hostTensor, sameShape } from '../core/host-tensor.ts';
import { type Tensor, tf } from '../jit/tf.ts';
import { conv2d, type Padding } from '../nn/conv.ts';
import { linear } from '../nn/linear.ts';
import type { HostParams, Params } from '../nn/params.ts';
import { INCEPTION_LAYERS, type InceptionLayer } from './inception-layers.ts';
import { averagePool3, halvingMax, maxPool3 } from './pooling.ts';

/** Features of the last average pool, and outputs of the classifier behind it. */
export const INCEPTION_FEATURES = 2048;
export const INCEPTION_CLASSES = 1008;
/** Side of the images that the published features are defined for. */
export const INCEPTION_SIDE = 299;

/** Told the output of each stage by its name, e.g. `Mixed_5b`. */
export type StageTap = (stage: string, output: Tensor) => void;

const BATCH_NORM_EPS = 1e-3;

/**
 * Parameters for `inceptionFeatures` out of a state dict with the published names
 * (`Mixed_5b.branch1x1.conv.weight`, `….bn.running_var`, `fc.weight`): every batch norm becomes
 * part of the convolution before it, in float64. Counters of batches are not read.
 * @throws DataError naming the first key that is missing or has another shape, e.g. because these
 * are the weights of another network.
 */
export function foldInception(state: HostParams, source = 'the weights'): HostParams {
  const take = (key: string, shape: readonly number[]): HostTensor => {
    const tensor = state[key];
    if (tensor === undefined) {
      throw new DataError(
        `${source}: there is no '${key}'; expected the Inception network of FID (pt_inception-2015-12-05)`,
      );
    }
    if (!sameShape(tensor.shape, shape)) {
      throw new DataError(`${source}: '${key}' has shape [${tensor.shape}], expected [${shape}]`);
    }
    return tensor;
  };
  const folded: Record<string, HostTensor> = {};
  for (const { name, input, output, kernel } of INCEPTION_LAYERS) {
    const weight = take(`${name}.conv.weight`, [output, input, ...kernel]);
    const [scale, bias, mean, variance] = ['weight', 'bias', 'running_mean', 'running_var'].map(
      (part) => take(`${name}.bn.${part}`, [output]).data,
    );
    const size = weight.data.length / output;
    const data = new Float32Array(weight.data.length);
    const shift = new Float32Array(output);
    for (let o = 0; o < output; o++) {
      const factor = scale[o] / Math.sqrt(variance[o] + BATCH_NORM_EPS);
      shift[o] = bias[o] - mean[o] * factor;
      for (let i = o * size; i < (o + 1) * size; i++) data[i] = weight.data[i] * factor;
    }
    folded[`${name}.weight`] = hostTensor(data, weight.shape);
    folded[`${name}.bias`] = hostTensor(shift, [output]);
  }
  folded['fc.weight'] = take('fc.weight', [INCEPTION_CLASSES, INCEPTION_FEATURES]);
  folded['fc.bias'] = take('fc.bias', [INCEPTION_CLASSES]);
  return folded;
}

/** The keys and shapes of the state dict, without the counters of batches. */
export function inceptionShapes(): Record<string, readonly number[]> {
  const shapes: Record<string, readonly number[]> = {};
  for (const { name, input, output, kernel } of INCEPTION_LAYERS) {
    shapes[`${name}.conv.weight`] = [output, input, ...kernel];
    for (const part of ['weight', 'bias', 'running_mean', 'running_var']) {
      shapes[`${name}.bn.${part}`] = [output];
    }
  }
  shapes['fc.weight'] = [INCEPTION_CLASSES, INCEPTION_FEATURES];
  shapes['fc.bias'] = [INCEPTION_CLASSES];
  return shapes;
}

const LAYER: ReadonlyMap<string, InceptionLayer> = new Map(
  INCEPTION_LAYERS.map((layer) => [layer.name, layer]),
);

/** Blocks of the same form, in the order in which they run. */
const FORMS = {
  A: ['Mixed_5b', 'Mixed_5c', 'Mixed_5d'],
  C: ['Mixed_6b', 'Mixed_6c', 'Mixed_6d', 'Mixed_6e'],
} as const;

/**
 * Features [B, 2048] of images [B, 3, H, W], by the Inception v3 (Szegedy et al. 2016) whose
 * features define the Fréchet Inception Distance (Heusel et al. 2017): average pools leave the
 * padding out, and the last block pools its pool branch by maximum. `p` is from `foldInception`.
 */
export function inceptionFeatures(p: Params, x: Tensor, tap?: StageTap): Tensor {
  const conv = (name: string, h: Tensor): Tensor => {
    const { stride = 1, padding = [0, 0] } = LAYER.get(name) as InceptionLayer;
    const [across, down] = [padding[1], padding[0]];
    const pads: Padding = [down, down, across, across];
    return tf.relu(conv2d(p, name, h, { stride, padding: pads }));
  };
  const chain = (names: readonly string[], h: Tensor): Tensor =>
    names.reduce((value, name) => conv(name, value), h);
  const stage = (name: string, h: Tensor): Tensor => {
    tap?.(name, h);
    return h;
  };
  /** Branches side by side: each is a chain of layers of the block. */
  const block = (name: string, h: Tensor, branches: readonly (readonly string[])[], rest: Tensor) =>
    stage(name, tf.concat([...branches.map((b) => chain(under(name, b), h)), rest], 1));
  const pooled = (name: string, h: Tensor) => conv(`${name}.branch_pool`, averagePool3(h));

  let h = x;
  for (const name of ['Conv2d_1a_3x3', 'Conv2d_2a_3x3', 'Conv2d_2b_3x3'])
    h = stage(name, conv(name, h));
  h = stage('block0', halvingMax(h));
  for (const name of ['Conv2d_3b_1x1', 'Conv2d_4a_3x3']) h = stage(name, conv(name, h));
  h = stage('block1', halvingMax(h));
  for (const name of FORMS.A) {
    const branches = [
      ['branch1x1'],
      ['branch5x5_1', 'branch5x5_2'],
      ['branch3x3dbl_1', 'branch3x3dbl_2', 'branch3x3dbl_3'],
    ];
    h = block(name, h, branches, pooled(name, h));
  }
  h = block(
    'Mixed_6a',
    h,
    [['branch3x3'], ['branch3x3dbl_1', 'branch3x3dbl_2', 'branch3x3dbl_3']],
    halvingMax(h),
  );
  for (const name of FORMS.C) {
    const branches = [
      ['branch1x1'],
      ['branch7x7_1', 'branch7x7_2', 'branch7x7_3'],
      ['branch7x7dbl_1', 'branch7x7dbl_2', 'branch7x7dbl_3', 'branch7x7dbl_4', 'branch7x7dbl_5'],
    ];
    h = block(name, h, branches, pooled(name, h));
  }
  h = stage('block2', h);
  h = block(
    'Mixed_7a',
    h,
    [
      ['branch3x3_1', 'branch3x3_2'],
      ['branch7x7x3_1', 'branch7x7x3_2', 'branch7x7x3_3', 'branch7x7x3_4'],
    ],
    halvingMax(h),
  );
  for (const name of ['Mixed_7b', 'Mixed_7c']) {
    const pool = name === 'Mixed_7b' ? averagePool3(h) : maxPool3(h);
    const fork = (path: readonly string[], left: string, right: string): Tensor => {
      const stem = chain(under(name, path), h);
      return tf.concat([conv(`${name}.${left}`, stem), conv(`${name}.${right}`, stem)], 1);
    };
    h = stage(
      name,
      tf.concat(
        [
          conv(`${name}.branch1x1`, h),
          fork(['branch3x3_1'], 'branch3x3_2a', 'branch3x3_2b'),
          fork(['branch3x3dbl_1', 'branch3x3dbl_2'], 'branch3x3dbl_3a', 'branch3x3dbl_3b'),
          conv(`${name}.branch_pool`, pool),
        ],
        1,
      ),
    );
  }
  return tf.mean(h, [2, 3]);
}

/** Logits [B, 1008] of features [B, 2048]; `bias` false leaves the bias out, as TF-GAN's score does. */
export function inceptionLogits(p: Params, features: Tensor, bias = true): Tensor {
  if (bias) return linear(p, 'fc', features);
  return tf.matMul(features as tf.Tensor2D, p['fc.weight'] as tf.Tensor2D, false, true);
}

function under(block: string, layers: readonly string[]): string[] {
  return layers.map((layer) => `${block}.${layer}`);
}
