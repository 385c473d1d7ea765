import { ConfigError, unknownName } from '../../core/errors.ts';
import type { RunRecord, RunStatus } from '../../train/store/record.ts';
import type { RunStore } from '../../train/store/run-store.ts';
import { type Arguments, type Command, JSON_OPTION, STORE_OPTION } from '../command.ts';
import { type Output, resultText } from './runs-text.ts';

const STATUSES = ['running', 'dead', 'stopped', 'failed', 'finished'];

/** Which options belong to which verb, beside --store and --json. */
const FILTERS = ['where', 'experiment', 'status'] as const;
const VERBS = {
  ls: { names: 'none', options: [...FILTERS, 'limit'] },
  show: { names: 'one', options: ['series'] },
  diff: { names: 'two', options: [] },
  rm: { names: 'some', options: [...FILTERS, 'dry-run'] },
  gc: { names: 'none', options: ['dry-run', 'all-checkpoints'] },
  export: { names: 'any', options: [...FILTERS, 'out'] },
  import: { names: 'files', options: [] },
  verify: { names: 'any', options: [] },
} as const;

type Verb = keyof typeof VERBS;

export const runsCommand: Command = {
  usage: 'runs (ls | show | diff | rm | gc | export | import | verify) [NAME...]',
  summary: 'Lists, compares, moves and checks the runs of a store.',
  details: [
    'ls       all runs, oldest first, or those that the filters let through',
    'show     one run: configuration, final numbers, checksum of the final parameters, environment',
    'diff     what two runs differ in: settings, code, environment, numbers',
    'rm       removes runs, by name or by filter',
    'gc       frees space: left-overs of killed processes, checkpoints that nothing needs any more',
    'export   writes runs (all, or those named or filtered) into one file',
    'import   takes the runs of exported files, or of folders of plain runs, into the store',
    'verify   reads everything and names what is damaged; exit status 1 if anything is',
    '',
    'NAME is a key, the beginning of one or of the hash in it, or latest.',
    "Filters: --where 'objective.divergence=kl', --where 'metrics.gridKl<0.1', --where seed=0; all",
    'that are given must hold. Operators: = != < <= > >=.',
    '',
    'A run is known by experiment, configuration, seed and the version of the code, which changes',
    'when what is computed does and stays when it is only written differently.',
  ].join('\n'),
  positionals: ['ls | show | diff | rm | gc | export | import | verify', 'NAME...'],
  options: {
    store: STORE_OPTION,
    where: { type: 'string', multiple: true, value: 'PATH=VALUE', help: 'ls, rm, export: filter' },
    experiment: { type: 'string', value: 'NAME', help: 'ls, rm, export: of one experiment' },
    status: {
      type: 'string',
      value: 'A,B',
      help: 'ls, rm, export: running, dead, stopped, failed, finished',
    },
    limit: { type: 'string', value: 'N', help: 'ls: at most so many, the newest' },
    series: { type: 'boolean', help: 'show: the whole metric series' },
    out: { type: 'string', value: 'FILE', help: 'export: the file to write' },
    'dry-run': { type: 'boolean', help: 'rm, gc: only say what would go' },
    'all-checkpoints': {
      type: 'boolean',
      help: 'gc: the final checkpoints of finished runs as well',
    },
    json: JSON_OPTION,
  },
  optionalPositionals: true,
  run: (args) => runs(args),
};

async function runs(args: Arguments): Promise<number> {
  const [name = '', ...names] = args.positionals;
  if (name === '') throw new ConfigError(`which of ${Object.keys(VERBS).join(', ')}?`);
  if (!Object.hasOwn(VERBS, name)) throw unknownName('runs command', name, Object.keys(VERBS));
  const verb = name as Verb;
  checkArguments(verb, names, args);
  const { RunStore } = await import('../../train/store/run-store.ts');
  const { adoptAll } = await import('../../train/store/adopt.ts');
  const { defaultRunsFolder } = await import('../../experiments/runs-folder.ts');
  const store = RunStore.open(args.text('store') ?? defaultRunsFolder());
  const { adopted, problems } = adoptAll(store);
  if (adopted > 0) {
    process.stderr.write(`note: ${adopted} runs from before the store were taken into it\n`);
  }
  for (const problem of problems) process.stderr.write(`note: ${problem}\n`);
  const output = await perform(verb, store, names, args);
  process.stdout.write(args.flag('json') ? `${JSON.stringify(output)}\n` : resultText(output));
  const failed =
    (output.verb === 'verify' && output.problems.length > 0) ||
    (output.verb === 'import' && output.runs.some(({ outcome }) => outcome === 'conflict'));
  return failed ? 1 : 0;
}

