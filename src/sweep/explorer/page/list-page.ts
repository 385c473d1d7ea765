import { h, oncePerFrame, replace, type View } from './dom.ts';
import type { Filters } from './filters.ts';
import { formatCount } from './format.ts';
import { type Column, Columns, type Order, sorted } from './listing.ts';
import type { Model } from './model.ts';
import { RunTable } from './table.ts';

/** What was chosen of the list, kept while the page lives. */
export interface ListChoice {
  order: Order;
  /** Ids of the columns shown; undefined: the usual ones. */
  columns: ReadonlySet<string> | undefined;
}

export function openRun(key: string): void {
  location.hash = `#/run/${encodeURIComponent(key)}`;
}

/**
 * How a page with a table follows the store: it draws at once with what it knows, and again when the
 * server has said which of the changed runs fulfil the conditions.
 */
export function following(
  model: Model,
  filters: Filters,
  table: RunTable,
  draw: () => void,
): NonNullable<View['update']> {
  return async (changed) => {
    if (changed !== 'all' && changed.size === 0) return table.select(model.selected);
    draw();
    if (filters.where.length === 0) return;
    await filters.refresh();
    draw();
  };
}

/** All runs, filtered and sorted. */
export function listPage(model: Model, filters: Filters, choice: ListChoice): View {
  const table = new RunTable('Runs', {
    onOpen: openRun,
    onSelect: (keys, on) => model.select(keys, on),
    onOrder: (order) => {
      choice.order = order;
      draw();
    },
  });
  const count = h('p', { class: 'count', role: 'status' });
  const chooser = h('details', { class: 'chooser' });
  const empty = h('div', { class: 'blank' });
  const bar = h('div', { class: 'list-bar' }, count, chooser);
  const element = h('div', { class: 'list' }, filters.element, bar, table.element, empty);
  const columns = new Columns();

  const show = () => {
    const all = [...model.runs.values()];
    filters.show(all);
    const found = filters.apply(all);
    if (columns.update(found)) showChooser(chooser, columns.all, chosen(), choose);
    const shown = chosen();
    table.show(
      sorted(found, choice.order),
      columns.all.filter(({ id }) => shown.has(id)),
      choice.order,
    );
    table.select(model.selected);
    const of = found.length === all.length ? '' : ` of ${formatCount(all.length)}`;
    replace(count, `${formatCount(found.length)}${of} ${all.length === 1 ? 'run' : 'runs'}`);
    const nothing = model.loaded && found.length === 0;
    table.element.hidden = nothing;
    bar.hidden = all.length === 0;
    filters.element.hidden = all.length === 0;
    replace(empty, ...(nothing ? blank(model, all.length) : []));
  };
  const chosen = () => choice.columns ?? columns.usual;
  const choose = (id: string, on: boolean) => {
    const next = new Set(chosen());
    if (on) next.add(id);
    else next.delete(id);
    choice.columns = next;
    draw();
  };
  const draw = oncePerFrame(show);
  show();
  return {
    element,
    update: following(model, filters, table, draw),
  };
}

function showChooser(
  chooser: HTMLElement,
  columns: readonly Column[],
  shown: ReadonlySet<string>,
  choose: (id: string, on: boolean) => void,
): void {
  const boxes = columns.map(({ id, title }) => {
    const box = h('input', { type: 'checkbox', checked: shown.has(id) });
    box.addEventListener('change', () => choose(id, box.checked));
    return h('label', {}, box, title);
  });
  replace(chooser, h('summary', {}, 'Columns'), h('div', { class: 'boxes' }, boxes));
}

function blank(model: Model, all: number): HTMLElement[] {
  if (all > 0) return [h('p', {}, 'No run passes the filters.')];
  const where = model.exists ? 'The store is empty.' : 'There is no store at this place yet.';
  return [
    h('p', {}, h('b', {}, where), ` ${model.place}`),
    h('p', {}, 'Runs appear here as soon as one is written, for instance by'),
    h('pre', {}, 'gibbs run toy --preset smoke'),
  ];
}
