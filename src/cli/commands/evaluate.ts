import { existsSync } from 'node:fs';
import { ConfigError, unknownName } from '../../core/errors.ts';
import type { ByteImages } from '../../datasets/images.ts';
import {
  type Arguments,
  type Command,
  DEVICE_OPTION,
  JSON_OPTION,
  PRECISION_OPTION,
  STORE_OPTION,
  table,
} from '../command.ts';

export const evaluateCommand: Command = {
  usage: 'evaluate SAMPLES',
  summary: 'Measures generated images against real ones: Fréchet distance, KID, precision, recall.',
  details: [
    'SAMPLES is a safetensors file with images (U8 [n, 3, h, w]), the folder of a run that left such',
    'files (the newest is taken), or a key of a run in the store.',
    '',
    'Features: own (default) are those of a classifier of CIFAR-10 that comes with the project; the',
    'distance is then called FD (own features) and compares with nothing published. With --weights',
    'FILE they are those of the Inception network of FID: the file is pt_inception-2015-12-05-',
    '6726825d.pth of pytorch-fid, which is in no package registry.',
    'The statistics of the reference are kept in data/cache/statistics.',
  ].join('\n'),
  positionals: ['SAMPLES'],
  options: {
    reference: {
      type: 'string',
      value: 'SET',
      help: 'real images: cifar10-train (default), cifar10-test, or a file or folder',
    },
    fit: {
      type: 'string',
      value: 'NAME',
      help: '--reference is a folder or LMDB of pictures: celeba, shorter (LSUN), centre or exact',
    },
    most: { type: 'string', value: 'N', help: 'with --fit: the first N pictures (default: all)' },
    weights: { type: 'string', value: 'FILE', help: 'weights of Inception, for FID' },
    sha256: {
      type: 'string',
      value: 'HEX',
      help: 'SHA-256 of --weights, where it is another file',
    },
    style: {
      type: 'string',
      value: 'NAME',
      help: 'how images enter Inception: torch (default) or tensorflow',
    },
    'distance-only': { type: 'boolean', help: 'the Fréchet distance alone' },
    device: DEVICE_OPTION,
    precision: PRECISION_OPTION,
    store: STORE_OPTION,
    json: JSON_OPTION,
  },
  run,
};

async function run(args: Arguments): Promise<number> {
  const [name] = args.positionals;
  const weights = args.text('weights');
  for (const option of ['sha256', 'style']) {
    if (weights === undefined && args.text(option) !== undefined) {
      throw new ConfigError(`--${option} belongs to --weights FILE`);
    }
  }
  const { loadImageSource } = await import('../../experiments/image-source.ts');
  const { inceptionNetwork, ownFeatures } = await import('../../experiments/feature-network.ts');
  const { featureDistance, featureReport } = await import('../../experiments/feature-distance.ts');
  const samples = loadImageSource(existsSync(name) ? name : await runFolder(name, args));
  const reference =
    (await pictures(args, samples)) ?? loadImageSource(args.text('reference') ?? 'cifar10-train');
  const network =
    weights === undefined
      ? ownFeatures()
      : inceptionNetwork(weights, {
          ...(args.text('style') && { style: args.text('style') as 'torch' | 'tensorflow' }),
          ...(args.text('sha256') && { sha256: args.text('sha256') }),
        });
  const onNotice = (text: string) => void process.stderr.write(`note: ${text}\n`);
  if (samples.count <= network.size) {
    onNotice(
      `${samples.count} samples for ${network.size} features: the distance is far too large; take more`,
    );
  }
  const options = { network, onNotice };
  const rows: [string, string][] = [];
  let found: object;
  if (args.flag('distance-only')) {
    const distance = featureDistance(samples, reference, options);
    rows.push([distance.title, distance.distance.toFixed(3)]);
    found = distance;
  } else {
    const report = featureReport(samples, reference, options);
    const { kernelDistance: kid, precisionRecall: pr, score } = report;
    rows.push(
      [report.title, report.distance.toFixed(3)],
      ['kernel distance', `${kid.mean.toExponential(3)} ± ${kid.std.toExponential(1)}`],
      ['precision', pr.precision.toFixed(3)],
      ['recall', pr.recall.toFixed(3)],
      [weights === undefined ? 'score (own classes)' : 'Inception Score', score.mean.toFixed(3)],
    );
    found = report;
  }
  rows.push(['images', `${samples.count} samples, ${reference.count} of the reference`]);
  if (args.flag('json')) process.stdout.write(`${JSON.stringify(found)}\n`);
  else process.stdout.write(`${table(rows).join('\n')}\n`);
  return 0;
}

/** The pictures of --reference in the size of the samples, where --fit says how they get it. */
async function pictures(args: Arguments, { width }: ByteImages): Promise<ByteImages | undefined> {
  const [path, name, most] = [args.text('reference'), args.text('fit'), args.count('most')];
  if (name === undefined) {
    if (most !== undefined) throw new ConfigError('--most belongs to --fit NAME');
    return undefined;
  }
  const { FITS } = await import('../../datasets/picture-fit.ts');
  const fit = FITS.find((known) => known === name);
  if (fit === undefined) throw unknownName('fit', name, FITS);
  if (path === undefined) throw new ConfigError('--fit needs the pictures: --reference DIR');
  const { loadPictures } = await import('../../datasets/picture-batches.ts');
  const { lmdbOrFolder } = await import('../../datasets/picture-set.ts');
  const keys = fit === 'shorter' ? 'order' : 'number';
  return loadPictures(lmdbOrFolder(path, keys), { size: width, fit }, { ...(most && { most }) });
}

/** The folder of a run of the store. */
async function runFolder(name: string, args: Arguments): Promise<string> {
  const { IMAGE_SETS } = await import('../../experiments/image-source.ts');
  if ((IMAGE_SETS as readonly string[]).includes(name)) return name;
  const { defaultRunsFolder } = await import('../../experiments/runs-folder.ts');
  const place = args.text('store') ?? defaultRunsFolder();
  if (!existsSync(place)) throw new ConfigError(`'${name}' is no file, folder or run (${place})`);
  const { RunStore } = await import('../../train/store/run-store.ts');
  const store = RunStore.open(place);
  return store.folder(store.resolve(name));
}
