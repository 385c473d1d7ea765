import { existsSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { ConfigError, DataError } from '../../core/errors.ts';
import {
  type Arguments,
  type Command,
  DEVICE_OPTION,
  JSON_OPTION,
  PRECISION_OPTION,
  STORE_OPTION,
  table,
} from '../command.ts';

export const oodCommand: Command = {
  usage: 'ood RUN',
  summary: 'Tells other images from CIFAR-10 by the energy of a run: AUROC, AUPRC, FPR95.',
  details: [
    'RUN is a key of the store, the beginning of one, latest, or the folder of a run; its last',
    'checkpoint is used, also while it trains.',
    '',
    'Sets of Table 4 of the paper are taken from data/cache/NAME, or from --folder NAME=DIR: svhn',
    '(test_32x32.mat), dtd (folder of pictures), cifar100 (test.bin), celeba (folder or LMDB). None of',
    'them is in a package registry; what is not here is said. MNIST in colour, noise, plain colours',
    'and scrambled images are always there.',
  ].join('\n'),
  positionals: ['RUN'],
  options: {
    most: { type: 'string', value: 'N', help: 'images of each set (default: 2000)' },
    folder: { type: 'string', multiple: true, value: 'NAME=DIR', help: 'where a set lies' },
    ship: { type: 'boolean', help: 'put the result into data/checkpoints, for the notebook' },
    device: DEVICE_OPTION,
    precision: PRECISION_OPTION,
    store: STORE_OPTION,
    json: JSON_OPTION,
  },
  run,
};

async function run(args: Arguments): Promise<number> {
  const [name] = args.positionals;
  const folders = Object.fromEntries(
    args.texts('folder').map((text) => {
      const at = text.indexOf('=');
      if (at < 1) throw new ConfigError(`--folder takes NAME=DIR, got '${text}'`);
      return [text.slice(0, at), text.slice(at + 1)];
    }),
  );
  const { runObjective, lastState } = await import('../../experiments/run-objective.ts');
  const { evaluateOod, oodPath, writeOod } = await import('../../experiments/ood.ts');
  const { RunStore } = await import('../../train/store/run-store.ts');
  const { defaultRunsFolder } = await import('../../experiments/runs-folder.ts');
  const isFolder = existsSync(name);
  const place = isFolder ? dirname(dirname(name)) : (args.text('store') ?? defaultRunsFolder());
  const key = isFolder ? `${basename(dirname(name))}/${basename(name)}` : name;
  if (!existsSync(place)) throw new DataError(`there is no run store ${place}`);
  const store = RunStore.open(place);
  const record = store.resolve(key);
  if (record.experiment !== 'cifar10') {
    throw new ConfigError(`${record.key} is no run of cifar10, whose images these sets have`);
  }
  const objective = runObjective(record.experiment, record.config);
  const folder = isFolder ? name : store.folder(record);
  const { state, step } = lastState(objective, folder, record.seed);
  const most = args.count('most');
  const result = await evaluateOod(
    { objective, state, step, key: record.key, config: record.config },
    {
      folders,
      ...(most !== undefined && { most }),
      onNotice: (text) => void process.stderr.write(`note: ${text}\n`),
    },
  );
  if (args.flag('ship')) {
    writeOod(result);
    process.stderr.write(`shipped: ${oodPath()}\n`);
  }
  const { energies: _, ...about } = result;
  if (args.flag('json')) {
    process.stdout.write(`${JSON.stringify(about)}\n`);
    return 0;
  }
  const share = (value: number) => value.toFixed(3);
  const rows = result.rows.map(({ title, count, scores }) => {
    const { auroc, auprIn, fpr95 } = scores.energy;
    const others = `gradient ${share(scores.gradient.auroc)}, typical ${share(scores.typical.auroc)}`;
    const main = `AUROC ${share(auroc)}  AUPRC ${share(auprIn)}  FPR95 ${share(fpr95)}`;
    return [`  ${title} (${count})`, `${main}  (AUROC by ${others})`] as const;
  });
  process.stdout.write(`${record.key} at iteration ${step}\n${table(rows).join('\n')}\n`);
  return 0;
}
