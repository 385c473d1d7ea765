import type { WireRun } from '../wire.ts';
import { type Axis, axis, axisIds, brushed } from './axes.ts';
import type { Brush } from './brush.ts';
import { h, oncePerFrame, replace, type View } from './dom.ts';
import type { Filters } from './filters.ts';
import { formatCount } from './format.ts';
import { following, type ListChoice, openRun } from './list-page.ts';
import { Columns, sorted } from './listing.ts';
import type { Model } from './model.ts';
import { ParallelPlot } from './parallel.ts';
import { RunTable } from './table.ts';

/** More would stand too close to be read; others are chosen in their place. */
const MOST_AXES = 9;

/** What was chosen of the plot, kept while the page lives. */
export interface ParallelChoice {
  axes: string[] | undefined;
  colour: string | undefined;
  readonly brushes: Map<string, Brush>;
}

/** A sweep at a glance: an axis for each swept setting and final number, brushes, and the runs left. */
export function parallelPage(
  model: Model,
  filters: Filters,
  choice: ParallelChoice,
  list: ListChoice,
): View {
  const plot = new ParallelPlot({
    onOpen: openRun,
    onBrush: (id, brush) => {
      if (brush) choice.brushes.set(id, brush);
      else choice.brushes.delete(id);
      draw();
    },
  });
  const table = new RunTable('Runs within the brushes', {
    onOpen: openRun,
    onSelect: (keys, on) => model.select(keys, on),
    onOrder: (order) => {
      list.order = order;
      draw();
    },
  });
  const said = h('p', { class: 'count', role: 'status' });
  const clear = h('button', { type: 'button' }, 'Clear brushes');
  clear.addEventListener('click', () => {
    choice.brushes.clear();
    draw();
  });
  const colour = h('select', { 'aria-label': 'Colour by' });
  colour.addEventListener('change', () => {
    choice.colour = colour.value;
    draw();
  });
  const chooser = h('details', { class: 'chooser' });
  const pickAll = h('button', { type: 'button' }, 'Select these');
  const bar = h(
    'div',
    { class: 'list-bar' },
    said,
    clear,
    pickAll,
    h('label', { class: 'where' }, h('span', {}, 'colour'), colour),
    chooser,
  );
  const empty = h('p', { class: 'blank' });
  const element = h(
    'div',
    { class: 'list' },
    filters.element,
    bar,
    plot.element,
    empty,
    table.element,
  );
  let left: WireRun[] = [];
  pickAll.addEventListener('click', () =>
    model.select(
      left.map(({ key }) => key),
      true,
    ),
  );
  table.element.addEventListener('pointerover', (event) => {
    const key = (event.target as Element).closest<HTMLElement>('[data-key]')?.dataset['key'];
    plot.highlight(key === undefined ? undefined : model.runs.get(key));
  });
  const columns = new Columns();
  let offered = '';

  const show = () => {
    const all = [...model.runs.values()];
    filters.show(all);
    const runs = filters.apply(all);
    const { all: ids, usual: usualIds } = axisIds(runs, MOST_AXES);
    const wanted = (choice.axes ?? usualIds).filter((id) => ids.includes(id));
    const axes = wanted.flatMap((id) => axis(id, runs) ?? []);
    const nothing = axes.length < 2;
    for (const part of [plot.element, table.element, bar]) part.hidden = nothing;
    replace(
      empty,
      nothing
        ? 'Parallel coordinates need runs that differ in a setting and have final numbers.'
        : '',
    );
    if (nothing) return;
    const colourBy = colourAxis(axes, choice.colour);
    left = brushed(runs, axes, choice.brushes);
    plot.show(axes, runs, left, choice.brushes, colourBy);
    columns.update(runs);
    const usual = list.columns ?? columns.usual;
    table.show(
      sorted(left, list.order),
      columns.all.filter(({ id }) => usual.has(id)),
      list.order,
    );
    table.select(model.selected);
    const active = axes.some(({ id }) => choice.brushes.has(id));
    replace(
      said,
      `${formatCount(left.length)}${active ? ` of ${formatCount(runs.length)}` : ''} runs`,
    );
    clear.disabled = !active;
    const offer = `${ids.join()} ${wanted.join()}`;
    if (offer === offered) return;
    offered = offer;
    replace(
      colour,
      axes.map(({ id }) => h('option', { value: id }, id.slice(id.indexOf('.') + 1))),
    );
    colour.value = colourBy?.id ?? '';
    showAxisChooser(chooser, ids, wanted, (id, on) => {
      choice.axes = ids.filter((other) => (other === id ? on : wanted.includes(other)));
      if (!on) choice.brushes.delete(id);
      draw();
    });
  };
  const draw = oncePerFrame(show);
  show();
  return {
    element,
    update: following(model, filters, table, draw),
    recolour: draw,
    close: () => plot.close(),
  };
}

/** The one chosen, else the first final number. */
function colourAxis(axes: readonly Axis[], chosen: string | undefined): Axis | undefined {
  return (
    axes.find(({ id }) => id === chosen) ??
    axes.find(({ kind }) => kind === 'number') ??
    axes.at(-1)
  );
}

function showAxisChooser(
  chooser: HTMLElement,
  ids: readonly string[],
  shown: readonly string[],
  choose: (id: string, on: boolean) => void,
): void {
  const boxes = ids.map((id) => {
    const box = h('input', { type: 'checkbox', checked: shown.includes(id) });
    box.addEventListener('change', () => choose(id, box.checked));
    return h('label', {}, box, id.slice(id.indexOf('.') + 1));
  });
  replace(chooser, h('summary', {}, 'Axes'), h('div', { class: 'boxes' }, boxes));
}
