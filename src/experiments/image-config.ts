import { ConfigError, unknownName } from '../core/errors.ts';
import { scheduleConfig } from '../diffusion/schedule.ts';
import type { ImageEncoderConfig } from '../models/encoders.ts';
import { ncsnppEnergy, ncsnppGenerator } from '../models/ncsnpp.ts';
import type { EncoderNetwork } from '../models/network.ts';
import type { UnetConfig } from '../models/unet-config.ts';
import { type Ddaebm, ddaebm } from '../objectives/ddaebm.ts';
import { RELEASED_IMAGE_FORM } from '../objectives/ddaebm-config.ts';
import { cosineAnnealing } from '../optim/schedules.ts';
import { checkCounts } from './overrides.ts';

/** How generator and encoder explain the real image; see `DdaebmOptions.reconstruction`. */
export const IMAGE_FORMS = ['encoder', 'released'] as const;

/** All that decides the numbers of a training of DDAEBM on images, beside its seed. Plain JSON. */
export interface ImageConfig {
  readonly revision: number;
  readonly steps: number;
  readonly batch: number;
  readonly network: {
    /** n_f, channels of the first level. */
    readonly width: number;
    /** Channels of each level as multiples of `width`, separated by commas. */
    readonly multipliers: string;
    /** Residual blocks of a level. */
    readonly blocks: number;
    /** m, dimension of z. */
    readonly latentDim: number;
    /** Dimension of the latent features, and affine layers of the map to them after the first. */
    readonly styleDim: number;
    readonly mappingDepth: number;
    /** Channels of the encoder's first layer, and dimension of its time features. */
    readonly encoderWidth: number;
    readonly encoderTimeDim: number;
    /**
     * Share of features that training drops in the residual blocks of energy and generator. Absent:
     * none are dropped, and the runs are those of before there was this setting.
     */
    readonly dropout?: number;
    /** Whether gradients compute the residual blocks again to save memory. Absent: they do not. */
    readonly recompute?: boolean;
  };
  readonly diffusion: {
    /** T. */
    readonly steps: number;
  };
  readonly objective: {
    /**
     * `encoder`: the likelihood of x_t given the encoder's latent, as in the paper; `released`: the
     * squared error with the latent of the prior, as in the last public code.
     */
    readonly form: (typeof IMAGE_FORMS)[number];
    /** `jeffreys`, `kl` or `kl-no-entropy`, and whether there is a latent (Table 5). */
    readonly divergence: 'jeffreys' | 'kl' | 'kl-no-entropy';
    readonly latent: boolean;
    /** γ of eq. (23). */
    readonly gamma: number;
    readonly latentWeight: number;
    /** Equal parts that a batch is worked through in, for less memory. Absent: 1. */
    readonly parts?: number;
    /** w and w_mid of eq. (21). Absent: 1, which weighs all levels alike. */
    readonly weight?: number;
    readonly middleWeight?: number;
  };
  readonly optimizer: {
    readonly energyRate: number;
    readonly generatorRate: number;
    /** Both rates fall to this by a cosine. */
    readonly minimumRate: number;
    readonly beta1: number;
    readonly beta2: number;
    /** Decay of the averages of the parameters. */
    readonly ema: number;
  };
  readonly evaluation: {
    /** Iterations between two evaluations. */
    readonly every: number;
    /** Samples of each, kept as bytes. */
    readonly samples: number;
    /** Samples shown in a picture of each. */
    readonly pictures: number;
  };
}

/** What a set of images fixes: its size, the schedule and the kind of networks. */
export interface ImageSetting {
  /** Of the experiment; also the streams of random numbers. */
  readonly name: string;
  /** Pixels of a side. */
  readonly size: number;
  /** Name of the noise schedule. */
  readonly schedule: string;
  readonly encoder: (config: ImageEncoderConfig) => EncoderNetwork;
  /** What its U-Nets have beside the widths. */
  readonly unet?: Partial<UnetConfig>;
}

/** @throws ConfigError naming the setting that is out of range. */
export function checkImageConfig(
  setting: ImageSetting,
  config: ImageConfig,
  revision: number,
): void {
  const { evaluation, diffusion, objective } = config;
  if (config.revision !== revision) throw new ConfigError("setting 'revision' cannot be changed");
  checkCounts({
    steps: [config.steps, 1],
    batch: [config.batch, 2],
    'diffusion.steps': [diffusion.steps, 1],
    'evaluation.every': [evaluation.every, 1],
    'evaluation.samples': [evaluation.samples, 2],
    'evaluation.pictures': [evaluation.pictures, 1],
  });
  if (!IMAGE_FORMS.includes(objective.form)) {
    throw unknownName('objective.form', objective.form, IMAGE_FORMS);
  }
  imageObjective(setting, config);
}

/** The U-Net of energy and generator. @throws ConfigError for multipliers that are none. */
export function imageUnet({ size, unet }: ImageSetting, { network }: ImageConfig): UnetConfig {
  const multipliers = network.multipliers.split(',').map(Number);
  const { width, blocks, dropout, recompute } = network;
  const options = { ...(dropout && { dropout }), ...(recompute && { recompute }) };
  return { size, width, multipliers, blocks, ...unet, ...options };
}

/** The networks of the paper for these images, as `config` sizes them. */
export function imageNetworks(setting: ImageSetting, config: ImageConfig) {
  const { latentDim, styleDim, mappingDepth, encoderWidth, encoderTimeDim } = config.network;
  const unet = imageUnet(setting, config);
  return {
    energy: ncsnppEnergy(unet),
    generator: ncsnppGenerator({ ...unet, latent: latentDim, styleDim, mappingDepth }),
    encoder: setting.encoder({ width: encoderWidth, latent: latentDim, timeDim: encoderTimeDim }),
  };
}

/** DDAEBM on images [batch, 3, size, size] in [−1, 1]. @throws ConfigError. */
export function imageObjective(setting: ImageSetting, config: ImageConfig): Ddaebm {
  const { objective, optimizer } = config;
  const { form, weight, middleWeight, ...options } = objective;
  const betas = [optimizer.beta1, optimizer.beta2] as const;
  return ddaebm({
    batch: config.batch,
    dataShape: imageShape(setting),
    latentDim: config.network.latentDim,
    schedule: { ...scheduleConfig(setting.schedule), steps: config.diffusion.steps },
    posterior: 'image',
    reconstructionFloor: 'second',
    ...(weight !== undefined && { recoveryWeights: [weight, middleWeight ?? weight] as const }),
    ...(form === 'released' && RELEASED_IMAGE_FORM),
    ...options,
    networks: imageNetworks(setting, config),
    energyAdam: { learningRate: optimizer.energyRate, betas },
    generatorAdam: { learningRate: optimizer.generatorRate, betas },
    ema: optimizer.ema,
  });
}

/** Channels, rows and columns of an image. */
export function imageShape({ size }: ImageSetting): readonly number[] {
  return [3, size, size];
}

/** Learning rates of an iteration, as the scalars of the state that hold them. */
export function imageRates({
  optimizer,
  steps,
}: ImageConfig): (step: number) => Record<string, number> {
  const energy = cosineAnnealing(optimizer.energyRate, steps, optimizer.minimumRate);
  const generator = cosineAnnealing(optimizer.generatorRate, steps, optimizer.minimumRate);
  return (step) => ({
    'energy/adam/learningRate': energy(step),
    'generator/adam/learningRate': generator(step),
  });
}
