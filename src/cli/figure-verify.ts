import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { GibbsError, InterruptedError } from '../core/errors.ts';
import { shippedFolder } from '../experiments/kept-run.ts';
import { leafPaths, type Scalar } from '../experiments/overrides.ts';
import type { ToyOptions } from '../experiments/toy.ts';
import { toyConfig } from '../experiments/toy-config.ts';
import type { ToyFigureData } from '../experiments/toy-figure.ts';
import { TOY_FIGURES, type ToyPlan, toyPlan, withMethods } from '../experiments/toy-plans.ts';
import { RunStore } from '../train/store/run-store.ts';
import {
  disagreements,
  type FigureFiles,
  type FigureRecord,
  type FigureRun,
  firstDifference,
  readFigure,
} from './figure-files.ts';
import { mnistFigureOf, writeMnistFigure } from './mnist-figure.ts';
import { ALONE, trainedFigure, writeToyFigure } from './toy-figure.ts';

/**
 * `agrees`: drawn again from its runs it is the same picture with the same numbers. `differs`: it is
 * not, or its files contradict each other. `missing`: its runs are not here to be compared with.
 */
export interface FigureVerdict {
  readonly figure: string;
  readonly verdict: 'agrees' | 'differs' | 'missing';
  readonly detail: string;
}

export interface VerifyOptions {
  /** Place of the run store. */
  readonly root: string;
  /** Trains runs that are not here. */
  readonly retrain: boolean;
  /** Processes that train at once. */
  readonly jobs: number;
  readonly signal: AbortSignal;
}

/** Checks one figure. @param path of its JSON, SVG or PNG. */
export async function verifyFigure(path: string, options: VerifyOptions): Promise<FigureVerdict> {
  let figure = path;
  try {
    const files = readFigure(path);
    figure = files.name;
    const found = disagreements(files);
    if (found.length > 0) return { figure, verdict: 'differs', detail: found.join('; ') };
    return { figure, ...(await compare(files, options)) };
  } catch (error) {
    if (!(error instanceof GibbsError) || error instanceof InterruptedError) throw error;
    return { figure, verdict: 'differs', detail: error.message };
  }
}

/** Where the parameters and results that came with the project lie. */
const SHIPPED = 'data/checkpoints';

type Outcome = Pick<FigureVerdict, 'verdict' | 'detail'>;

async function compare(files: FigureFiles, options: VerifyOptions): Promise<Outcome> {
  const { record } = files;
  const onMnist = mnistFigureOf(record.figure);
  if (onMnist !== undefined && record.runs.every(isShipped)) {
    const { preset, runs } = record;
    const shown = { preset, seed: runs[0].seed, root: options.root, signal: options.signal };
    return redrawn(files, SHIPPED, (folder) => writeMnistFigure(onMnist, folder, shown));
  }
  const plan = planOf(record);
  if (!plan) return lookedUp(record, options.root);
  const source = await dataOf(plan, record, options);
  if (typeof source === 'string') return { verdict: 'missing', detail: source };
  const { data, from } = source;
  return redrawn(files, from, (folder) =>
    writeToyFigure(data, folder, record.preset, options.root),
  );
}

/** Whether the result of a run came with the project. */
function isShipped({ key }: FigureRun): boolean {
  return key !== undefined && existsSync(join(shippedFolder(), key, 'result.json'));
}

