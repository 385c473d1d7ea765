import { formatSeconds } from '../../train/progress.ts';
import type { Removed } from '../../train/store/collect.ts';
import type { Imported } from '../../train/store/import-runs.ts';
import {
  at,
  type Difference,
  type RunDetails,
  type RunSummary,
  varyingSettings,
} from '../../train/store/summary.ts';
import type { Verification } from '../../train/store/verify.ts';

/** What a verb has to say; printed as it is with --json. */
export type Output =
  | { verb: 'ls'; place: string; runs: readonly RunSummary[] }
  | ({ verb: 'show'; place: string } & RunDetails)
  | { verb: 'diff'; a: string; b: string; differences: readonly Difference[] }
  | { verb: 'rm'; dryRun: boolean; keys: readonly string[] }
  | { verb: 'gc'; dryRun: boolean; removed: readonly Removed[] }
  | { verb: 'export'; file: string; keys: readonly string[] }
  | { verb: 'import'; place: string; runs: readonly Imported[] }
  | ({ verb: 'verify'; place: string } & Verification);

/** The same for people. */
export function resultText(output: Output): string {
  switch (output.verb) {
    case 'ls':
      return listing(output.runs, output.place);
    case 'show':
      return details(output);
    case 'diff':
      return differencesText(output.a, output.b, output.differences);
    case 'rm':
      return lines(
        output.keys.map((key) => `${output.dryRun ? 'would remove' : 'removed'} ${key}`),
        'no run to remove',
      );
    case 'gc':
      return garbage(output.removed, output.dryRun);
    case 'export':
      return `${output.keys.length} runs in ${output.file}\n`;
    case 'import':
      return lines(
        output.runs.map(({ key, outcome }) => `${OUTCOMES[outcome]}  ${key}`),
        'no run in there',
      );
    case 'verify':
      return verification(output);
  }
}

const OUTCOMES: Readonly<Record<Imported['outcome'], string>> = {
  added: 'added          ',
  replaced: 'goes on from it',
  present: 'there already  ',
  conflict: 'CONFLICT       ',
};

/** Settings shown beside a run in a listing. */
const SETTINGS = 4;

function listing(runs: readonly RunSummary[], place: string): string {
  if (runs.length === 0) return `no runs in ${place}\n`;
  const settings = varyingSettings(runs)
    .filter((path) => path !== 'steps')
    .slice(0, SETTINGS);
  const numbers = [...new Set(runs.flatMap(({ metrics }) => Object.keys(metrics)))].slice(0, 3);
  const head = ['run', 'status', 'step', 'time', 'updated', ...settings, ...numbers];
  const rows = runs.map((run) => [
    run.key,
    run.status,
    String(run.step),
    formatSeconds(run.seconds),
    run.updated.slice(0, 16).replace('T', ' '),
    ...settings.map((path) => cell(at(run.config, path))),
    ...numbers.map((name) => cell(run.metrics[name])),
  ]);
  return `${columns([head, ...rows])}${runs.length} runs in ${place}\n`;
}

function details(run: RunDetails): string {
  const started = run.starts === 1 ? 'once' : `${run.starts} times`;
  const facts: [string, string][] = [
    ['status', run.error === null ? run.status : `${run.status}: ${run.error}`],
    ['iterations', `${run.step} in ${formatSeconds(run.seconds)}, started ${started}`],
    ['created', run.created],
    ['updated', run.updated],
    ['code', run.code === '' ? 'from before the store' : run.code],
    ['checksum', run.checksum ?? 'none yet'],
    ['folder', run.folder],
    ['checkpoints', run.checkpoints.join(', ') || 'none'],
    ...(run.best
      ? [['best', `${run.best.metric} ${run.best.value} at ${run.best.step}`] as [string, string]]
      : []),
    ['series', `${run.rows} rows${run.last ? `, last ${JSON.stringify(run.last)}` : ''}`],
  ];
  const section = (title: string, tree: unknown) => [
    title,
    ...pairs(tree).map(([path, value]) => `  ${path} = ${value}`),
  ];
  return [
    run.key,
    columns(facts.map(([name, value]) => [`  ${name}`, value])).trimEnd(),
    ...section('numbers', run.metrics),
    ...section('configuration', { seed: run.seed, ...(run.config as object) }),
    ...section('environment', run.environment ?? {}),
    ...(Object.keys(run.labels).length > 0 ? section('labels', run.labels) : []),
    ...(run.series ? ['series', ...run.series.map((row) => `  ${JSON.stringify(row)}`)] : []),
    '',
  ].join('\n');
}

function differencesText(a: string, b: string, found: readonly Difference[]): string {
  if (found.length === 0) return `${a} and ${b} do not differ\n`;
  return columns([['', a, b], ...found.map(({ what, a: x, b: y }) => [what, cell(x), cell(y)])]);
}

function garbage(removed: readonly Removed[], dryRun: boolean): string {
  const bytes = removed.reduce((sum, item) => sum + item.bytes, 0);
  const verb = dryRun ? 'would free' : 'freed';
  return [
    ...removed.map(({ path, why }) => `${path}: ${why}`),
    `${verb} ${(bytes / 2 ** 20).toFixed(1)} MiB`,
    '',
  ].join('\n');
}

function verification(found: Verification): string {
  const said = found.problems.map(({ run, problem }) => `${run}: ${problem}`);
  const read = `${found.runs} runs, ${found.rows} rows, ${found.files} files`;
  const verdict = said.length === 0 ? 'all is well' : `${said.length} problems`;
  return `${[...said, `${read}: ${verdict}`].join('\n')}\n`;
}

function lines(items: readonly string[], none: string): string {
  return `${(items.length > 0 ? items : [none]).join('\n')}\n`;
}

function pairs(tree: unknown, prefix = ''): [string, string][] {
  if (typeof tree !== 'object' || tree === null) return [[prefix, cell(tree)]];
  return Object.entries(tree).flatMap(([key, value]) =>
    pairs(value, prefix === '' ? key : `${prefix}.${key}`),
  );
}

function cell(value: unknown): string {
  if (value === undefined || value === null) return '–';
  if (typeof value === 'number' && !Number.isInteger(value)) {
    return String(Number(value.toPrecision(4)));
  }
  return typeof value === 'string' ? value : JSON.stringify(value);
}

/** Left-aligned columns, two spaces apart. */
function columns(rows: readonly (readonly string[])[]): string {
  const widths = rows[0].map((_, i) => Math.max(...rows.map((row) => row[i].length)));
  return rows
    .map((row) => `${row.map((text, i) => text.padEnd(widths[i])).join('  ')}`.trimEnd())
    .map((line) => `${line}\n`)
    .join('');
}
