import { api, follow, ServerError } from './api.ts';
import { cellButton } from './cell.ts';
import { compareHref, comparePage } from './compare-page.ts';
import { byId, h, oncePerFrame, replace, type View } from './dom.ts';
import { Filters } from './filters.ts';
import { formatCount, formatTime } from './format.ts';
import { type ListChoice, listPage } from './list-page.ts';
import { Model } from './model.ts';
import { type ParallelChoice, parallelPage } from './parallel-page.ts';
import { runPage } from './run-page.ts';

/** The explorer's page: address → view, server → model → view. */

const model = new Model();
const list: ListChoice = {
  order: { column: 'field.created', descending: true },
  columns: undefined,
};
const parallel: ParallelChoice = { axes: undefined, colour: undefined, brushes: new Map() };
const filters = new Filters(() => model.tell('all'));
let view: View | undefined;
let address = '';

function viewOf(hash: string): View {
  const [path, query = ''] = hash.replace(/^#\/?/, '').split('?');
  if (path.startsWith('run/')) return runPage(model, decodeURIComponent(path.slice('run/'.length)));
  if (path === 'compare') return comparePage(model, new URLSearchParams(query).getAll('key'));
  if (path === 'parallel') return parallelPage(model, filters, parallel, list);
  return listPage(model, filters, list);
}

function route(): void {
  if (!model.loaded || (view && address === location.hash)) return;
  const first = view === undefined;
  address = location.hash;
  view?.close?.();
  view = viewOf(address);
  replace(byId('main'), view.element);
  document.title = `${titleOf(address)} · Gibbs`;
  if (!first) byId('main').focus({ preventScroll: true });
  scrollTo(0, 0);
  showFrame();
}

function titleOf(hash: string): string {
  if (hash.startsWith('#/run/')) return decodeURIComponent(hash.slice('#/run/'.length));
  if (hash.startsWith('#/compare')) return 'Compare';
  return hash.startsWith('#/parallel') ? 'Parallel coordinates' : 'Runs';
}

/** Everything around the view. */
function showFrame(): void {
  const selected = [...model.selected].flatMap((key) => model.runs.get(key) ?? []);
  const compare = selected.length > 1 ? compareHref(selected) : '#/compare';
  const links: [string, string, boolean][] = [
    ['#/', 'Runs', /^(#\/?)?$/.test(location.hash) || location.hash.startsWith('#/run/')],
    ['#/parallel', 'Parallel coordinates', location.hash.startsWith('#/parallel')],
    [compare, 'Compare', location.hash.startsWith('#/compare')],
  ];
  // What has not changed stays: a click during an update must not be lost.
  const shown = JSON.stringify([links, model.place]);
  if (byId('views').dataset['shown'] !== shown) {
    byId('views').dataset['shown'] = shown;
    replace(
      byId('views'),
      links.map(([href, name, here]) =>
        h('a', { href, 'aria-current': here ? 'page' : null }, name),
      ),
    );
    replace(byId('place'), h('bdi', {}, model.place));
    byId('place').title = model.place;
  }
  const { state, text, since } = model.link;
  const link = byId('link');
  link.className = `link ${state}`;
  if (link.textContent !== text) replace(link, text);
  link.title =
    state === 'live'
      ? 'New runs and curves appear by themselves'
      : `last live ${formatTime(new Date(since).toISOString(), true)}`;
  showTray(
    selected.map(({ key }) => key),
    compare,
  );
}

function showTray(keys: readonly string[], compare: string): void {
  const tray = byId('tray');
  tray.hidden = keys.length === 0 || location.hash.startsWith('#/compare');
  const now = keys.join();
  if (tray.dataset['keys'] === now) return;
  tray.dataset['keys'] = now;
  const clear = h('button', { type: 'button' }, 'Clear');
  clear.addEventListener('click', () => model.select(keys, false));
  replace(
    tray,
    h(
      'p',
      {},
      h('b', {}, formatCount(keys.length)),
      keys.length === 1 ? ' run selected' : ' runs selected',
    ),
    keys.length > 1 && h('a', { class: 'button primary', href: compare }, 'Compare'),
    cellButton('open', keys),
    cellButton('rerun', keys),
    clear,
  );
}

function showNotice(): void {
  const { state, since } = model.link;
  const notices: string[] = [];
  const at = formatTime(new Date(since).toISOString(), true);
  if (state === 'ended') {
    notices.push(
      `gibbs view was stopped. What is shown is the state of ${at}. Start it again and open the address that it prints.`,
    );
  } else if (state === 'lost') {
    notices.push(
      `gibbs view does not answer since ${at}: it was killed, or this machine cannot reach it. Trying again; if it was started anew, open the address that it printed.`,
    );
  }
  if (model.loaded && !model.exists && model.removed.size > 0) {
    notices.push(`The store ${model.place} is gone.`);
  }
  notices.push(...model.problems.slice(0, 3));
  const hidden = model.problems.length - 3;
  if (hidden > 0) notices.push(`and ${hidden} more; gibbs runs verify names all`);
  if (trouble !== '') notices.push(trouble);
  const element = byId('notice');
  if (element.dataset['said'] === notices.join('\n')) return;
  element.dataset['said'] = notices.join('\n');
  replace(
    element,
    notices.map((notice) => h('p', {}, notice)),
  );
}

let trouble = '';
const frame = oncePerFrame(() => {
  showFrame();
  showNotice();
});

async function load(): Promise<void> {
  try {
    model.take(await api.runs());
    trouble = '';
    model.setLink({ state: 'live', text: 'live' });
    route();
  } catch (error) {
    if (!(error instanceof ServerError)) throw error;
    trouble = error.message;
    frame();
  }
}

model.onChange((changed) => {
  view?.update?.(changed);
  frame();
});
addEventListener('hashchange', route);
document.querySelector('.skip')?.addEventListener('click', (event) => {
  // The address is the view's.
  event.preventDefault();
  byId('main').focus();
});
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => view?.recolour?.());
follow({
  onHello: () => void load(),
  onChange: (change) => {
    trouble = '';
    model.apply(change);
    model.setLink({ state: 'live', text: 'live' });
  },
  onTrouble: (message) => {
    trouble = message;
    frame();
  },
  onBye: () => model.setLink({ state: 'ended', text: 'stopped' }),
  onLost: () => model.setLink({ state: 'lost', text: 'not connected' }),
});
