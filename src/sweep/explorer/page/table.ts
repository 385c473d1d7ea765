import type { WireRun } from '../wire.ts';
import { h, oncePerFrame, replace } from './dom.ts';
import { formatCount, formatDuration, formatTime, formatValue } from './format.ts';
import { type Column, type Order, valueIn } from './listing.ts';

const ROW = 30;
const OVERSCAN = 8;
const PAGE_ROWS = 15;
/** In pixels: a character, the space between columns, the box for selecting, either margin. */
const [CHARACTER, GAP, PICK, SIDE] = [7.7, 18, 36, 24];

export interface TableEvents {
  onOpen(key: string): void;
  onSelect(keys: readonly string[], on: boolean): void;
  onOrder(order: Order): void;
}

/**
 * A list of runs of which only the rows in sight are in the document, so that its length does not
 * matter. A grid for assistive technology: arrows move, Space selects, Enter opens.
 */
export class RunTable {
  readonly element: HTMLElement;
  readonly #events: TableEvents;
  readonly #head = h('div', { role: 'row', class: 'table-head', 'aria-rowindex': 1 });
  readonly #body = h('div', { class: 'table-body', role: 'rowgroup' });
  readonly #draw = oncePerFrame(() => this.#drawRows());
  #rows: readonly WireRun[] = [];
  #drawn = new Map<string, HTMLElement>();
  #columns: readonly Column[] = [];
  #order: Order = { column: 'field.created', descending: true };
  #selected: ReadonlySet<string> = new Set();
  #active = 0;
  #anchor = 0;

  constructor(label: string, events: TableEvents) {
    this.#events = events;
    this.element = h(
      'div',
      {
        class: 'table',
        role: 'grid',
        tabindex: 0,
        'aria-label': label,
        'aria-multiselectable': 'true',
        onscroll: this.#draw,
        onkeydown: (event: KeyboardEvent) => this.#key(event),
        onclick: (event: MouseEvent) => this.#click(event),
      },
      h('div', { role: 'rowgroup', class: 'table-top' }, this.#head),
      this.#body,
    );
    new ResizeObserver(this.#draw).observe(this.element);
  }

  show(rows: readonly WireRun[], columns: readonly Column[], order: Order): void {
    const reordered = order !== this.#order;
    const activeKey = reordered ? rows[0]?.key : this.#rows[this.#active]?.key;
    const same = columns.map(({ id }) => id).join() === this.#columns.map(({ id }) => id).join();
    [this.#rows, this.#columns] = [rows, columns];
    if (reordered) this.element.scrollTop = 0;
    if (!same || reordered) {
      this.#order = order;
      this.#drawHead();
    }
    this.#layOut();
    this.element.setAttribute('aria-rowcount', String(rows.length + 1));
    this.element.setAttribute('aria-colcount', String(columns.length + 1));
    this.#body.style.height = `${rows.length * ROW}px`;
    const at = rows.findIndex(({ key }) => key === activeKey);
    this.#active = at >= 0 ? at : Math.min(this.#active, Math.max(0, rows.length - 1));
    this.#draw();
  }

  select(selected: ReadonlySet<string>): void {
    this.#selected = selected;
    this.#draw();
  }

  #drawHead(): void {
    const { column, descending } = this.#order;
    replace(
      this.#head,
      h(
        'span',
        { role: 'columnheader', class: 'pick' },
        h('span', { class: 'hidden' }, 'Selected'),
      ),
      ...this.#columns.map(({ id, title, numeric }) => {
        const sort = id !== column ? 'none' : descending ? 'descending' : 'ascending';
        const dot = title.lastIndexOf('.');
        return h(
          'span',
          { role: 'columnheader', 'aria-sort': sort, class: numeric ? 'number' : null },
          h(
            'button',
            { type: 'button', 'data-sort': id, title },
            dot > 0 && h('small', {}, title.slice(0, dot + 1)),
            title.slice(dot + 1),
          ),
        );
      }),
    );
  }

