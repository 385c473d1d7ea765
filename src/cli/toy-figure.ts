import { join } from 'node:path';
import { writeFileAtomic } from '../core/files.ts';
import { gibbsVersion } from '../core/versions.ts';
import type { ToyOptions } from '../experiments/toy.ts';
import type { ToyConfig } from '../experiments/toy-config.ts';
import type { ToyFigureData, ToyPanel } from '../experiments/toy-figure.ts';
import type { ToyPlan } from '../experiments/toy-plans.ts';
import type { Spec } from '../figures/density-panels.ts';
import type { RunRecord } from '../train/store/record.ts';
import type { RunStore } from '../train/store/run-store.ts';
import { type Job, runJobs } from './workers.ts';

/** Figure 1 with the panels of DDAEBM alone has a layout and a name of its own. */
export const ALONE = 'fig1-toy-density';

export interface TrainingRequest {
  readonly preset: string;
  readonly seed: number;
  readonly overrides: Readonly<Record<string, string>>;
  readonly runs: string;
  readonly retrain: boolean;
  /** Processes at once. */
  readonly jobs: number;
}

/** The panels of a plan from runs; those that are missing are trained side by side. */
export async function trainedFigure(
  plan: ToyPlan,
  request: TrainingRequest,
  signal: AbortSignal,
): Promise<ToyFigureData> {
  const { isToyFinished } = await import('../experiments/toy.ts');
  const { figureFromRuns, toyModelOptions } = await import('../experiments/toy-figure.ts');
  const { preset, seed, overrides, runs: root, retrain } = request;
  const options: ToyOptions = { preset, seed, overrides, root };
  const wanted = new Map<string, ToyOptions>();
  for (const dataset of plan.datasets) {
    for (const model of plan.models) {
      const name = plan.models.length === 1 ? dataset : `${model.id} ${dataset}`;
      const own = toyModelOptions(model, dataset, options);
      if (retrain || !isToyFinished(own)) wanted.set(name, own);
    }
  }
  if (wanted.size === 0) {
    process.stderr.write('all models are trained already; --retrain trains them again\n');
  } else {
    await trainAll(wanted, request, signal);
  }
  return figureFromRuns(plan, options);
}

async function trainAll(
  wanted: ReadonlyMap<string, ToyOptions>,
  request: TrainingRequest,
  signal: AbortSignal,
): Promise<void> {
  const { ProgressDisplay } = await import('../train/progress.ts');
  const display = new ProgressDisplay(process.stderr);
  const width = Math.max(...[...wanted.keys()].map((name) => name.length));
  await runJobs(
    [...wanted].map(([name, options]) => ({ name, argv: runArguments(options, request) })),
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

function runArguments(options: ToyOptions, { runs, retrain }: TrainingRequest): string[] {
  const { method = 'ddaebm', dataset = '', preset = '', seed = 0, overrides = {} } = options;
  return [
    ...['run', 'toy', '--method', method, '--dataset', dataset, '--preset', preset],
    ...['--seed', String(seed), '--out', runs, '--json'],
    ...Object.entries(overrides).flatMap(([key, value]) => ['--set', `${key}=${value}`]),
    ...(retrain ? ['--fresh'] : []),
  ];
}

/**
 * Writes SVG, PNG and JSON.
 * @param root the store that runs were taken from, for what it knows of their making.
 * @returns their paths.
 */
export async function writeToyFigure(
  data: ToyFigureData,
  folder: string,
  preset: string | undefined,
  root: string,
): Promise<string[]> {
  const { renderPng, rendererVersions, renderSvg } = await import('../figures/render.ts');
  const { makeFolder } = await import('../core/folders.ts');
  const { toyClaims, toyTable } = await import('../experiments/toy-table.ts');
  const { RunStore } = await import('../train/store/run-store.ts');
  const store = RunStore.find(root);
  const alone = isAlone(data);
  const { spec, title, caption } = alone ? await aloneSpec(data, preset) : await comparison(data);
  const name = alone ? ALONE : data.plan.name;
  const provenance = {
    figure: name,
    gibbs: gibbsVersion(),
    ...(preset !== undefined && { preset }),
    seed: data.panels[0].seed,
    renderer: rendererVersions(),
    runs: data.panels.map((panel) => provenanceOf(panel, store)),
  };
  const svg = await renderSvg(spec, provenance);
  const details = {
    title,
    caption: caption.replaceAll('\u00a0', ' '),
    ...provenance,
    table: toyTable(data),
    ...(!alone && { claims: toyClaims(data) }),
    runs: data.panels.map((panel) => ({
      ...provenanceOf(panel, store),
      finished: recordOf(panel, store)?.updated,
      metrics: panel.metrics,
      seconds: panel.seconds,
      environment: panel.environment,
    })),
  };
  makeFolder(folder);
  const contents = { svg, png: renderPng(svg), json: `${JSON.stringify(details, null, 2)}\n` };
  return Object.entries(contents).map(([extension, content]) => {
    const path = join(folder, `${name}.${extension}`);
    writeFileAtomic(path, content);
    return path;
  });
}

interface Drawn {
  readonly spec: Spec;
  readonly title: string;
  readonly caption: string;
}

function isAlone({ plan }: ToyFigureData): boolean {
  return plan.number === '1' && plan.models.every((model) => model.method === 'ddaebm');
}

async function aloneSpec(data: ToyFigureData, preset: string | undefined): Promise<Drawn> {
  const { densityPanels } = await import('../figures/density-panels.ts');
  const { fig1 } = await import('../figures/fig1.ts');
  const description = fig1(
    data.panels.map((panel) => ({
      ...panel,
      data: data.data.find(({ dataset }) => dataset === panel.dataset)?.points ?? [],
      logDensity: panel.logDensity ?? [],
      gridSize: panel.config.evaluation.gridSize,
    })),
    {
      ...settingOf(data.panels[0], preset),
      energyRates: data.panels.map((panel) => (panel.config as ToyConfig).optimizer.energyRate),
    },
  );
  return { ...description, spec: densityPanels(description) };
}

function settingOf({ config, seed, steps }: ToyPanel, preset: string | undefined) {
  const { diffusion, optimizer, batch } = config as ToyConfig;
  const { T, betaMin, betaMax } = diffusion;
  const { generatorRate, schedule } = optimizer;
  return { preset, T, betaMin, betaMax, steps, batch, generatorRate, schedule, seed };
}

async function comparison(data: ToyFigureData): Promise<Drawn> {
  const { comparisonPanels } = await import('../figures/comparison-panels.ts');
  const { toyComparison } = await import('../figures/toy-comparison.ts');
  const description = toyComparison(data);
  return { ...description, spec: comparisonPanels(description) };
}

function provenanceOf(panel: ToyPanel, store: RunStore | undefined) {
  const { gibbs, commit, dirty, packages, node } = panel.environment;
  const source = { gibbs, commit, dirty, node, packages };
  const { model, dataset, config, seed, steps, checksum, source: from, key, runChecksum } = panel;
  const code = recordOf(panel, store)?.code;
  const run = { key, code, checksum, runChecksum, from };
  return { model: model.id, dataset, seed, steps, ...run, ...source, config };
}

function recordOf({ key }: ToyPanel, store: RunStore | undefined): RunRecord | undefined {
  return key === undefined ? undefined : store?.get(key);
}
