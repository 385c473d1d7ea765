import type { WireDetails, WireRun } from '../wire.ts';
import { api, ServerError } from './api.ts';
import { cellButton } from './cell.ts';
import { Curves } from './curves.ts';
import { h, replace, type View } from './dom.ts';
import {
  formatBytes,
  formatCount,
  formatDuration,
  formatNumber,
  formatTime,
  formatValue,
  shortKey,
} from './format.ts';
import { leafEntries, settingsOf } from './listing.ts';
import type { Model } from './model.ts';
import { pictures } from './pictures.ts';

/** How often a run under way is asked for its checkpoints and files. */
const RELOAD_MS = 5000;

/** A run: how it stands, curves, samples, numbers, configuration, environment, files. */
export function runPage(model: Model, key: string): View {
  const head = h('div', { class: 'run-head' });
  const facts = h('dl', { class: 'facts' });
  const samples = h('section', { 'aria-label': 'Samples' });
  const rest = h('div', { class: 'run-rest' });
  const curves = new Curves(model, [key]);
  const element = h(
    'article',
    { class: 'run' },
    head,
    facts,
    section('Curves', curves.element),
    samples,
    rest,
  );
  let shown: WireDetails | undefined;
  const parts = new Map<HTMLElement, string>();
  let asked = 0;
  let asking = false;

  const load = async () => {
    if (asking) return;
    asking = true;
    asked = Date.now();
    try {
      shown = await api.run(key);
      show();
    } catch (error) {
      if (!(error instanceof ServerError)) throw error;
      if (!shown) replace(element, backLink(), h('p', { class: 'trouble' }, error.message));
    } finally {
      asking = false;
    }
  };

  // What has not changed stays: a click or a selection must not be lost to an update.
  const put = (part: HTMLElement, content: unknown, make: () => readonly HTMLElement[]) => {
    const now = JSON.stringify(content);
    if (parts.get(part) === now) return;
    parts.set(part, now);
    replace(part, ...make());
  };

  const show = () => {
    if (!shown) return;
    const run = { ...shown, ...model.runs.get(key) };
    const { status, error, files, config, environment, metrics, sessions, checkpoints } = run;
    const standing = [status, error, model.removed.get(key), model.selected.has(key)];
    put(head, standing, () => heading(model, run));
    replace(facts, ...factsOf(run));
    put(samples, [files, status === 'running'], () => [h('h2', {}, 'Samples'), pictures(run)]);
    const rows = [config, environment, metrics, sessions, checkpoints, files];
    put(rest, rows, () => tables(run));
  };
  void load();
  return {
    element,
    update: (changed) => {
      curves.update(changed);
      if (changed === 'all' || changed.has(key)) {
        show();
        const run = model.runs.get(key);
        const turned = run && (run.status !== shown?.status || changed === 'all');
        if (turned || (run && Date.now() - asked > RELOAD_MS)) void load();
      } else if (changed.size === 0) show();
    },
    recolour: () => {
      curves.redraw();
      parts.delete(samples);
      show();
    },
    close: () => curves.close(),
  };
}

export function backLink(): HTMLElement {
  return h('a', { class: 'back', href: '#/' }, '← All runs');
}

export function section(title: string, ...content: readonly HTMLElement[]): HTMLElement {
  return h('section', { 'aria-label': title }, h('h2', {}, title), ...content);
}

function heading(model: Model, run: WireDetails): HTMLElement[] {
  const gone = model.removed.get(run.key);
  const selected = model.selected.has(run.key);
  const pick = h(
    'button',
    { type: 'button', 'aria-pressed': String(selected), disabled: gone !== undefined },
    selected ? 'Selected' : 'Select',
  );
  pick.addEventListener('click', () => model.select([run.key], !selected));
  return [
    backLink(),
    h(
      'h1',
      {},
      h('span', { class: 'experiment' }, `${run.experiment}/`),
      shortKey(run.key),
      h('span', { class: `status ${run.status}` }, run.status),
    ),
    h('p', { class: 'subject' }, subjectOf(run)),
    h(
      'div',
      { class: 'actions' },
      pick,
      gone === undefined && cellButton('open', [run.key]),
      gone === undefined && cellButton('rerun', [run.key]),
    ),
    ...(gone === undefined
      ? []
      : [
          h(
            'p',
            { class: 'trouble', role: 'alert' },
            `This run was removed from the store at ${formatTime(new Date(gone).toISOString(), true)}; what is shown is its last state.`,
          ),
        ]),
    ...(run.error === null ? [] : [h('p', { class: 'trouble' }, run.error)]),
    ...(run.status === 'dead' && gone === undefined
      ? [
          h(
            'p',
            { class: 'trouble' },
            'Its process has gone without a word. It goes on from its last checkpoint when it is asked for again.',
          ),
        ]
      : []),
  ];
}

