import { ConfigError, unknownName } from '../../core/errors.ts';
import { type Arguments, type Command, JSON_OPTION, STORE_OPTION } from '../command.ts';

const FORMATS = ['safetensors', 'onnx'];
const MODELS = ['sampler', 'energy'];

export const exportCommand: Command = {
  usage: 'export RUN --to safetensors|onnx --out FILE',
  summary: 'Takes the networks of a run out: for PyTorch, or as a model for any ONNX runtime.',
  details: [
    'RUN is a key of the store, the beginning of one, or latest.',
    '',
    'safetensors  all networks under network.key, or with --network one of them under the keys that',
    '             PyTorch has; moving averages where the method keeps them, unless --current.',
    'onnx         one model in operators of the standard (opset 21): the sampler, whose inputs are',
    '             the noise of --batch samples and whose output is samples; or with --model energy',
    '             the energy, high on data, of --batch rows x.',
    '',
    "A run's folder must still hold its last checkpoint.",
  ].join('\n'),
  positionals: ['RUN'],
  options: {
    to: { type: 'string', value: 'NAME', help: 'safetensors (default) or onnx' },
    out: { type: 'string', value: 'FILE', help: 'the file to write' },
    network: { type: 'string', value: 'NAME', help: 'safetensors: one network, e.g. netG' },
    current: { type: 'boolean', help: 'safetensors: the parameters, not their averages' },
    model: { type: 'string', value: 'NAME', help: 'onnx: sampler (default) or energy' },
    batch: { type: 'string', value: 'N', help: 'onnx: samples of a call (default: 16)' },
    store: STORE_OPTION,
    json: JSON_OPTION,
  },
  run,
};

async function run(args: Arguments): Promise<number> {
  const [name] = args.positionals;
  const format = args.text('to') ?? 'safetensors';
  const model = args.text('model') ?? 'sampler';
  const out = args.text('out');
  if (!FORMATS.includes(format)) throw unknownName('format', format, FORMATS);
  if (!MODELS.includes(model)) throw unknownName('model', model, MODELS);
  if (out === undefined) throw new ConfigError('gibbs export: --out FILE is missing');
  const foreign = format === 'onnx' ? ['network', 'current'] : ['model', 'batch'];
  const misplaced = foreign.find((o) => args.text(o) !== undefined || args.flag(o));
  if (misplaced !== undefined) {
    throw new ConfigError(`--${misplaced} does not belong to gibbs export --to ${format}`);
  }
  const { RunStore } = await import('../../train/store/run-store.ts');
  const { defaultRunsFolder } = await import('../../experiments/runs-folder.ts');
  const { lastState, runObjective } = await import('../../experiments/run-objective.ts');
  const { exportEnergy, exportNetworks, exportSampler } = await import(
    '../../experiments/run-export.ts'
  );
  const { writeFileAtomic } = await import('../../core/files.ts');
  const store = RunStore.open(args.text('store') ?? defaultRunsFolder());
  const record = store.resolve(name);
  const objective = runObjective(record.experiment, record.config);
  const { state, step } = lastState(objective, store.folder(record), record.seed);
  const method = { objective, state };
  const batch = args.count('batch') ?? 16;
  if (format === 'onnx') {
    const write = model === 'sampler' ? exportSampler : exportEnergy;
    writeFileAtomic(out, write(method, batch));
  } else {
    const network = args.text('network');
    const bytes = exportNetworks(method, {
      ...(network !== undefined && { network }),
      average: !args.flag('current'),
      about: { run: record.key, step: String(step) },
    });
    writeFileAtomic(out, bytes);
  }
  const found = { run: record.key, step, to: format, out };
  if (args.flag('json')) process.stdout.write(`${JSON.stringify(found)}\n`);
  else process.stdout.write(`${record.key} at iteration ${step}: ${out}\n`);
  return 0;
}
