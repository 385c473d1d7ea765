import type { WireComparison, WireDetails, WireRun } from '../wire.ts';
import { api, ServerError } from './api.ts';
import { cellButton } from './cell.ts';
import { COLOURS } from './chart.ts';
import { Curves } from './curves.ts';
import { h, replace, type View } from './dom.ts';
import { formatValue, shortKey } from './format.ts';
import type { Model } from './model.ts';
import { arrayPicture } from './pictures.ts';
import { backLink, runLink, section } from './run-page.ts';

/** More curves in one picture could not be told apart. */
const MOST = 16;

/** Runs side by side: curves in one picture, what differs in a table, samples in a row. */
export function comparePage(model: Model, asked: readonly string[]): View {
  const keys = asked.slice(0, MOST);
  if (keys.length < 2) {
    const hint =
      'Select two or more runs in the list (Space, or the box at the left), then compare them.';
    return {
      element: h('article', { class: 'run' }, backLink(), h('p', { class: 'empty' }, hint)),
    };
  }
  const legend = h('ul', { class: 'legend' });
  const differing = h('div', { class: 'scroll' });
  const samples = h('div', { class: 'beside' });
  const curves = new Curves(model, keys);
  const element = h(
    'article',
    { class: 'run' },
    backLink(),
    h('h1', {}, `${keys.length} runs compared`),
    asked.length > MOST &&
      h('p', { class: 'trouble' }, `${asked.length} are selected; the first ${MOST} are shown.`),
    legend,
    h('div', { class: 'actions' }, cellButton('open', keys), cellButton('rerun', keys)),
    section('Curves', curves.element),
    section('What differs', differing),
    section('Samples', samples),
  );
  let told = '';

  const showLegend = () =>
    replace(
      legend,
      keys.map((key, i) => {
        const run = model.runs.get(key);
        const status = run?.status ?? 'removed';
        return h(
          'li',
          { class: `colour-${i % COLOURS}` },
          h('i', { class: 'swatch' }),
          run ? runLink(run) : h('s', {}, shortKey(key)),
          h('span', { class: `status ${status}` }, status),
        );
      }),
    );

  const load = async () => {
    const present = keys.filter((key) => model.runs.has(key));
    if (present.length === 0) return;
    try {
      replace(differing, differences(present, await api.compare(present)));
    } catch (error) {
      if (!(error instanceof ServerError)) throw error;
      replace(differing, h('p', { class: 'trouble' }, error.message));
    }
  };

  const loadSamples = async () => {
    const found = await Promise.allSettled(keys.map((key) => api.run(key)));
    const runs = found.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
    replace(samples, ...sampleRows(keys, runs));
  };

  const statuses = () => keys.map((key) => model.runs.get(key)?.status ?? 'removed').join();
  const refresh = () => {
    const now = statuses();
    if (now === told) return;
    told = now;
    showLegend();
    void load();
    void loadSamples();
  };
  refresh();
  return {
    element,
    update: (changed) => {
      curves.update(changed);
      if (changed === 'all' || keys.some((key) => changed.has(key))) refresh();
    },
    recolour: () => {
      curves.redraw();
      void loadSamples();
    },
    close: () => curves.close(),
  };
}

function differences(keys: readonly string[], { rows }: WireComparison): HTMLElement {
  if (rows.length === 0) return h('p', { class: 'empty' }, 'They do not differ.');
  return h(
    'table',
    { class: 'plain differences' },
    h(
      'thead',
      {},
      h('tr', {}, h('td'), ...keys.map((key) => h('th', { scope: 'col' }, shortKey(key)))),
    ),
    h(
      'tbody',
      {},
      rows.map(({ what, values }) =>
        h('tr', {}, h('th', { scope: 'row' }, what), ...values.map(valueCell)),
      ),
    ),
  );
}

function valueCell(value: unknown): HTMLElement {
  const text = formatValue(value);
  const long = text.length > 28;
  return h(
    'td',
    { class: typeof value === 'number' ? 'number' : null, title: long ? text : null },
    long ? `${text.slice(0, 27)}…` : text,
  );
}

/** For each array that some run has, the picture of every run. */
function sampleRows(keys: readonly string[], runs: readonly WireDetails[]): HTMLElement[] {
  const names = [...new Set(runs.flatMap(({ arrays }) => arrays.map(({ name }) => name)))];
  if (names.length === 0) return [h('p', { class: 'empty' }, 'None of the runs has left any yet.')];
  return names.map((name) =>
    h(
      'div',
      { class: 'sample-row' },
      runs.map((run) => {
        const array = run.arrays.find((candidate) => candidate.name === name);
        const colour = `colour-${keys.indexOf(run.key) % COLOURS}`;
        return h(
          'div',
          { class: `sample ${colour}` },
          h('p', { class: 'sample-name' }, h('i', { class: 'swatch' }), shortKey(run.key)),
          array ? arrayPicture(run, array) : h('p', { class: 'empty' }, `no ${name}`),
        );
      }),
    ),
  );
}

/** Where the comparison of some runs is. */
export function compareHref(runs: readonly Pick<WireRun, 'key'>[]): string {
  return `#/compare?${new URLSearchParams(runs.map(({ key }) => ['key', key]))}`;
}
