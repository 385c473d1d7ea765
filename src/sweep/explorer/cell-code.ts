import { ConfigError, GibbsError } from '../../core/errors.ts';
import type { Overrides, Scalar } from '../../experiments/overrides.ts';
import { defaultRunsFolder } from '../../experiments/runs-folder.ts';
import type { ToyChoice } from '../../experiments/toy-config.ts';
import { canonicalJson } from '../../train/run.ts';
import { leaves, lookUp } from '../../train/store/query.ts';
import type { RunRecord } from '../../train/store/record.ts';
import type { WireCell } from './wire.ts';

/** `open`: reads the runs from the store; `rerun`: asks for their configurations. */
export type CellKind = 'open' | 'rerun';

export function isCellKind(text: string): text is CellKind {
  return text === 'open' || text === 'rerun';
}

/** TypeScript for a notebook cell that stands for some runs. */
export async function cellCode(
  kind: CellKind,
  place: string,
  records: readonly RunRecord[],
): Promise<WireCell> {
  if (kind === 'open') return { code: openCell(place, records), reason: null };
  const stranger = records.find(({ experiment }) => experiment !== 'toy');
  if (stranger) {
    const reason = `only toy runs can be asked for from a cell; ${stranger.key} is of '${stranger.experiment}'`;
    return { code: null, reason };
  }
  try {
    return { code: await rerunCell(place, records), reason: null };
  } catch (error) {
    if (!(error instanceof GibbsError)) throw error;
    return { code: null, reason: error.message };
  }
}

function openCell(place: string, records: readonly RunRecord[]): string {
  return [
    "import { RunStore } from 'gibbs';",
    '',
    `const store = RunStore.open(${quoted(place)});`,
    'const keys = [',
    ...records.map(({ key }) => `  ${quoted(key)},`),
    '];',
    'const runs = keys.map((key) => store.resolve(key));',
    'const curves = runs.map(({ key }) => store.metrics(key)); // rows { step, ... }',
    'const arrays = runs.map(({ key }) => store.arrays(key)); // samples, densities, ...',
    'display.table(',
    '  runs.map(({ key, seed, status, step, result }) => ({',
    '    ...{ key, seed, status, step },',
    '    ...(result?.metrics as Record<string, number> | undefined),',
    '  })),',
    ');',
    '',
  ].join('\n');
}

async function rerunCell(place: string, records: readonly RunRecord[]): Promise<string> {
  const choices = [];
  for (const record of records) choices.push({ ...(await choiceOf(record)), seed: record.seed });
  const root = place === defaultRunsFolder() ? '' : `, root: ${quoted(place)}`;
  return [
    "import { runToy } from 'gibbs';",
    '',
    '// A run that is in the store is reused; change a setting and it is trained.',
    'const choices = [',
    ...choices.map((choice) => `  ${literal(choice)},`),
    '] as const;',
    'const results = [];',
    'for (const choice of choices) {',
    `  results.push(await runToy({ ...choice${root} }));`,
    '}',
    'display.table(',
    '  results.map(({ key, seed, steps, reused, metrics }) => ({',
    '    ...{ key, seed, steps, reused },',
    '    ...metrics,',
    '  })),',
    ');',
    '',
  ].join('\n');
}

/**
 * How to ask for a toy run: the preset that needs the fewest changes, and those.
 * @throws ConfigError when no preset leads to the configuration (e.g. one of an older revision).
 */
async function choiceOf(record: RunRecord): Promise<ToyChoice> {
  // The engine is loaded when somebody asks for a cell, not when the explorer starts.
  const { TOY_PRESETS, toyConfig } = await import('../../experiments/toy-config.ts');
  const { toyMethod } = await import('../../experiments/toy-methods.ts');
  const method = toyMethod(String(lookUp(record, 'method')));
  const dataset = String(lookUp(record, 'dataset'));
  const labelled = record.labels?.['preset'];
  const found: ToyChoice[] = TOY_PRESETS.map((preset) => {
    const base = toyConfig({ method, dataset, preset });
    const overrides = changes(base, record);
    return { method, dataset, preset, ...(Object.keys(overrides).length > 0 && { overrides }) };
  });
  const cost = ({ preset, overrides = {} }: ToyChoice) =>
    2 * Object.keys(overrides).length - (preset === labelled ? 1 : 0);
  const [best] = found.toSorted((a, b) => cost(a) - cost(b));
  if (canonicalJson(toyConfig(best)) !== canonicalJson(record.config)) {
    throw new ConfigError(
      `no preset of this version leads to the configuration of ${record.key}: a setting was added or removed since`,
    );
  }
  return best;
}

function changes(base: object, record: RunRecord): Overrides {
  const here = { ...record, config: base };
  const differing = leaves(record.config)
    .filter((path) => ![lookUp(record, path), undefined].includes(lookUp(here, path)))
    .map((path) => [path, lookUp(record, path) as Scalar] as const);
  return Object.fromEntries(differing);
}

/** A plain object as TypeScript on one line. */
function literal(value: unknown): string {
  if (typeof value === 'string') return quoted(value);
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const entries = Object.entries(value).map(([key, inner]) => {
    const name = /^[a-z_$][\w$]*$/i.test(key) ? key : quoted(key);
    return `${name}: ${literal(inner)}`;
  });
  return `{ ${entries.join(', ')} }`;
}

function quoted(text: string): string {
  const inner = JSON.stringify(text).slice(1, -1).replaceAll('\\"', '"').replaceAll("'", "\\'");
  return `'${inner}'`;
}
