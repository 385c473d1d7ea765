import { unknownName } from '../core/errors.ts';
import type { HostTensor } from '../core/host-tensor.ts';
import type { PictureBatches } from '../datasets/picture-batches.ts';
import type { Fit } from '../datasets/picture-fit.ts';
import type { Ddaebm } from '../objectives/ddaebm.ts';
import { dataFolder } from './data-folder.ts';
import type { Estimate } from './eta.ts';
import {
  checkImageConfig,
  type ImageConfig,
  type ImageSetting,
  imageNetworks,
  imageObjective,
} from './image-config.ts';
import { estimateImages, imageExecution } from './image-parts.ts';
import {
  energiesOf,
  type ImageNumbers,
  imageTraining,
  mirrored,
  trainImages,
} from './image-training.ts';
import { type KeptRun, type KeptRunOptions, keptRun } from './kept-run.ts';
import { type Overrides, withOverrides } from './overrides.ts';
import { type PicturePlaces, referencePictures, trainingBatches } from './picture-data.ts';

/** A training on pictures that are read from files as it goes. Plain JSON. */
export interface PictureConfig extends ImageConfig {
  readonly data: {
    /** Training pictures: the first so many. */
    readonly images: number;
    /** How a picture becomes a square; `exact` where a set was packed in its final size. */
    readonly fit: Fit;
  };
}

/** A set of pictures, and what DDAEBM is for it. */
export interface PictureSetting extends ImageSetting {
  /** Raised when the code changes what a configuration computes, so that old runs are not reused. */
  readonly revision: number;
  readonly places: PicturePlaces;
  /** The configuration of the paper, and what the other presets change of it. */
  readonly paper: PictureConfig;
  readonly presets: Readonly<Record<string, Overrides>>;
}

export interface PictureOptions extends KeptRunOptions {
  /** Default `nano`. */
  readonly preset?: string;
  /** Changes to the preset by dotted path, e.g. `{ 'data.fit': 'exact' }`. */
  readonly overrides?: Overrides;
  /** Folder of the pictures. Default: `data/cache/NAME` with the name of the experiment. */
  readonly data?: string;
  /** Decoding threads. Default 2. */
  readonly threads?: number;
}

export interface PictureResult {
  readonly preset: string;
  readonly config: PictureConfig;
  readonly run: KeptRun<PictureConfig, ImageNumbers>;
  readonly numbers: ImageNumbers;
  /** Bytes [evaluations, n, 3, size, size]: the same latents at every evaluation of the series. */
  readonly pictures: HostTensor;
  /** Bytes [n, 3, size, size]: training pictures. */
  readonly real: HostTensor;
  /** E(x, 0) by kind of picture: `test`, `generated`, `noise 0.1`, …; a constant is free. */
  readonly energies: Readonly<Record<string, HostTensor>>;
}

/** DDAEBM on one set of pictures. */
export interface PictureExperiment {
  readonly setting: PictureSetting;
  /** @throws ConfigError for an unknown name or setting. */
  config(preset?: string, overrides?: Overrides): PictureConfig;
  /** Takes batches [batch, 3, size, size] in [−1, 1]. */
  objective(config: PictureConfig): Ddaebm;
  networks(config: PictureConfig): ReturnType<typeof imageNetworks>;
  /**
   * Trains, or takes the result that is there; see `trainImages` for what is left in its folder.
   * @throws ConfigError for an unknown preset or setting; DataError when the pictures are not here;
   * NumericError when training diverges; InterruptedError when stopped.
   */
  run(options?: PictureOptions): Promise<PictureResult>;
  /** Measures a few iterations of a training. @throws DataError when the pictures are not here. */
  estimate(options?: PictureOptions): Promise<Estimate>;
}

/** Pictures of a kind whose energies are kept. */
const ENERGIES = 1000;

export function pictureExperiment(setting: PictureSetting): PictureExperiment {
  const config = (preset = 'nano', overrides: Overrides = {}): PictureConfig => {
    const { presets, paper, revision } = setting;
    if (!Object.hasOwn(presets, preset)) throw unknownName('preset', preset, Object.keys(presets));
    const found = withOverrides(withOverrides(paper, presets[preset]), overrides);
    checkImageConfig(setting, found, revision);
    return found;
  };
  return {
    setting,
    config,
    objective: (c) => imageObjective(setting, c),
    networks: (c) => imageNetworks(setting, c),
    async run(asked = {}) {
      const { preset = 'nano', seed = 0 } = asked;
      const c = config(preset, asked.overrides);
      const options = { ...asked, parts: imageExecution(setting, c, asked).parts };
      const data = new OpenData(setting, c, options);
      try {
        const run = await keptRun<PictureConfig, ImageNumbers>(
          { experiment: setting.name, config: c, seed, computation: () => data.training() },
          { shippedFirst: true, ...options },
          async (folder) =>
            trainImages(
              ...([folder, setting, c, data.training()] as const),
              await data.references(),
              options,
            ),
        );
        const { pictures, real } = run.arrays;
        const energies = energiesOf(run.arrays);
        return { preset, config: c, run, numbers: run.numbers, pictures, real, energies };
      } finally {
        await data.close();
      }
    },
    async estimate(options = {}) {
      const c = config(options.preset, options.overrides);
      const data = new OpenData(setting, c, options);
      try {
        return await estimateImages(setting, c, data.training(), options);
      } finally {
        await data.close();
      }
    },
  };
}

/** The pictures of a training, with their threads, which are started when they are needed. */
class OpenData {
  readonly #setting: PictureSetting;
  readonly #config: PictureConfig;
  readonly #options: PictureOptions;
  #batches: PictureBatches | undefined;

  constructor(setting: PictureSetting, config: PictureConfig, options: PictureOptions) {
    this.#setting = setting;
    this.#config = config;
    this.#options = options;
  }

  /** What of a training decides its numbers, beside the seed. */
  training() {
    const { places } = this.#setting;
    this.#batches ??= trainingBatches(places, this.#choice(), this.#config.batch);
    const { batch } = this.#batches;
    return imageTraining(this.#setting, this.#config, mirrored(batch));
  }

  references() {
    const count = Math.max(ENERGIES, this.#config.evaluation.samples);
    return referencePictures(this.#setting.places, this.#choice(), count);
  }

  async close(): Promise<void> {
    await this.#batches?.close();
  }

  #choice() {
    const { images, fit } = this.#config.data;
    const { data, threads } = this.#options;
    const { name, size } = this.#setting;
    const folder = dataFolder(name, data);
    return { folder, images, size, fit, ...(threads !== undefined && { threads }) };
  }
}
