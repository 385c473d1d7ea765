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
  readonly seconds: string;
}

/** The numbers of every panel. */
export function toyTable({ panels }: ToyFigureData): ToyTableRow[] {
  return panels.map(({ model, dataset, metrics, steps, seconds }) => ({
    'data set': dataset,
    method: nameOf(model),
    modes: metrics.modes === undefined ? '–' : `${metrics.modesCovered} of ${metrics.modes}`,
    'within 4σ': percent(metrics.shareWithin4Sigma),
    'grid KL, nat': metrics.gridKl?.toFixed(2) ?? '–',
    'MMD²': metrics.mmd.toExponential(1),
    iterations: String(steps),
    seconds: seconds.toFixed(0),
  }));
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
  return CLAIMS[data.plan.number](new Finder(data.panels));
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

  constructor(panels: readonly ToyPanel[]) {
    this.#panels = panels;
  }

  /** One model's panel on one data set; at the temperature of the method where there are two. */
  at(id: string, dataset: string, factor = 1): ToyPanel | undefined {
    return this.#panels.find(
      ({ model, dataset: d }) =>
        model.id === id && d === dataset && (model.densityFactor ?? 1) === factor,
    );
  }

  covers(claim: string, id: string): ToyClaim {
    const panel = this.at(id, '25gaussians');
    if (!panel) return untrained(claim, [id]);
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
    const title = (name: string) => {
      const panel = this.at(name, dataset);
      return panel ? nameOf(panel.model) : name;
    };
    const list = [id, ...others];
    const shown = list.map((name) => `${title(name)} ${format(measure, value(name))}`);
    const than =
      others.length === 1
        ? `${title(others[0])}’s`
        : `those of ${others.map((name) => title(name)).join(', ')}`;
    const verb = measure === 'mmd' ? 'are' : 'is';
    const claim = `${dataset}: ${title(id)}’s ${MEASURES[measure]} ${verb} nearer to the data than ${than}`;
    const missing = list.filter((name) => !this.at(name, dataset));
    if (missing.length > 0) return untrained(claim, missing);
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
    if (missing.length > 0) return untrained(claim, missing);
    return {
      claim,
      found: `within 4σ: ${percent(a)} against ${percent(b)}`,
      holds: a !== undefined && b !== undefined && a > b,
    };
  }

  temperature(claim: string): ToyClaim {
    const scaled = this.at('drl', '25gaussians')?.metrics.gridKl;
    const raw = this.at('drl', '25gaussians', 100)?.metrics.gridKl;
    if (scaled === undefined || raw === undefined) return untrained(claim, ['drl']);
    return {
      claim,
      found: `KL ${raw.toFixed(2)} as trained, ${scaled.toFixed(2)} scaled`,
      holds: scaled < raw,
    };
  }
}

function untrained(claim: string, missing: readonly string[]): ToyClaim {
  return { claim, found: `not trained: ${missing.join(', ')}`, holds: undefined };
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
