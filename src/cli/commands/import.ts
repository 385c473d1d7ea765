import { ConfigError } from '../../core/errors.ts';
import { type Arguments, type Command, JSON_OPTION } from '../command.ts';

export const importCommand: Command = {
  usage: 'import FILE.pth --to FILE.safetensors',
  summary: 'Takes the weights out of a PyTorch checkpoint, without running anything of it.',
  details: [
    'FILE.pth holds a state dict (netG_1200.pth) or the training content of DDAEBM or DDGAN',
    '(content.pth), from which --network is taken; --average takes its moving averages instead.',
    'Keys stay those of PyTorch, without the prefix module. of parallel training.',
    '',
    'With --as NAME they are checked, key for key, against a network of the paper: cifar10, celeba64',
    'or lsun128, each with /netG (generator), /netD (energy) or /netE (encoder).',
    '',
    'The file is read by a pickle reader that knows tensors and plain containers only: a checkpoint',
    'that wants to call anything else is refused.',
  ].join('\n'),
  positionals: ['FILE.pth'],
  options: {
    to: { type: 'string', value: 'FILE', help: 'the safetensors file to write' },
    network: {
      type: 'string',
      value: 'NAME',
      help: 'netG (default), netD or netE, of a training content',
    },
    average: { type: 'boolean', help: 'the moving averages of the parameters' },
    as: { type: 'string', value: 'NAME', help: 'check against a network, e.g. cifar10/netG' },
    json: JSON_OPTION,
  },
  run,
};

async function run(args: Arguments): Promise<number> {
  const [path] = args.positionals;
  const to = args.text('to');
  if (to === undefined) throw new ConfigError('gibbs import: --to FILE.safetensors is missing');
  const { checkOfficial, readOfficialCheckpoint } = await import(
    '../../experiments/official-networks.ts'
  );
  const { writeSafetensorsFile } = await import('../../core/safetensors.ts');
  const part = args.text('network');
  const dict = readOfficialCheckpoint(path, {
    ...(part !== undefined && { part }),
    average: args.flag('average'),
  });
  const as = args.text('as');
  if (as !== undefined) checkOfficial(dict, as, path);
  writeSafetensorsFile(to, dict);
  const values = Object.values(dict).reduce((sum, { data }) => sum + data.length, 0);
  const tensors = Object.keys(dict).length;
  if (args.flag('json')) process.stdout.write(`${JSON.stringify({ to, tensors, values })}\n`);
  else process.stdout.write(`${tensors} tensors, ${values} values in ${to}\n`);
  return 0;
}
