import { meansOver } from './toy-curve.ts';
import type { ToyFigureData, ToyPanel } from './toy-figure.ts';

/** One row of the table beside a figure; a number that does not exist is `–`. */
export interface ToyTableRow {
  readonly 'data set': string;
  readonly method: string;
  readonly modes: string;
  readonly 'within 4σ': string;
  readonly 'grid KL, nat': string;
  readonly 'MMD²': string;
  readonly iterations: string;
  /** Of training, by the clock. */
  readonly seconds: string;
  /** Processor and cores of the machine that trained. */
  readonly on: string;
}

/** The numbers of every panel. */
export function toyTable({ panels }: ToyFigureData): ToyTableRow[] {
  return panels.map(({ model, dataset, metrics, steps, seconds, environment }) => ({
    'data set': dataset,
    method: nameOf(model),
    modes: metrics.modes === undefined ? '–' : `${metrics.modesCovered} of ${metrics.modes}`,
    'within 4σ': percent(metrics.shareWithin4Sigma),
    'grid KL, nat': metrics.gridKl?.toFixed(2) ?? '–',
    'MMD²': metrics.mmd.toExponential(1),
    iterations: String(steps),
    seconds: seconds.toFixed(0),
    on: `${environment.cpu}, ${environment.cores} cores`,
  }));
}

/** Loss of the energy on the way. */
export interface ToyLossRow {
  readonly 'data set': string;
  readonly method: string;
  readonly iterations: string;
  readonly 'first tenth': string;
  readonly 'sixth tenth': string;
  readonly 'ninth tenth': string;
  readonly 'last tenth': string;
}

const TENTHS = [
  [0, 0.1],
  [0.5, 0.6],
  [0.8, 0.9],
  [0.9, 1],
] as const;

/** Means of the energy's loss over tenths of each run: whether it still moves. */
export function toyLossTable({ panels }: ToyFigureData): ToyLossRow[] {
  return panels.flatMap(({ model, dataset, steps, curve }) => {
    const name = ['energyLoss', 'loss'].find((known) => curve?.losses[known] !== undefined);
    // A model shown at two temperatures was trained once.
    if (!curve || name === undefined || (model.densityFactor ?? 1) !== 1) return [];
    const [first, sixth, ninth, last] = meansOver(curve, name, TENTHS).map((mean) =>
      mean.toPrecision(3),
    );
    return {
      'data set': dataset,
      method: nameOf(model),
      iterations: String(steps),
      'first tenth': first,
      'sixth tenth': sixth,
      'ninth tenth': ninth,
      'last tenth': last,
    };
  });
}

/** What the paper says of a figure, and what came out. */
export interface ToyClaim {
  readonly claim: string;
  readonly found: string;
  /** Undefined where a model that the claim is about was not trained. */
  readonly holds: boolean | undefined;
}

/** The claims of the paper about a figure, judged by the numbers of its panels. */
export function toyClaims(data: ToyFigureData): ToyClaim[] {
  return CLAIMS[data.plan.number](new Finder(data));
}

const CLAIMS: Readonly<Record<ToyFigureData['plan']['number'], (f: Finder) => ToyClaim[]>> = {
  '1': (f) => [
    f.covers('DDAEBM finds all 25 modes', 'ddaebm'),
    f.lowest('gridKl', 'ddaebm', '25gaussians', ['meg', 'vera', 'fce', 'bidvl']),
    f.lowest('gridKl', 'ddaebm', 'pinwheel', ['meg', 'vera', 'fce', 'bidvl']),
    f.lowest('mmd', 'ddaebm', 'pinwheel', ['meg', 'vera', 'fce']),
    f.tighter('FCE’s samples are limited by its flow: DDAEBM’s are tighter', 'ddaebm', 'fce'),
    f.tighter('BiDVL’s samples are tighter than DDAEBM’s', 'bidvl', 'ddaebm'),
  ],
  '6': (f) => [
    f.temperature('DRL’s energy has to be scaled by 0.01 to be a density'),
    f.lowest('gridKl', 'ddaebm', '25gaussians', ['drl']),
    f.lowest('gridKl', 'ddaebm', '25gaussians', ['ddgan-marginal']),
    f.lowest('gridKl', 'ddaebm', '25gaussians', ['score-flow']),
  ],
  '7': (f) => [
    f.lowest('mmd', 'ddaebm', 'swissroll', ['ddgan']),
    f.lowest('mmd', 'ddaebm', 'swissroll', ['ddaebm-kl']),
  ],
};