async function redrawn(
  files: FigureFiles,
  from: string,
  draw: (folder: string) => Promise<unknown>,
): Promise<Outcome> {
  const folder = mkdtempSync(join(tmpdir(), 'gibbs-figure-'));
  try {
    await draw(folder);
    return compareWith(files, readFigure(join(folder, `${files.record.figure}.json`)), from);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function compareWith(files: FigureFiles, drawn: FigureFiles, from: string): Outcome {
  for (const [i, run] of files.record.runs.entries()) {
    const now = drawn.record.runs[i];
    const name = run.model === undefined ? run.key : `${run.model} on ${run.dataset}`;
    if (run.checksum !== now?.checksum) {
      return { verdict: 'differs', detail: `${name} ends in other parameters than then` };
    }
    const number = firstDifference(run.metrics, now?.metrics);
    if (number !== undefined) {
      const [then, today] = [run.metrics?.[number], now?.metrics?.[number]];
      return { verdict: 'differs', detail: `${name}: ${number} was ${then}, is ${today}` };
    }
  }
  const { length } = files.record.runs;
  const count = `${length} ${length === 1 ? 'model' : 'models'} from ${from}`;
  if (drawn.svg === files.svg) return { verdict: 'agrees', detail: `the same bytes, ${count}` };
  if (picture(drawn.svg) === picture(files.svg)) {
    return {
      verdict: 'agrees',
      detail: `the same picture, ${count}; what it says of them is newer`,
    };
  }
  const renderer = firstDifference(files.record.renderer, drawn.record.renderer);
  const why = renderer === undefined ? '' : `; ${renderer} has another version`;
  return { verdict: 'differs', detail: `the same numbers, but another picture${why}` };
}

/** An SVG without what it says of itself. */
function picture(svg: string): string {
  return svg.replace(/<metadata.*?<\/metadata>/s, '');
}

/** The plan that a figure was drawn by; undefined for a figure of another kind. */
function planOf({ figure, runs }: FigureRecord): ToyPlan | undefined {
  if (figure === ALONE) return withMethods(toyPlan('1'), ['ddaebm']);
  const whole = TOY_FIGURES.map((number) => toyPlan(number)).find(({ name }) => name === figure);
  const ids = new Set(runs.map(({ model }) => model));
  return whole && { ...whole, models: whole.models.filter(({ id }) => ids.has(id)) };
}

interface Source {
  readonly data: ToyFigureData;
  readonly from: string;
}

/** @returns what is missing, where the runs are not here. */
async function dataOf(
  plan: ToyPlan,
  record: FigureRecord,
  options: VerifyOptions,
): Promise<Source | string> {
  const { figureFromCheckpoints, figureFromRuns, toyModelOptions } = await import(
    '../experiments/toy-figure.ts'
  );
  if (record.runs.every(({ from }) => from === 'checkpoint')) {
    return { data: figureFromCheckpoints(plan), from: SHIPPED };
  }
  const { root, retrain, jobs, signal } = options;
  const { isToyFinished } = await import('../experiments/toy.ts');
  const { preset = 'quick', seed = 0 } = record;
  const overrides = overridesOf(plan, record);
  const wanted: ToyOptions = { preset, seed, overrides, root };
  const absent = plan.datasets.flatMap((dataset) =>
    plan.models
      .filter((model) => !isToyFinished(toyModelOptions(model, dataset, wanted)))
      .map(({ id }) => `${id} on ${dataset}`),
  );
  if (absent.length > 0 && !retrain) {
    return `its files agree, but not in ${root}: ${absent.join(', ')}; --retrain trains them`;
  }
  if (absent.length === 0) return { data: await figureFromRuns(plan, wanted), from: root };
  const request = { preset, seed, overrides, runs: root, retrain: false, jobs };
  return { data: await trainedFigure(plan, request, signal), from: 'a new training' };
}

/** The settings in which all runs of a figure differ from their preset. */
function overridesOf(plan: ToyPlan, { preset, runs }: FigureRecord): Record<string, string> {
  const changes = runs.map(({ model, dataset, config = {} }) => {
    const { method, overrides } = plan.models.find(({ id }) => id === model) ?? plan.models[0];
    const asked = toyConfig({ method, dataset, preset, overrides });
    return Object.fromEntries(
      leafPaths(asked).flatMap((path) => {
        const [value, usual] = [leaf(config, path), leaf(asked, path)];
        return value === usual || value === undefined ? [] : [[path, String(value)]];
      }),
    );
  });
  return Object.assign({}, ...changes) as Record<string, string>;
}

function leaf(tree: object, path: string): Scalar | undefined {
  return path
    .split('.')
    .reduce<unknown>((at, key) => (at as Record<string, unknown> | undefined)?.[key], tree) as
    | Scalar
    | undefined;
}

/** A figure that cannot be drawn again here: whether the store has the runs it names. */
function lookedUp({ runs }: FigureRecord, root: string): Outcome {
  const store = RunStore.find(root);
  const named = runs.filter(({ key }) => key !== undefined);
  if (named.length === 0) {
    return { verdict: 'missing', detail: 'its files agree, but it names no run by its key' };
  }
  const absent: string[] = [];
  for (const { key = '', checksum } of named) {
    const record = store?.get(key);
    if (record?.status !== 'finished') absent.push(key);
    else if (checksum !== undefined && record.checksum !== checksum) {
      return { verdict: 'differs', detail: `run ${key} ends in other parameters than then` };
    }
  }
  if (absent.length > 0) {
    return {
      verdict: 'missing',
      detail: `its files agree, but not in ${root}: ${absent.join(', ')}`,
    };
  }
  return { verdict: 'agrees', detail: `its ${named.length} runs are in ${root}, unchanged` };
}
