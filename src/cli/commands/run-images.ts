import { join } from 'node:path';
import type { Cifar10Numbers } from '../../experiments/cifar10.ts';
import type { Estimate } from '../../experiments/eta.ts';
import type { KeptRun, KeptRunOptions } from '../../experiments/kept-run.ts';
import type { Overrides } from '../../experiments/overrides.ts';
import type { PictureExperiment } from '../../experiments/picture-experiment.ts';
import type { ClassifierOptions, ClassifierRecord } from '../../experiments/trained-classifier.ts';
import type { Ranks } from '../../train/parallel/ranks.ts';
import { type Arguments, table } from '../command.ts';
import { partsOf } from '../parts.ts';

/** What the experiments on images are asked with. */
interface ImageOptions extends KeptRunOptions {
  readonly method?: string;
  readonly preset?: string;
  readonly overrides: Overrides;
  readonly data?: string;
  /** File of the parameters, and whether they are to come with the project. */
  readonly publish?: string;
  readonly ship: boolean;
}

/** A finished experiment as the command line shows it. */
interface Shown {
  readonly title: string;
  readonly rows: readonly (readonly [string, string])[];
  /** The same for programs, without arrays. */
  readonly json: object;
  /** The run itself, where it can be shipped. */
  readonly run?: KeptRun<unknown, unknown>;
}

/** One experiment: how long it would take here, and doing it. */
interface ImageExperiment {
  estimate(options: ImageOptions): Promise<Estimate>;
  run(options: ImageOptions): Promise<Shown>;
}

const EXPERIMENTS: Readonly<Record<string, () => Promise<ImageExperiment>>> = {
  nice: async () => {
    const { estimateNice, runNice } = await import('../../experiments/nice.ts');
    return {
      estimate: estimateNice,
      async run(options) {
        const { title, preset, config, run, numbers } = await runNice(options);
        const { test, testError, train, bitsPerDim } = numbers;
        return {
          title: `nice, ${title}, preset ${preset}, seed ${run.seed}`,
          rows: [
            ['test log-likelihood', `${test.toFixed(1)} ± ${testError.toFixed(1)} nats`],
            ['train log-likelihood', `${train.toFixed(1)} nats`],
            ['bits per pixel', bitsPerDim.toFixed(3)],
            ['iterations', `${run.steps} in ${run.seconds.toFixed(0)} s (${run.origin})`],
          ],
          json: { config, numbers, key: run.key, seconds: run.seconds, origin: run.origin },
          run,
        };
      },
    };
  },
  stacked: async () => {
    const { estimateStacked, runStacked } = await import('../../experiments/stacked.ts');
    return {
      estimate: estimateStacked,
      async run(options) {
        const { preset, config, run, numbers } = await runStacked(options);
        return {
          title: `stacked, ${config.method}, preset ${preset}, seed ${run.seed}`,
          rows: [
            ['modes', `${numbers.modes} of 1000 in ${numbers.samples} samples`],
            ['KL to uniform', `${numbers.klToUniform.toFixed(3)} nat`],
            ['KL to data', `${numbers.klToData.toFixed(3)} nat`],
            ['iterations', `${run.steps} in ${run.seconds.toFixed(0)} s (${run.origin})`],
          ],
          json: { config, numbers, key: run.key, seconds: run.seconds, origin: run.origin },
          run,
        };
      },
    };
  },
  'latent-prior': async () => {
    const { estimateLatentPrior, runLatentPrior } = await import(
      '../../experiments/latent-prior.ts'
    );
    return {
      estimate: estimateLatentPrior,
      async run(options) {
        const { preset, config, run, numbers } = await runLatentPrior(options);
        return {
          title: `latent-prior, preset ${preset}, seed ${run.seed}`,
          rows: [
            ['reconstruction error', `${numbers.reconstructionError.toFixed(4)} per pixel`],
            ['energy, posterior', numbers.posteriorEnergy.toFixed(2)],
            ['energy, prior samples', numbers.priorEnergy.toFixed(2)],
            ['energy, N(0, I)', numbers.gaussianEnergy.toFixed(2)],
            ['iterations', `${run.steps} in ${run.seconds.toFixed(0)} s (${run.origin})`],
          ],
          json: { config, numbers, key: run.key, seconds: run.seconds, origin: run.origin },
          run,
        };
      },
    };
  },
  cifar10: async () => {
    const { estimateCifar10, runCifar10 } = await import('../../experiments/cifar10.ts');
    return {
      estimate: estimateCifar10,
      async run(options) {
        const { preset, config, run, numbers } = await runCifar10(options);
        const last = numbers.series[numbers.series.length - 1];
        return {
          title: `cifar10, ddaebm, preset ${preset}, seed ${run.seed}`,
          rows: [
            [
              'thumbnail distance',
              `${last.thumbnailDistance.toFixed(4)} (training images: ${numbers.floor.toFixed(4)})`,
            ],
            ...distanceRow(numbers),
            ['samples', String(last.samples)],
            ['iterations', `${run.steps} in ${run.seconds.toFixed(0)} s (${run.origin})`],
          ],
          json: { config, numbers, key: run.key, seconds: run.seconds, origin: run.origin },
          run,
        };
      },
    };
  },
  drl: async () => {
    const { estimateDrl, runDrl } = await import('../../experiments/drl-cifar10.ts');
    return {
      estimate: estimateDrl,
      async run(options) {
        const { preset, config, run, numbers } = await runDrl(options);
        const last = numbers.series[numbers.series.length - 1];
        return {
          title: `drl, preset ${preset}, seed ${run.seed}`,
          rows: [
            [
              'thumbnail distance',
              `${last.thumbnailDistance.toFixed(4)} (training images: ${numbers.floor.toFixed(4)})`,
            ],
            ...distanceRow(numbers),
            ['samples', `${last.samples} of ${numbers.networkEvaluations} Langevin steps each`],
            ['iterations', `${run.steps} in ${run.seconds.toFixed(0)} s (${run.origin})`],
          ],
          json: { config, numbers, key: run.key, seconds: run.seconds, origin: run.origin },
          run,
        };
      },
    };
  },
  celeba64: async () => pictures((await import('../../experiments/celeba64.ts')).celeba64),
  'lsun-church': async () =>
    pictures((await import('../../experiments/lsun-church.ts')).lsunChurch),
  'mnist-classifier': async () => {
    const { classifierPath, estimateClassifier, trainMnistClassifier } = await import(
      '../../experiments/mnist-classifier.ts'
    );
    return classifier('mnist-classifier', classifierPath, estimateClassifier, trainMnistClassifier);
  },
  'cifar-classifier': async () => {
    const { cifarClassifierPath, estimateCifarClassifier, trainCifarClassifier } = await import(
      '../../experiments/cifar-classifier.ts'
    );
    return classifier(
      ...(['cifar-classifier', cifarClassifierPath] as const),
      ...([estimateCifarClassifier, trainCifarClassifier] as const),
    );
  },
};