const MEASURES = { gridKl: 'density', mmd: 'samples' } as const;

class Finder {
  readonly #panels: readonly ToyPanel[];
  readonly #models: readonly ToyPanel['model'][];

  constructor({ panels, plan }: ToyFigureData) {
    this.#panels = panels;
    this.#models = plan.models;
  }

  /** One model's panel on one data set; at the temperature of the method where there are two. */
  at(id: string, dataset: string, factor = 1): ToyPanel | undefined {
    return this.#panels.find(
      ({ model, dataset: d }) =>
        model.id === id && d === dataset && (model.densityFactor ?? 1) === factor,
    );
  }

  /** A model as the figure names it, whether or not it was trained. */
  name(id: string): string {
    const model = this.#models.find((m) => m.id === id && (m.densityFactor ?? 1) === 1);
    return model ? nameOf(model) : id;
  }

  covers(claim: string, id: string): ToyClaim {
    const panel = this.at(id, '25gaussians');
    if (!panel) return this.untrained(claim, [id]);
    const { modes = 0, modesCovered = 0 } = panel.metrics;
    return {
      claim,
      found: `${modesCovered} of ${modes}, by 1000 samples`,
      holds: modes > 0 && modesCovered === modes,
    };
  }

  /** Whether a model's density (grid KL) or samples (MMD²) are nearer to the data than others'. */
  lowest(
    measure: 'gridKl' | 'mmd',
    id: string,
    dataset: string,
    others: readonly string[],
  ): ToyClaim {
    const value = (name: string) => this.at(name, dataset)?.metrics[measure] ?? Number.NaN;
    const title = (name: string) => this.name(name);
    const list = [id, ...others];
    const shown = list.map((name) => `${title(name)} ${format(measure, value(name))}`);
    const than =
      others.length === 1
        ? `${title(others[0])}’s`
        : `those of ${others.map((name) => title(name)).join(', ')}`;
    const verb = measure === 'mmd' ? 'are' : 'is';
    const claim = `${dataset}: ${title(id)}’s ${MEASURES[measure]} ${verb} nearer to the data than ${than}`;
    const missing = list.filter((name) => !this.at(name, dataset));
    if (missing.length > 0) return this.untrained(claim, missing);
    return {
      claim,
      found: `${measure === 'gridKl' ? 'KL' : 'MMD²'}: ${shown.join(', ')}`,
      holds: others.every((name) => value(id) < value(name)),
    };
  }

  tighter(claim: string, id: string, than: string): ToyClaim {
    const share = (name: string) => this.at(name, '25gaussians')?.metrics.shareWithin4Sigma;
    const [a, b] = [share(id), share(than)];
    const missing = [id, than].filter((name) => share(name) === undefined);
    if (missing.length > 0) return this.untrained(claim, missing);
    return {
      claim,
      found: `within 4σ: ${percent(a)} against ${percent(b)}`,
      holds: a !== undefined && b !== undefined && a > b,
    };
  }

  temperature(claim: string): ToyClaim {
    const scaled = this.at('drl', '25gaussians')?.metrics.gridKl;
    const raw = this.at('drl', '25gaussians', 100)?.metrics.gridKl;
    if (scaled === undefined || raw === undefined) return this.untrained(claim, ['drl']);
    return {
      claim,
      found: `KL ${raw.toFixed(2)} as trained, ${scaled.toFixed(2)} scaled`,
      holds: scaled < raw,
    };
  }

  untrained(claim: string, missing: readonly string[]): ToyClaim {
    const names = missing.map((id) => this.name(id)).join(', ');
    return { claim, found: `not trained: ${names}`, holds: undefined };
  }
}

function nameOf({ title, subtitle }: ToyPanel['model']): string {
  return subtitle === undefined ? title : `${title} (${subtitle})`;
}

function percent(share: number | undefined): string {
  return share === undefined ? '–' : `${(100 * share).toFixed(1)} %`;
}

function format(measure: 'gridKl' | 'mmd', value: number): string {
  return measure === 'gridKl' ? value.toFixed(2) : value.toExponential(1);
}
