import type { WireRun } from '../wire.ts';
import { api, ServerError } from './api.ts';
import { h, replace } from './dom.ts';
import { formatCount } from './format.ts';
import { mentions, metricNames, settingsOf } from './listing.ts';

const STATUSES = ['running', 'finished', 'stopped', 'failed', 'dead'] as const;

/**
 * What is asked of the runs. Kept while the page lives, so that the list and the parallel
 * coordinates show the same runs.
 */
export class Filters {
  text = '';
  experiment = '';
  sweep = '';
  readonly statuses = new Set<string>();
  readonly where: string[] = [];
  /** Runs that fulfil every condition, by the server; undefined: no condition. */
  #fulfilling: ReadonlySet<string> | undefined;
  problem: string | undefined;
  readonly element = h('form', { class: 'filters', role: 'search', 'aria-label': 'Filter runs' });
  readonly #onChange: () => void;
  readonly #chips = h('ul', { class: 'chips' });
  readonly #counts = h('div', { class: 'statuses', role: 'group', 'aria-label': 'Status' });
  readonly #said = h('p', { class: 'trouble', role: 'alert' });
  readonly #paths = h('datalist', { id: 'paths' });
  readonly #experiments = h('select', { 'aria-label': 'Experiment' });
  readonly #sweeps = h('select', { 'aria-label': 'Sweep' });
  readonly #condition = h('input', {
    type: 'text',
    name: 'where',
    list: 'paths',
    placeholder: 'diffusion.T=4, metrics.gridKl<0.1',
    'aria-label': 'Condition, as for gibbs runs ls --where; Enter adds it',
    autocomplete: 'off',
    spellcheck: 'false',
  });
  readonly #buttons = new Map(STATUSES.map((status) => this.#statusButton(status)));
  #known = '';
  #asked = 0;

  constructor(onChange: () => void) {
    this.#onChange = onChange;
    const search = h('input', {
      type: 'search',
      name: 'text',
      placeholder: 'Search',
      'aria-label': 'Search keys, settings and labels',
      oninput: () => {
        this.text = search.value;
        onChange();
      },
    });
    for (const [select, name] of [
      [this.#experiments, 'experiment'],
      [this.#sweeps, 'sweep'],
    ] as const) {
      select.addEventListener('change', () => {
        this[name] = select.value;
        onChange();
      });
    }
    this.element.addEventListener('submit', (event) => event.preventDefault());
    this.#condition.addEventListener('keydown', (event) => {
      if (event.key !== 'Enter' || event.isComposing) return;
      event.preventDefault();
      void this.#add(this.#condition.value);
    });
    this.element.append(
      search,
      h('label', { class: 'where' }, h('span', {}, 'where'), this.#condition),
      this.#paths,
      this.#experiments,
      this.#sweeps,
      this.#counts,
      this.#chips,
      this.#said,
    );
  }

  /** The runs that pass. */
  apply(runs: Iterable<WireRun>): WireRun[] {
    return [...runs].filter(
      (run) =>
        (this.statuses.size === 0 || this.statuses.has(run.status)) &&
        (this.experiment === '' || run.experiment === this.experiment) &&
        (this.sweep === '' || run.labels['sweep'] === this.sweep) &&
        (this.#fulfilling === undefined || this.#fulfilling.has(run.key)) &&
        mentions(run, this.text),
    );
  }

  /** Shows what there is to choose from. */
  show(all: readonly WireRun[]): void {
    this.#showCounts(all);
    const experiments = [...new Set(all.map(({ experiment }) => experiment))].sort();
    const sweeps = [...new Set(all.flatMap(({ labels }) => labels['sweep'] ?? []))].sort();
    options(this.#experiments, 'all experiments', experiments, this.experiment);
    options(this.#sweeps, 'all sweeps', sweeps, this.sweep);
    const paths = pathsOf(all);
    if (paths.join() !== this.#known) {
      this.#known = paths.join();
      replace(
        this.#paths,
        paths.map((path) => h('option', { value: `${path}=` })),
      );
    }
  }

  /** Asks the server again which runs fulfil the conditions. */
  async refresh(): Promise<void> {
    try {
      await this.#ask(this.where);
    } catch (error) {
      if (!(error instanceof ServerError)) throw error;
      this.#say(error.message);
    }
  }

  /** An answer that comes after a later question is dropped. */
  async #ask(where: readonly string[]): Promise<void> {
    const asked = ++this.#asked;
    const found = where.length === 0 ? undefined : new Set((await api.filter(where)).keys);
    if (asked === this.#asked) this.#fulfilling = found;
  }

  async #add(text: string): Promise<void> {
    const wanted = text
      .split(',')
      .map((part) => part.trim())
      .filter(Boolean);
    if (wanted.length === 0) return;
    const next = [...new Set([...this.where, ...wanted])];
    try {
      // Refused before it is taken over.
      await api.filter(next);
      this.where.splice(0, this.where.length, ...next);
      await this.refresh();
      this.#condition.value = '';
      this.#say('');
    } catch (error) {
      if (!(error instanceof ServerError)) throw error;
      this.#say(error.message);
      return;
    }
    this.#showChips();
    this.#onChange();
  }

  async #drop(condition: string): Promise<void> {
    this.where.splice(this.where.indexOf(condition), 1);
    this.#say('');
    this.#showChips();
    await this.refresh();
    this.#onChange();
    this.#condition.focus();
  }

  #say(text: string): void {
    this.problem = text === '' ? undefined : text;
    replace(this.#said, text);
  }

  #showChips(): void {
    replace(
      this.#chips,
      this.where.map((condition) => {
        const drop = h(
          'button',
          { type: 'button', 'aria-label': `Remove condition ${condition}` },
          '×',
        );
        drop.addEventListener('click', () => void this.#drop(condition));
        return h('li', {}, condition, drop);
      }),
    );
  }

  /** The buttons stay the same elements: a click during an update must not be lost. */
  #showCounts(all: readonly WireRun[]): void {
    const counts = new Map<string, number>();
    for (const { status } of all) counts.set(status, (counts.get(status) ?? 0) + 1);
    for (const [status, { button, count }] of this.#buttons) {
      const text = formatCount(counts.get(status) ?? 0);
      if (count.textContent !== text) replace(count, text);
      button.hidden = !counts.has(status) && !this.statuses.has(status);
      button.setAttribute('aria-pressed', String(this.statuses.has(status)));
    }
  }

  #statusButton(status: string) {
    const count = h('b');
    const button = h(
      'button',
      { type: 'button', class: `status ${status}`, 'data-status': status },
      `${status} `,
      count,
    );
    button.addEventListener('click', () => {
      if (!this.statuses.delete(status)) this.statuses.add(status);
      this.#onChange();
    });
    this.#counts.append(button);
    return [status, { button, count }] as const;
  }
}

function options(
  select: HTMLSelectElement,
  all: string,
  names: readonly string[],
  chosen: string,
): void {
  const wanted = ['', ...names];
  const present = [...select.options].map(({ value }) => value);
  select.hidden = names.length < 2 && chosen === '';
  if (wanted.join('\n') === present.join('\n')) return;
  replace(
    select,
    wanted.map((name) => h('option', { value: name }, name === '' ? all : name)),
  );
  select.value = chosen;
}

function pathsOf(all: readonly WireRun[]): string[] {
  const settings = new Set<string>();
  // One run of each experiment names its settings.
  const seen = new Set<string>();
  for (const run of all) {
    const kind = `${run.experiment} ${settingsOf(run).get('method')}`;
    if (seen.has(kind)) continue;
    seen.add(kind);
    for (const path of settingsOf(run).keys()) settings.add(path);
  }
  return [...settings, ...metricNames(all).map((name) => `metrics.${name}`), 'seed', 'status'];
}