/** What is trained on what, where the configuration says so. */
function subjectOf(run: WireRun): string {
  const settings = settingsOf(run);
  const [method, dataset] = [settings.get('method'), settings.get('dataset')];
  return [method, dataset].filter((value) => typeof value === 'string').join(' on ');
}

function factsOf(run: WireDetails): HTMLElement[] {
  const speed = run.seconds > 0 ? `${formatNumber(run.step / run.seconds)} / s` : '–';
  const facts: [string, string][] = [
    ['Seed', String(run.seed)],
    ['Step', formatCount(run.step)],
    ['Training', run.seconds > 0 ? formatDuration(run.seconds) : '–'],
    ['Iterations', speed],
    ['Created', formatTime(run.created)],
    ['Updated', formatTime(run.updated, true)],
    ['Code', run.code === '' ? 'before the store' : run.code.slice(0, 12)],
    ['Checksum', run.checksum?.slice(0, 12) ?? '–'],
  ];
  for (const [name, value] of Object.entries(run.labels)) facts.push([capital(name), value]);
  return facts.map(([name, value]) => h('div', {}, h('dt', {}, name), h('dd', {}, value)));
}

function tables(run: WireDetails): HTMLElement[] {
  const blocks = [
    block('Final numbers', run.metrics, 'written when the run ends'),
    block('Configuration', run.config, 'none'),
    block('Environment', run.environment, 'not known'),
    sessions(run),
    files(run),
  ];
  return [h('div', { class: 'columns' }, ...blocks)];
}

function block(title: string, tree: unknown, none: string): HTMLElement {
  const entries = leafEntries(tree, '');
  if (entries.length === 0) return section(title, h('p', { class: 'empty' }, none));
  const rows = entries.map(([path, value]) => {
    const dot = path.lastIndexOf('.');
    const name = h(
      'th',
      { scope: 'row' },
      dot > 0 && h('small', {}, path.slice(0, dot + 1)),
      path.slice(dot + 1),
    );
    const numeric = typeof value === 'number';
    return h('tr', {}, name, h('td', { class: numeric ? 'number' : null }, formatValue(value)));
  });
  return section(title, h('table', { class: 'pairs' }, h('tbody', {}, rows)));
}

function sessions({ sessions, starts, best }: WireDetails): HTMLElement {
  const rows = sessions.map(({ started, ended, from, pid, host }) => {
    const seconds = ended && (new Date(ended).getTime() - new Date(started).getTime()) / 1000;
    const length = seconds === undefined || seconds === '' ? 'not ended' : formatDuration(seconds);
    return h(
      'tr',
      {},
      h('td', {}, formatTime(started, true)),
      h('td', { class: 'number' }, from ? `from ${formatCount(from)}` : ''),
      h('td', { class: 'number' }, length),
      h('td', {}, `${host}${pid ? ` (${pid})` : ''}`),
    );
  });
  const table = h(
    'table',
    { class: 'plain' },
    h(
      'thead',
      {},
      h(
        'tr',
        {},
        ...['Started', 'Resumed', 'Lasted', 'Where'].map((t) =>
          h('th', { scope: 'col', class: ['Resumed', 'Lasted'].includes(t) ? 'number' : null }, t),
        ),
      ),
    ),
    h('tbody', {}, rows),
  );
  const bestText = best
    ? `; best ${best.metric} ${formatNumber(best.value)} at step ${best.step}`
    : '';
  const times = starts === 1 ? 'Started once' : `Started ${starts} times`;
  return section('Sessions', table, h('p', { class: 'empty' }, `${times}${bestText}.`));
}

function files({ folder, files: named, checkpoints }: WireDetails): HTMLElement {
  const rows = [...checkpoints, ...named].map(({ name, bytes }) =>
    h('tr', {}, h('th', { scope: 'row' }, name), h('td', { class: 'number' }, formatBytes(bytes))),
  );
  return section(
    'Checkpoints and files',
    h('table', { class: 'pairs' }, h('tbody', {}, rows)),
    h('p', { class: 'empty path' }, folder),
  );
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** A run's name as a link to its page. */
export function runLink({ key }: Pick<WireRun, 'key'>): HTMLElement {
  return h('a', { href: `#/run/${encodeURIComponent(key)}` }, shortKey(key));
}
