import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { ConfigError, DataError } from '../../core/errors.ts';
import type { ToyFigureData } from '../../experiments/toy-figure.ts';
import type { ToyPlan } from '../../experiments/toy-plans.ts';
import { type Arguments, type Command, JSON_OPTION, STORE_OPTION } from '../command.ts';
import { withInterrupts } from '../interrupts.ts';

/** Options that describe a training, and so ask for runs rather than for published checkpoints. */
const OF_TRAINING = ['preset', 'seed', 'store', 'runs', 'jobs'];

export const figureCommand: Command = {
  usage: 'figure NUMBER',
  summary: 'Draws a figure of the paper as SVG, PNG and JSON.',
  details: [
    'Figures: 1 (25 Gaussians and pinwheel: MEG, VERA, FCE, BiDVL, DDAEBM), 6 (score flow, DRL,',
    'DDGAN, DDAEBM), 7 (swiss roll: DDGAN, DDAEBM with KL and with Jeffreys’ divergence).',
    '',
    'Without options a figure is drawn in seconds from the parameters in data/checkpoints. With a',
    'preset, seed or setting its models are taken from data/runs; those that are missing are',
    'trained first, side by side, one process each. The pictures carry what they were made from:',
    'configuration, seed, commit and versions.',
  ].join('\n'),
  positionals: ['NUMBER'],
  options: {
    methods: { type: 'string', value: 'A,B', help: 'some methods only, e.g. ddaebm' },
    'from-checkpoints': { type: 'boolean', help: 'insist on data/checkpoints' },
    preset: { type: 'string', value: 'NAME', help: 'smoke, quick or paper (default: quick)' },
    seed: { type: 'string', value: 'N', help: 'seed of all random numbers (default: 0)' },
    set: { type: 'string', multiple: true, value: 'KEY=VALUE', help: 'change one setting' },
    out: { type: 'string', value: 'DIR', help: 'folder of the pictures (default: figures)' },
    store: STORE_OPTION,
    runs: { type: 'string', value: 'DIR', help: 'the same as --store' },
    jobs: { type: 'string', value: 'N', help: 'processes that train at once (default: cores)' },
    retrain: { type: 'boolean', help: 'train all models again from the start' },
    json: JSON_OPTION,
  },
  run: (args) => withInterrupts((signal) => figure(args, signal)),
};

async function figure(args: Arguments, signal: AbortSignal): Promise<number> {
  const { toyPlan, withMethods } = await import('../../experiments/toy-plans.ts');
  const { projectRoot } = await import('../../experiments/runs-folder.ts');
  const { writeToyFigure } = await import('../toy-figure.ts');
  const methods = args.text('methods')?.split(',');
  const whole = toyPlan(args.positionals[0]);
  const plan = methods ? withMethods(whole, methods) : whole;
  const ready = await fromCheckpoints(plan, args);
  const data = ready ?? (await fromRuns(plan, args, signal));
  const preset = ready ? undefined : (args.text('preset') ?? 'quick');
  const files = await writeToyFigure(
    data,
    args.text('out') ?? join(projectRoot(), 'figures'),
    preset,
  );
  if (args.flag('json')) process.stdout.write(`${JSON.stringify({ files })}\n`);
  else process.stdout.write(files.map((file) => `${file}\n`).join(''));
  return 0;
}

/** The figure from published checkpoints, or undefined when runs are asked for or needed. */
async function fromCheckpoints(plan: ToyPlan, args: Arguments): Promise<ToyFigureData | undefined> {
  const { figureFromCheckpoints, missingCheckpoints } = await import(
    '../../experiments/toy-figure.ts'
  );
  const training = [
    ...OF_TRAINING.filter((name) => args.text(name) !== undefined),
    ...(args.texts('set').length > 0 ? ['set'] : []),
    ...(args.flag('retrain') ? ['retrain'] : []),
  ];
  if (args.flag('from-checkpoints') && training.length > 0) {
    throw new ConfigError(
      `--from-checkpoints draws what is there; it does not go with --${training[0]}`,
    );
  }
  const { missing, found } = missingCheckpoints(plan);
  if (!args.flag('from-checkpoints') && (training.length > 0 || found === 0)) return undefined;
  if (found === 0) {
    throw new DataError(
      `figure ${plan.number}: no checkpoint of ${missing.join(', ')} in data/checkpoints; --preset quick trains the models`,
    );
  }
  if (missing.length > 0) {
    process.stderr.write(
      `note: no checkpoint of ${missing.join(', ')}; --preset quick trains it\n`,
    );
  }
  return figureFromCheckpoints(plan);
}

async function fromRuns(
  plan: ToyPlan,
  args: Arguments,
  signal: AbortSignal,
): Promise<ToyFigureData> {
  const { parseSetting } = await import('../../experiments/overrides.ts');
  const { defaultRunsFolder } = await import('../../experiments/runs-folder.ts');
  const { trainedFigure } = await import('../toy-figure.ts');
  const overrides = Object.fromEntries(args.texts('set').map(parseSetting));
  if ('dataset' in overrides) {
    throw new ConfigError(`figure ${plan.number} always shows ${plan.datasets.join(' and ')}`);
  }
  return trainedFigure(
    plan,
    {
      preset: args.text('preset') ?? 'quick',
      seed: args.count('seed') ?? 0,
      overrides,
      runs: args.text('store') ?? args.text('runs') ?? defaultRunsFolder(),
      retrain: args.flag('retrain'),
      jobs: Math.max(1, args.count('jobs') ?? availableParallelism()),
    },
    signal,
  );
}