async function perform(
  verb: Verb,
  store: RunStore,
  names: readonly string[],
  args: Arguments,
): Promise<Output> {
  const dryRun = args.flag('dry-run');
  const { place } = store;
  switch (verb) {
    case 'ls': {
      const { summaryOf } = await import('../../train/store/summary.ts');
      return { verb, place, runs: (await filtered(store, args)).map(summaryOf) };
    }
    case 'show': {
      const { detailsOf } = await import('../../train/store/summary.ts');
      const run = detailsOf(store, store.resolve(names[0]), args.flag('series'));
      return { verb, place, ...run };
    }
    case 'diff': {
      const { differences } = await import('../../train/store/summary.ts');
      const [a, b] = names.map((name) => store.resolve(name));
      return { verb, a: a.key, b: b.key, differences: differences(store, a, b) };
    }
    case 'rm': {
      const { removeRun } = await import('../../train/store/collect.ts');
      const chosen = await selected(store, names, args);
      if (!dryRun) for (const record of chosen) removeRun(store, record);
      return { verb, dryRun, keys: chosen.map(({ key }) => key) };
    }
    case 'gc': {
      const { collectGarbage } = await import('../../train/store/collect.ts');
      const allCheckpoints = args.flag('all-checkpoints');
      return { verb, dryRun, removed: collectGarbage(store, { dryRun, allCheckpoints }) };
    }
    case 'export': {
      const { writeArchive } = await import('../../train/store/archive.ts');
      const chosen = await selected(store, names, args);
      const file = args.text('out') ?? '';
      writeArchive(file, store, chosen);
      return { verb, file, keys: chosen.map(({ key }) => key) };
    }
    case 'import': {
      const { importPath } = await import('../../train/store/import-runs.ts');
      return { verb, place, runs: names.flatMap((path) => importPath(store, path)) };
    }
    case 'verify': {
      const { verifyStore } = await import('../../train/store/verify.ts');
      const only = names.length > 0 ? names.map((name) => store.resolve(name).key) : undefined;
      return { verb, place, ...verifyStore(store, only) };
    }
  }
}

/** Runs by name, or else by filter. */
async function selected(
  store: RunStore,
  names: readonly string[],
  args: Arguments,
): Promise<RunRecord[]> {
  if (names.length === 0) return filtered(store, args);
  const found = names.map((name) => store.resolve(name));
  return [...new Map(found.map((record) => [record.key, record])).values()];
}

async function filtered(store: RunStore, args: Arguments): Promise<RunRecord[]> {
  const { parseCondition } = await import('../../train/store/query.ts');
  const status = args.text('status')?.split(',');
  return store.list({
    experiment: args.text('experiment'),
    status: status as RunStatus[] | undefined,
    where: args.texts('where').map(parseCondition),
    limit: args.count('limit'),
  });
}

function checkArguments(verb: Verb, names: readonly string[], args: Arguments): void {
  const given = (option: string) => args.flag(option) || args.texts(option).length > 0;
  const { names: wanted, options } = VERBS[verb];
  const all = Object.keys(runsCommand.options).filter((o) => o !== 'store' && o !== 'json');
  const misplaced = all.find((o) => given(o) && !(options as readonly string[]).includes(o));
  if (misplaced !== undefined) {
    throw new ConfigError(`--${misplaced} does not belong to 'gibbs runs ${verb}'`);
  }
  for (const status of args.text('status')?.split(',') ?? []) {
    if (!STATUSES.includes(status)) throw unknownName('status', status, STATUSES);
  }
  const filters = FILTERS.some(given);
  const complain = (what: string) => {
    throw new ConfigError(`gibbs runs ${verb}: ${what}, got ${names.length}`);
  };
  if (wanted === 'none' && names.length > 0) complain('takes no name');
  if (wanted === 'one' && names.length !== 1) complain('takes one name (or latest)');
  if (wanted === 'two' && names.length !== 2) complain('takes two names');
  if (wanted === 'files' && names.length === 0) complain('takes one or more files or folders');
  if (wanted === 'some' && names.length === 0 && !filters) {
    complain('takes names, or a filter such as --where');
  }
  if (names.length > 0 && filters) {
    throw new ConfigError(`gibbs runs ${verb}: takes names or filters, not both`);
  }
  if (verb === 'export' && !given('out')) {
    throw new ConfigError('gibbs runs export: --out FILE is missing');
  }
}