  /** Wide enough for what the first rows hold; what is left of the window is shared out. */
  #layOut(): void {
    const sample = this.#rows.slice(0, 60);
    const widths = this.#columns.map((column) => {
      const dot = column.title.lastIndexOf('.');
      const head = Math.max(column.title.length - dot, 0.85 * (dot + 1)) + 1.5;
      const longest = sample.reduce((w, run) => Math.max(w, textIn(run, column).length), 0);
      const room = longest + (column.id === 'field.status' ? 3 : 0);
      return Math.round(CHARACTER * Math.min(26, Math.max(4, head, room))) + GAP;
    });
    const { style } = this.element;
    style.setProperty(
      '--columns',
      `${PICK}px ${widths.map((w) => `minmax(${w}px, 1fr)`).join(' ')}`,
    );
    style.setProperty('--width', `${widths.reduce((sum, w) => sum + w, PICK + 2 * SIDE)}px`);
  }

  #drawRows(): void {
    const { scrollTop, clientHeight } = this.element;
    const first = Math.max(0, Math.floor(scrollTop / ROW) - OVERSCAN);
    const last = Math.min(
      this.#rows.length,
      Math.ceil((scrollTop + clientHeight) / ROW) + OVERSCAN,
    );
    const before = this.#drawn;
    this.#drawn = new Map();
    for (let i = first; i < last; i++) {
      const { key } = this.#rows[i];
      // A row stays the same element: a click during an update must not be lost.
      const row = before.get(key) ?? this.#newRow(key);
      before.delete(key);
      this.#drawn.set(key, row);
      this.#fill(row, i);
    }
    for (const row of before.values()) row.remove();
    // Read aloud in the order in which they stand.
    let next = this.#body.firstElementChild;
    for (const row of this.#drawn.values()) {
      if (row === next) next = next.nextElementSibling;
      else this.#body.insertBefore(row, next);
    }
    const active = this.#rows[this.#active];
    this.element.setAttribute('aria-activedescendant', active ? `row:${active.key}` : '');
  }

  #newRow(key: string): HTMLElement {
    const tick = h('i', { class: 'tick', 'aria-hidden': 'true' });
    const row = h(
      'div',
      { role: 'row', id: `row:${key}`, class: 'row', 'data-key': key },
      h('span', { role: 'gridcell', class: 'pick' }, tick),
    );
    return row;
  }

  #fill(row: HTMLElement, i: number): void {
    const run = this.#rows[i];
    row.dataset['index'] = String(i);
    row.setAttribute('aria-rowindex', String(i + 2));
    row.setAttribute('aria-selected', String(this.#selected.has(run.key)));
    row.classList.toggle('active', i === this.#active);
    row.style.transform = `translateY(${i * ROW}px)`;
    const content = this.#columns.map((column) => `${column.id} ${textIn(run, column)}`).join('\n');
    if (row.dataset['content'] === content) return;
    row.dataset['content'] = content;
    while (row.children.length > 1) row.lastElementChild?.remove();
    row.append(...this.#columns.map((column) => cell(run, column)));
  }

  #click(event: MouseEvent): void {
    const target = event.target as Element;
    const sort = target.closest<HTMLElement>('[data-sort]')?.dataset['sort'];
    if (sort !== undefined) this.#sortBy(sort);
    const row = target.closest<HTMLElement>('[data-index]');
    if (sort !== undefined || !row) return;
    const index = Number(row.dataset['index']);
    this.#active = index;
    if (event.shiftKey) {
      event.preventDefault();
      this.#selectRange(this.#anchor, index);
    } else if (target.closest('.pick')) this.#toggle(index);
    else if (!target.closest('a')) this.#events.onOpen(this.#rows[index].key);
    this.#draw();
  }

  #sortBy(column: string): void {
    const same = this.#order.column === column;
    const numeric = this.#columns.find(({ id }) => id === column)?.numeric === true;
    const metric = column.startsWith('metrics.');
    // Losses and distances read from the smallest on, times and steps from the largest.
    const first = numeric && !metric && !column.startsWith('config.');
    this.#events.onOrder({ column, descending: same ? !this.#order.descending : first });
  }

  #toggle(index: number): void {
    const { key } = this.#rows[index];
    this.#anchor = index;
    this.#events.onSelect([key], !this.#selected.has(key));
  }

  #selectRange(a: number, b: number): void {
    const [from, to] = a < b ? [a, b] : [b, a];
    const keys = this.#rows.slice(from, to + 1).map(({ key }) => key);
    this.#events.onSelect(keys, true);
  }

  #key(event: KeyboardEvent): void {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const last = this.#rows.length - 1;
    const moves: Readonly<Record<string, number>> = {
      ArrowDown: this.#active + 1,
      ArrowUp: this.#active - 1,
      PageDown: this.#active + PAGE_ROWS,
      PageUp: this.#active - PAGE_ROWS,
      Home: 0,
      End: last,
    };
    const to = moves[event.key];
    if (last < 0) return;
    if (to !== undefined) {
      const from = this.#active;
      this.#active = Math.max(0, Math.min(last, to));
      if (event.shiftKey) this.#selectRange(from, this.#active);
      this.#reveal();
    } else if (event.key === 'Enter') this.#events.onOpen(this.#rows[this.#active].key);
    else if (event.key === ' ') this.#toggle(this.#active);
    else return;
    event.preventDefault();
    this.#draw();
  }

  #reveal(): void {
    const top = this.#active * ROW;
    const head = this.#head.offsetHeight;
    const { scrollTop, clientHeight } = this.element;
    if (top < scrollTop) this.element.scrollTop = top;
    else if (top + ROW + head > scrollTop + clientHeight) {
      this.element.scrollTop = top + ROW + head - clientHeight;
    }
  }
}

function textIn(run: WireRun, { id }: Column): string {
  const value = valueIn(run, id);
  if (id === 'field.seconds') return formatDuration(run.seconds);
  if (id === 'field.created') return formatTime(run.created);
  if (id === 'field.updated') return formatTime(run.updated);
  if (id === 'field.step') return formatCount(run.step);
  return formatValue(value);
}

function cell(run: WireRun, column: Column): HTMLElement {
  const text = textIn(run, column);
  const className = column.numeric ? 'number' : null;
  if (column.id === 'field.status') {
    return h('span', { role: 'gridcell', class: `status ${run.status}`, title: run.error }, text);
  }
  if (column.id === 'field.run') {
    const href = `#/run/${encodeURIComponent(run.key)}`;
    return h('span', { role: 'gridcell' }, h('a', { href, class: 'run-link', tabindex: -1 }, text));
  }
  return h(
    'span',
    { role: 'gridcell', class: className, title: text.length > 24 ? text : null },
    text,
  );
}
