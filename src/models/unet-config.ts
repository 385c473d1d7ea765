import { ConfigError } from '../core/errors.ts';
import type { ResampleFilter } from '../nn/resample.ts';
import type { CombineMethod } from '../nn/resample-layer.ts';

/** Sizes and variants of the U-Net of NCSN++ and DDPM++; the defaults are those of DDAEBM. */
export interface UnetConfig {
  /** Height and width of the images, divisible by 2 once per level but the last. */
  readonly size: number;
  /** Channels of the images. Default 3. */
  readonly channels?: number;
  /** n_f, channels of the first level. */
  readonly width: number;
  /** Channels of each level as multiples of `width`. */
  readonly multipliers: readonly number[];
  /** Residual blocks of a level on the way down; one more on the way up. Default 2. */
  readonly blocks?: number;
  /** Sizes of feature maps that attend to themselves, besides the middle. Default [16]. */
  readonly attentionAt?: readonly number[];
  /** How blocks and pyramids resample. Default `fir`. */
  readonly filter?: ResampleFilter;
  /** Taps of the low-pass. Default [1, 3, 3, 1]. */
  readonly taps?: readonly number[];
  /**
   * `biggan` (default); `biggan-first`, whose second norm is plain in a generator; `ddpm`, where
   * layers of their own resample.
   */
  readonly block?: 'biggan' | 'biggan-first' | 'ddpm';
  /** Whether the resampling layers of `ddpm` blocks convolve. Default true. */
  readonly resampleConv?: boolean;
  /** How the image enters below the first level again. Default `residual`. */
  readonly progressiveInput?: 'none' | 'input-skip' | 'residual';
  /** How `input-skip` joins. Default `sum`. */
  readonly combine?: CombineMethod;
  /** Whether levels above the last contribute to the output directly. Default `none`. */
  readonly progressive?: 'none' | 'output-skip' | 'residual';
  /** Whether sums of residual branches are divided by √2. Default true. */
  readonly rescale?: boolean;
  /** Whether images come in [−1, 1]; else they are taken for [0, 1] and shifted. Default true. */
  readonly centred?: boolean;
  /**
   * Whether a backward pass computes the residual blocks again in place of remembering what is
   * inside them: less memory (see `checkpointed`) for up to twice the time, and twice the graph to
   * compile with a gradient penalty.
   * Default false.
   */
  readonly recompute?: boolean;
  /**
   * Share of the features that training drops before the second convolution of each residual block,
   * in [0, 1). Default 0; the official training of DDAEBM has 0.1 on CIFAR-10 and CelebA.
   */
  readonly dropout?: number;
}

export type ResolvedUnet = Required<UnetConfig>;

const CHOICES = {
  filter: ['fir', 'box'],
  block: ['biggan', 'biggan-first', 'ddpm'],
  progressiveInput: ['none', 'input-skip', 'residual'],
  progressive: ['none', 'output-skip', 'residual'],
  combine: ['sum', 'cat'],
} as const;

/** Fills in the defaults. @throws ConfigError naming the option at fault. */
export function resolveUnet(config: UnetConfig): ResolvedUnet {
  const c: ResolvedUnet = {
    channels: 3,
    blocks: 2,
    attentionAt: [16],
    filter: 'fir',
    taps: [1, 3, 3, 1],
    block: 'biggan',
    resampleConv: true,
    progressiveInput: 'residual',
    combine: 'sum',
    progressive: 'none',
    rescale: true,
    centred: true,
    recompute: false,
    dropout: 0,
    ...config,
  };
  const fail = (what: string) => new ConfigError(`U-Net: ${what}`);
  for (const [name, allowed] of Object.entries(CHOICES)) {
    const value = c[name as keyof typeof CHOICES];
    if (!(allowed as readonly string[]).includes(value)) {
      throw fail(`${name} must be one of ${allowed.join(', ')}, got '${value}'`);
    }
  }
  for (const name of ['size', 'channels', 'width', 'blocks'] as const) {
    if (!Number.isInteger(c[name]) || c[name] < 1) {
      throw fail(`${name} must be a positive integer, got ${c[name]}`);
    }
  }
  if (!(c.dropout >= 0 && c.dropout < 1)) {
    throw fail(`dropout must lie in [0, 1), got ${c.dropout}`);
  }
  if (c.multipliers.length === 0 || c.multipliers.some((m) => !Number.isInteger(m) || m < 1)) {
    throw fail(`multipliers must be positive integers, got [${c.multipliers}]`);
  }
  const reduction = 2 ** (c.multipliers.length - 1);
  if (c.size % reduction !== 0) {
    throw fail(
      `size ${c.size} is not divisible by ${reduction}, as ${c.multipliers.length} levels need`,
    );
  }
  const learnedUp = (c.block === 'ddpm' && c.resampleConv) || c.progressive === 'residual';
  if (learnedUp && c.filter === 'fir') {
    throw fail(
      "a low-pass with a convolution behind it upwards is not defined by the official code; use filter 'box'",
    );
  }
  return c;
}
