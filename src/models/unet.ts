import { ShapeError } from '../core/errors.ts';
import { checkpointed } from '../jit/checkpointed.ts';
import { type Tensor, tf } from '../jit/tf.ts';
import { swish } from '../nn/activations.ts';
import { attention, attentionSpecs } from '../nn/attention.ts';
import { conv2d, convSpecs } from '../nn/conv.ts';
import type { DropoutDraws } from '../nn/dropout.ts';
import { embedLevels } from '../nn/embedding.ts';
import { groupNorm, groupNormSpecs } from '../nn/group-norm.ts';
import { denseSpecs } from '../nn/initialise.ts';
import { linear } from '../nn/linear.ts';
import type { ParamSpecs, Params } from '../nn/params.ts';
import {
  type Conditioning,
  type ResBlockConfig,
  resBlock,
  resBlockSpecs,
} from '../nn/res-block.ts';
import type { LevelFeatures } from '../nn/time-features.ts';
import type { TimeInput } from './network.ts';
import { type ResolvedUnet, resolveUnet, type UnetConfig } from './unet-config.ts';
import { pyramidIn, pyramidOut, type Step, transition, type UnetBuilder } from './unet-levels.ts';

export interface Unet {
  readonly config: ResolvedUnet;
  /** Keys as in the official classes: `all_modules.{i}.…`. */
  readonly params: ParamSpecs;
  /** Shapes of the uniform draws of dropout for `batch` images, by block; empty without dropout. */
  dropoutShapes(batch: number): Readonly<Record<string, readonly number[]>>;
  /**
   * `x` [B, channels, size, size] → the same shape, conditioned on the level and, where the blocks
   * take one, on latent features [B, styleDim].
   * @throws ShapeError for images of another shape.
   */
  bind(params: Params, time: TimeInput): (x: Tensor, given?: UnetInputs) => Tensor;
}

export interface UnetInputs {
  /** Latent features [B, styleDim]. */
  readonly style?: Tensor;
  /** Draws of dropout; where they are absent nothing is dropped. */
  readonly dropout?: DropoutDraws;
}

/**
 * The U-Net of NCSN++ and DDPM++ (Song et al. 2021): per level residual blocks, with attention at
 * some sizes, and skip connections from every block on the way down to one on the way up.
 * @param styleDim dimension of the latent features; absent: no latent.
 */
export function unet(config: UnetConfig, styleDim?: number): Unet {
  const c = resolveUnet(config);
  const timeDim = 4 * c.width;
  const params: Record<string, ParamSpecs[string]> = {};
  const steps: Step[] = [];
  const droppedSizes: Record<string, readonly number[]> = {};
  let modules = 0;
  const build: UnetBuilder = {
    config: c,
    size: c.size,
    module(specs) {
      const name = `all_modules.${modules++}`;
      Object.assign(params, specs(name));
      return name;
    },
    step: (run) => steps.push(run),
    block(inChannels, outChannels, resample) {
      const block: ResBlockConfig = {
        kind: c.block === 'ddpm' ? 'ddpm' : 'biggan',
        inChannels,
        outChannels,
        timeDim,
        ...(styleDim !== undefined && { styleDim }),
        styled: c.block === 'biggan-first' ? 'first' : 'both',
        ...(resample !== undefined && { resample }),
        filter: c.filter,
        taps: c.taps,
        rescale: c.rescale,
        dropout: c.dropout,
      };
      const name = build.module((n) => resBlockSpecs(n, block));
      if (c.dropout > 0) droppedSizes[name] = [outChannels, build.size, build.size];
      build.step((s) => {
        const drawn = s.dropout[name];
        const conditions = drawn === undefined ? s.given : { ...s.given, drawn };
        if (!c.recompute) {
          s.h = resBlock(s.params, name, block, s.h, conditions);
          return;
        }
        const own = Object.entries(s.params).filter(([key]) => key.startsWith(`${name}.`));
        const again = checkpointed((h: Tensor, p: Params, given: Conditioning) =>
          resBlock(p, name, block, h, given),
        );
        s.h = again(s.h, Object.fromEntries(own), conditions);
      });
    },
  };
  const dense = [
    build.module((n) => denseSpecs(n, c.width, timeDim)),
    build.module((n) => denseSpecs(n, timeDim, timeDim)),
  ];
  assemble(build);

  const levelFeatures = (p: Params, time: TimeInput): LevelFeatures => {
    const hidden = linear(p, dense[0], embedLevels(time.levels, c.width));
    // Every block would apply the same activation again.
    const rows = swish(linear(p, dense[1], swish(hidden)));
    return { rows, ...(time.select && { select: time.select }) };
  };
  return {
    config: c,
    params,
    dropoutShapes: (batch) =>
      Object.fromEntries(Object.entries(droppedSizes).map(([k, size]) => [k, [batch, ...size]])),
    bind(p, time) {
      const features = levelFeatures(p, time);
      return (x, { dropout = {}, ...given } = {}) => {
        checkImages(x, c);
        const h = c.centred ? x : tf.sub(tf.mul(x, 2), 1);
        const conditions = { ...given, time: features };
        const state = { params: p, given: conditions, dropout, h, skips: [], pyramid: h };
        for (const step of steps) step(state);
        return state.h;
      };
    },
  };
}

