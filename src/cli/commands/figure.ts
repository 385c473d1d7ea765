import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { ConfigError, unknownName } from '../../core/errors.ts';
import { writeFileAtomic } from '../../core/files.ts';
import { gibbsVersion } from '../../core/versions.ts';
import type { ToyResult } from '../../experiments/toy.ts';
import type { ToyConfig } from '../../experiments/toy-config.ts';
import type { Fig1Run, Fig1Setting } from '../../figures/fig1.ts';
import { type Arguments, type Command, JSON_OPTION } from '../command.ts';
import { withInterrupts } from '../interrupts.ts';
import { type Job, runJobs } from '../workers.ts';

const FIGURES = ['1'];

/** The data sets of Figure 1, top to bottom. */
const FIG1_DATASETS = ['25gaussians', 'pinwheel'];
const FIG1_NAME = 'fig1-toy-density';

export const figureCommand: Command = {
  usage: 'figure NUMBER',
  summary: 'Draws a figure of the paper as SVG, PNG and JSON; trains what is missing first.',
  details: [
    'Figures: 1 (toy data: learned densities and samples; the DDAEBM panels).',
    '',
    'The models are trained side by side, one process each. The pictures carry what they were made',
    'from: configuration, seed, commit and versions.',
  ].join('\n'),
  positionals: ['NUMBER'],
  options: {
    preset: { type: 'string', value: 'NAME', help: 'smoke, quick or paper (default: quick)' },
    seed: { type: 'string', value: 'N', help: 'seed of all random numbers (default: 0)' },
    set: { type: 'string', multiple: true, value: 'KEY=VALUE', help: 'change one setting' },
    out: { type: 'string', value: 'DIR', help: 'folder of the pictures (default: figures)' },
    runs: { type: 'string', value: 'DIR', help: 'folder of all runs (default: data/runs)' },
    jobs: { type: 'string', value: 'N', help: 'processes that train at once (default: cores)' },
    retrain: { type: 'boolean', help: 'train all models again from the start' },
    json: JSON_OPTION,
  },
  run: (args) => withInterrupts((signal) => figure(args, signal)),
};

async function figure(args: Arguments, signal: AbortSignal): Promise<number> {
  const [number] = args.positionals;
  if (!FIGURES.includes(number)) throw unknownName('figure', number, FIGURES);
  const { parseSetting } = await import('../../experiments/overrides.ts');
  const { defaultRunsFolder, projectRoot } = await import('../../experiments/runs-folder.ts');
  const request: Fig1Request = {
    preset: args.text('preset') ?? 'quick',
    seed: args.count('seed') ?? 0,
    overrides: Object.fromEntries(args.texts('set').map(parseSetting)),
    runs: args.text('runs') ?? defaultRunsFolder(),
    retrain: args.flag('retrain'),
    jobs: Math.max(1, args.count('jobs') ?? availableParallelism()),
  };
  if ('dataset' in request.overrides) {
    throw new ConfigError(`figure 1 always shows ${FIG1_DATASETS.join(' and ')}`);
  }
  await trainMissing(request, signal);
  const files = await drawFig1(request, args.text('out') ?? join(projectRoot(), 'figures'));
  if (args.flag('json')) process.stdout.write(`${JSON.stringify({ files })}\n`);
  else process.stdout.write(files.map((file) => `${file}\n`).join(''));
  return 0;
}

interface Fig1Request {
  readonly preset: string;
  readonly seed: number;
  readonly overrides: Readonly<Record<string, string>>;
  readonly runs: string;
  readonly retrain: boolean;
  readonly jobs: number;
}