/** DDAEBM on a set of pictures that is read from files. */
function pictures(experiment: PictureExperiment): ImageExperiment {
  return {
    estimate: experiment.estimate,
    async run(options) {
      const { preset, config, run, numbers } = await experiment.run(options);
      const last = numbers.series[numbers.series.length - 1];
      return {
        title: `${experiment.setting.name}, ddaebm, preset ${preset}, seed ${run.seed}`,
        rows: [
          [
            'thumbnail distance',
            `${last.thumbnailDistance.toFixed(4)} (training images: ${numbers.floor.toFixed(4)})`,
          ],
          ['samples', String(last.samples)],
          ['iterations', `${run.steps} in ${run.seconds.toFixed(0)} s (${run.origin})`],
        ],
        json: { config, numbers, key: run.key, seconds: run.seconds, origin: run.origin },
        run,
      };
    },
  };
}

/** A classifier goes to the file asked for, with --ship into data/checkpoints, else to its runs. */
function classifier(
  name: string,
  shippedPath: () => string,
  estimate: (options: ClassifierOptions) => Promise<Estimate>,
  train: (path: string, options: ClassifierOptions) => Promise<ClassifierRecord>,
): ImageExperiment {
  const settings = ({ overrides, ...rest }: ImageOptions): ClassifierOptions => ({
    ...rest,
    steps: overrides['steps'] as number | undefined,
    onProgress: (progress) => rest.onProgress?.(progress, 'classifier'),
  });
  return {
    estimate: (options) => estimate(settings(options)),
    async run(options) {
      const { defaultRunsFolder } = await import('../../experiments/runs-folder.ts');
      const usual = join(options.root ?? defaultRunsFolder(), name, `${name}.safetensors`);
      const path = options.publish ?? (options.ship ? shippedPath() : usual);
      const record = await train(path, settings(options));
      return {
        title: `${name}, seed ${record.seed}`,
        rows: [
          ['test accuracy', `${(100 * record.accuracy).toFixed(2)} %`],
          ['iterations', `${record.steps} in ${record.seconds.toFixed(0)} s`],
          ['file', path],
        ],
        json: { ...record, path },
      };
    },
  };
}

function distanceRow({ distances }: Pick<Cifar10Numbers, 'distances'>): [string, string][] {
  const last = distances?.series.at(-1);
  if (distances === undefined || last === undefined) return [];
  const floor = distances.floor.toFixed(2);
  return [[distances.title, `${last.distance.toFixed(2)} (training images: ${floor})`]];
}

/** Runs one of the experiments on images from the command line. @returns the exit code. */
export async function runImages(
  name: string,
  args: Arguments,
  signal: AbortSignal,
  ranks: Ranks | undefined,
): Promise<number> {
  const { parseSetting } = await import('../../experiments/overrides.ts');
  const { describeEstimate } = await import('../../experiments/eta.ts');
  const { ProgressDisplay } = await import('../../train/progress.ts');
  const experiment = await EXPERIMENTS[name]();
  const display = new ProgressDisplay(process.stderr);
  const steps = args.count('steps');
  const options: ImageOptions = {
    method: args.text('method'),
    preset: args.text('preset'),
    seed: args.count('seed'),
    overrides: {
      ...Object.fromEntries(args.texts('set').map(parseSetting)),
      ...(steps !== undefined && { steps }),
    },
    data: args.text('data'),
    root: args.text('store') ?? args.text('out'),
    checkpointSeconds: args.count('checkpoint'),
    fresh: args.flag('fresh'),
    publish: args.text('publish'),
    ship: args.flag('ship'),
    onProgress: ranks?.rank ? undefined : (progress, title) => display.update(title, progress),
    onNotice: (text) => display.note(`note: ${text}`),
    signal,
    ranks,
    parts: partsOf(args),
  };
  if (!args.flag('json') && !ranks?.rank) {
    display.note(`${name}: ${describeEstimate(await experiment.estimate(options))}`);
  }
  const { title, rows, json, run } = await experiment.run(options);
  display.end();
  if (options.ship && run) {
    const { shipRun } = await import('../../experiments/kept-run.ts');
    display.note(`shipped: ${shipRun(name, run)}`);
  }
  if (args.flag('json')) process.stdout.write(`${JSON.stringify(json)}\n`);
  else {
    const lines = table(rows.map(([left, right]) => [`  ${left}`, right] as const));
    process.stdout.write(`${title}\n${lines.join('\n')}\n`);
  }
  return 0;
}