/** All modules after the time path, in the order of the official list. */
function assemble(build: UnetBuilder): void {
  const { config: c } = build;
  const sizes = c.multipliers.map((_, i) => c.size / 2 ** i);
  const last = sizes.length - 1;
  const attend = (channels: number) => {
    const name = build.module((n) => attentionSpecs(n, channels));
    build.step((s) => {
      s.h = attention(s.params, name, s.h, c.rescale);
    });
  };
  const skips: number[] = [];
  const remember = (channels: number) => {
    skips.push(channels);
    build.step((s) => s.skips.push(s.h));
  };

  const entry = build.module((n) => convSpecs(n, c.channels, c.width, 3));
  build.step((s) => {
    s.h = conv2d(s.params, entry, s.h);
  });
  remember(c.width);
  let channels = c.width;
  let pyramid = c.channels;
  c.multipliers.forEach((multiplier, level) => {
    for (let i = 0; i < c.blocks; i++) {
      build.block(channels, c.width * multiplier);
      channels = c.width * multiplier;
      if (c.attentionAt.includes(sizes[level])) attend(channels);
      remember(channels);
    }
    if (level === last) return;
    transition(build, channels, 'down');
    [channels, pyramid] = pyramidIn(build, channels, pyramid);
    remember(channels);
  });

  build.block(channels, channels);
  attend(channels);
  build.block(channels, channels);

  pyramid = 0;
  for (let level = last; level >= 0; level--) {
    for (let i = 0; i <= c.blocks; i++) {
      build.step((s) => {
        s.h = tf.concat([s.h, s.skips.pop() as Tensor], 1);
      });
      build.block(channels + (skips.pop() as number), c.width * c.multipliers[level]);
      channels = c.width * c.multipliers[level];
    }
    if (c.attentionAt.includes(sizes[level])) attend(channels);
    pyramid = pyramidOut(build, channels, pyramid, level === last);
    if (level > 0) transition(build, channels, 'up');
  }
  if (c.progressive === 'output-skip') {
    build.step((s) => {
      s.h = s.pyramid;
    });
    return;
  }
  const norm = build.module((n) => groupNormSpecs(n, channels));
  const exit = build.module((n) => convSpecs(n, channels, c.channels, 3, { scale: 0 }));
  build.step((s) => {
    s.h = conv2d(s.params, exit, swish(groupNorm(s.params, norm, s.h)));
  });
}

function checkImages(x: Tensor, { channels, size }: ResolvedUnet): void {
  const [, c, h, w] = x.shape;
  if (x.rank === 4 && c === channels && h === size && w === size) return;
  throw new ShapeError(
    `U-Net: takes images [batch, ${channels}, ${size}, ${size}], got [${x.shape}]; resize them or build the network for their size`,
  );
}