async function trainMissing(request: Fig1Request, signal: AbortSignal): Promise<void> {
  const { isToyFinished } = await import('../../experiments/toy.ts');
  const { preset, seed, overrides, runs: root, retrain } = request;
  const finished = (dataset: string) =>
    isToyFinished({ dataset, preset, seed, overrides, root }) && !retrain;
  const missing = FIG1_DATASETS.filter((dataset) => !finished(dataset));
  if (missing.length === 0) {
    process.stderr.write('all models are trained already; --retrain trains them again\n');
    return;
  }
  const { ProgressDisplay } = await import('../../train/progress.ts');
  const display = new ProgressDisplay(process.stderr);
  const width = Math.max(...missing.map((dataset) => dataset.length));
  await runJobs(
    missing.map((dataset) => ({ name: dataset, argv: runArguments(request, dataset) })),
    {
      parallel: request.jobs,
      signal,
      onMessage: (job: Job, message) => {
        if ('progress' in message) display.update(job.name.padEnd(width), message.progress);
        else display.note(`${job.name}: ${message.notice}`);
      },
    },
  );
  display.end();
}

function runArguments(request: Fig1Request, dataset: string): string[] {
  const { preset, seed, overrides, runs, retrain } = request;
  return [
    ...['run', 'toy', '--dataset', dataset, '--preset', preset],
    ...['--seed', String(seed), '--out', runs, '--json'],
    ...Object.entries(overrides).flatMap(([key, value]) => ['--set', `${key}=${value}`]),
    ...(retrain ? ['--fresh'] : []),
  ];
}

async function drawFig1(request: Fig1Request, folder: string): Promise<string[]> {
  const { runToy, toyPanelData } = await import('../../experiments/toy.ts');
  const { densityPanels } = await import('../../figures/density-panels.ts');
  const { fig1 } = await import('../../figures/fig1.ts');
  const { renderPng, rendererVersions, renderSvg } = await import('../../figures/render.ts');
  const { makeFolder } = await import('../../train/folders.ts');
  const { preset, seed, overrides, runs: root } = request;
  const results: ToyResult[] = [];
  for (const dataset of FIG1_DATASETS) {
    results.push(await runToy({ dataset, preset, seed, overrides, root }));
  }
  const panels = results.map(
    (result): Fig1Run => ({
      dataset: result.config.dataset,
      data: toyPanelData(result.config.dataset, seed).data,
      samples: result.samples.data,
      logDensity: result.logDensity.data,
      gridSize: result.config.evaluation.gridSize,
      metrics: result.metrics,
    }),
  );
  const provenance = {
    figure: FIG1_NAME,
    gibbs: gibbsVersion(),
    preset,
    seed,
    overrides,
    renderer: rendererVersions(),
    runs: results.map(provenanceOfRun),
  };
  const description = fig1(panels, settingOf(results[0].config, preset, seed));
  const svg = await renderSvg(densityPanels(description), provenance);
  const { title, caption } = description;
  const details = {
    title,
    caption: caption.replaceAll('\u00a0', ' '),
    ...provenance,
    runs: results.map((result) => ({
      ...provenanceOfRun(result),
      metrics: result.metrics,
      config: result.config,
      seconds: result.seconds,
      environment: result.environment,
    })),
  };
  makeFolder(folder);
  const contents = {
    svg,
    png: renderPng(svg),
    json: `${JSON.stringify(details, null, 2)}\n`,
  };
  return Object.entries(contents).map(([extension, content]) => {
    const path = join(folder, `${FIG1_NAME}.${extension}`);
    writeFileAtomic(path, content);
    return path;
  });
}

function provenanceOfRun({ key, config, seed, steps, checksum, environment }: ToyResult) {
  const { gibbs, commit, dirty, packages, node } = environment;
  const source = { gibbs, commit, dirty, node, packages };
  return { key, dataset: config.dataset, seed, steps, checksum, ...source };
}

function settingOf(config: ToyConfig, preset: string, seed: number): Fig1Setting {
  const { diffusion, optimizer, steps, batch } = config;
  const { T, betaMin, betaMax } = diffusion;
  const { energyRate, generatorRate, schedule } = optimizer;
  return { preset, T, betaMin, betaMax, steps, batch, energyRate, generatorRate, schedule, seed };
}
