import { join } from 'node:path';
import { ConfigError } from '../core/errors.ts';
import { writeFileAtomic } from '../core/files.ts';
import { makeFolder } from '../core/folders.ts';
import { gibbsVersion } from '../core/versions.ts';
import type { KeptRun, KeptRunOptions } from '../experiments/kept-run.ts';
import type { Spec } from '../figures/density-panels.ts';
import type { Arguments } from './command.ts';

interface Drawing {
  readonly spec: Spec;
  readonly numbers: unknown;
  readonly runs: readonly KeptRun<unknown, unknown>[];
}

export interface MnistFigureOptions extends KeptRunOptions {
  readonly preset?: string;
  /** Folder of MNIST's IDX files. Default: the fetched one. */
  readonly data?: string;
}

interface MnistFigure {
  /** Names of the pictures, as their files are called. */
  readonly pictures: readonly string[];
  /** @returns as many drawings. */
  draw(options: MnistFigureOptions): Promise<Drawing[]>;
}

/** What `gibbs figure` can draw of the experiments on MNIST, by what is typed. */
const FIGURES: Readonly<Record<string, MnistFigure>> = {
  2: {
    pictures: ['fig2-nice-mnist', 'table1-nice-likelihood'],
    draw: drawNice,
  },
  stacked: {
    pictures: ['table11-stackedmnist-samples', 'table11-stackedmnist-modes'],
    draw: drawStacked,
  },
  'latent-prior': {
    pictures: ['latent-prior-pictures', 'latent-prior-energy'],
    draw: drawLatentPrior,
  },
};

async function drawNice(options: MnistFigureOptions): Promise<Drawing[]> {
  const { runNiceTable } = await import('../experiments/mnist-tables.ts');
  const { niceCurvesFigure, niceSamplesFigure } = await import('../figures/nice.ts');
  const results = await runNiceTable(options);
  const runs = results.map(({ run }) => run);
  const numbers = results.map(({ name, numbers: { series: _, ...own } }) => ({ name, ...own }));
  return [
    { spec: niceSamplesFigure(results), numbers, runs },
    { spec: niceCurvesFigure(results), numbers, runs },
  ];
}

async function drawStacked(options: MnistFigureOptions): Promise<Drawing[]> {
  const { runStackedTable } = await import('../experiments/mnist-tables.ts');
  const { samplingFloor } = await import('../experiments/stacked.ts');
  const { stackedCurvesFigure, stackedSamplesFigure } = await import('../figures/stacked.ts');
  const results = await runStackedTable(options);
  const runs = results.map(({ run }) => run);
  const [{ numbers: first }] = results;
  const floors = {
    onTheWay: samplingFloor(first.series[0].samples),
    final: samplingFloor(first.samples),
  };
  const numbers = results.map(({ name, numbers: { series: _, ...own } }) => ({ name, ...own }));
  return [
    { spec: stackedSamplesFigure(results), numbers, runs },
    { spec: stackedCurvesFigure(results, floors), numbers, runs },
  ];
}

async function drawLatentPrior(options: MnistFigureOptions): Promise<Drawing[]> {
  const { runLatentPrior } = await import('../experiments/latent-prior.ts');
  const { latentEnergyFigure, latentPicturesFigure } = await import('../figures/latent-prior.ts');
  const result = await runLatentPrior(options);
  const { numbers, run } = result;
  return [
    { spec: latentPicturesFigure(result), numbers, runs: [run] },
    { spec: latentEnergyFigure(result), numbers, runs: [run] },
  ];
}

export const MNIST_FIGURES: readonly string[] = Object.keys(FIGURES);

/** Which of `MNIST_FIGURES` a picture belongs to, e.g. `2` for `fig2-nice-mnist`. */
export function mnistFigureOf(picture: string): string | undefined {
  return MNIST_FIGURES.find((name) => FIGURES[name].pictures.includes(picture));
}

/**
 * Draws one of `MNIST_FIGURES` from results that came with the project or from runs; trains what is
 * missing. Writes SVG, PNG and JSON of each picture into `folder`.
 * @returns the paths. @throws as the experiments.
 */
export async function writeMnistFigure(
  figure: string,
  folder: string,
  options: MnistFigureOptions = {},
): Promise<string[]> {
  const { renderPng, rendererVersions, renderSvg } = await import('../figures/render.ts');
  const { pictures, draw } = FIGURES[figure];
  const drawings = await draw(options);
  makeFolder(folder);
  const paths: string[] = [];
  for (const [i, { spec, numbers, runs }] of drawings.entries()) {
    const name = pictures[i];
    const provenance = {
      figure: name,
      gibbs: gibbsVersion(),
      preset: options.preset ?? 'quick',
      renderer: rendererVersions(),
      runs: runs.map(({ key, seed, steps, checksum, origin }) => ({
        ...{ key, seed, steps, checksum, origin },
      })),
    };
    const svg = await renderSvg(spec, provenance);
    const details = {
      ...provenance,
      numbers,
      runs: runs.map(({ arrays: _, numbers: __, ...run }) => run),
    };
    const contents = { svg, png: renderPng(svg), json: `${JSON.stringify(details, null, 2)}\n` };
    for (const [extension, content] of Object.entries(contents)) {
      const path = join(folder, `${name}.${extension}`);
      writeFileAtomic(path, content);
      paths.push(path);
    }
  }
  return paths;
}

/** `gibbs figure` for one of `MNIST_FIGURES`. @returns the exit code. */
export async function mnistFigure(args: Arguments, signal: AbortSignal): Promise<number> {
  const { defaultRunsFolder, projectRoot } = await import('../experiments/runs-folder.ts');
  const { ProgressDisplay } = await import('../train/progress.ts');
  const [figure] = args.positionals;
  for (const name of ['methods', 'jobs']) {
    if (args.text(name) !== undefined) {
      throw new ConfigError(`figure ${figure} always shows the same runs, without --${name}`);
    }
  }
  if (args.texts('set').length > 0 || args.flag('from-checkpoints')) {
    throw new ConfigError(
      `figure ${figure} takes --preset, --seed, --retrain, --store and --out only`,
    );
  }
  const display = new ProgressDisplay(process.stderr);
  const folder = args.text('out') ?? join(projectRoot(), 'figures');
  const files = await writeMnistFigure(figure, folder, {
    preset: args.text('preset'),
    seed: args.count('seed'),
    root: args.text('store') ?? args.text('runs') ?? defaultRunsFolder(),
    fresh: args.flag('retrain'),
    onProgress: (progress, title) => display.update(title, progress),
    onNotice: (text) => display.note(`note: ${text}`),
    signal,
  });
  display.end();
  if (args.flag('json')) process.stdout.write(`${JSON.stringify({ files })}\n`);
  else process.stdout.write(files.map((file) => `${file}\n`).join(''));
  return 0;
}
