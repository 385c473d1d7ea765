import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { ConfigError, DataError, unknownName } from '../../core/errors.ts';
import type { ToyFigureData } from '../../experiments/toy-figure.ts';
import type { ToyPlan } from '../../experiments/toy-plans.ts';
import {
  type Arguments,
  type Command,
  DEVICE_OPTION,
  JSON_OPTION,
  PRECISION_OPTION,
  STORE_OPTION,
} from '../command.ts';
import type { FigureVerdict } from '../figure-verify.ts';
import { withInterrupts } from '../interrupts.ts';
import { MNIST_FIGURES, mnistFigure } from '../mnist-figure.ts';

/** Options that describe a training, and so ask for runs rather than for published checkpoints. */
const OF_TRAINING = ['preset', 'seed', 'store', 'runs', 'jobs'];

export const figureCommand: Command = {
  usage: 'figure (NAME | verify [FILE...])',
  summary: 'Draws a figure of the paper as SVG, PNG and JSON, or checks drawn ones.',
  details: [
    'Figures: 1 (25 Gaussians and pinwheel: MEG, VERA, FCE, BiDVL, DDAEBM), 6 (score flow, DRL,',
    'DDGAN, DDAEBM), 7 (swiss roll: DDGAN, DDAEBM with KL and with Jeffreys’ divergence); on MNIST 2',
    '(samples and likelihoods of NICE), stacked (StackedMNIST), latent-prior.',
    '',
    'Without options a figure is drawn in seconds from the parameters in data/checkpoints. With a',
    'preset, seed or setting its models are taken from data/runs; those that are missing are',
    'trained first, side by side, one process each. The pictures carry what they were made from:',
    'configuration, seed, run, commit and versions.',
    '',
    'verify draws figures (those of the folder figures, or the files named) again from their runs or',
    'checkpoints and says of each, in a line, whether it agrees: the same bytes, numbers and',
    'parameters. Exit status 1 if one differs. A figure whose runs are not here is missing them;',
    '--retrain trains them and compares.',
  ].join('\n'),
  positionals: ['NAME | verify', 'FILE...'],
  optionalPositionals: true,
  options: {
    methods: { type: 'string', value: 'A,B', help: 'some methods only, e.g. ddaebm' },
    'from-checkpoints': { type: 'boolean', help: 'insist on data/checkpoints' },
    preset: { type: 'string', value: 'NAME', help: 'smoke, quick or paper (default: quick)' },
    seed: { type: 'string', value: 'N', help: 'seed of all random numbers (default: 0)' },
    set: { type: 'string', multiple: true, value: 'KEY=VALUE', help: 'change one setting' },
    out: { type: 'string', value: 'DIR', help: 'folder of the pictures (default: figures)' },
    device: DEVICE_OPTION,
    precision: PRECISION_OPTION,
    store: STORE_OPTION,
    runs: { type: 'string', value: 'DIR', help: 'the same as --store' },
    jobs: { type: 'string', value: 'N', help: 'processes that train at once (default: cores)' },
    retrain: {
      type: 'boolean',
      help: 'train all models again from the start; verify: those that are missing',
    },
    json: JSON_OPTION,
  },
  run: (args) => withInterrupts((signal) => figure(args, signal)),
};

/** Options that say which figure is drawn and where to. */
const OF_DRAWING = ['methods', 'preset', 'seed', 'out'];

async function figure(args: Arguments, signal: AbortSignal): Promise<number> {
  const [name, ...files] = args.positionals;
  if (name === undefined) throw new ConfigError(`NAME is missing: gibbs ${figureCommand.usage}`);
  if (name === 'verify') return verify(files, args, signal);
  if (files.length > 0) {
    throw new ConfigError(`unexpected argument '${files[0]}': gibbs ${figureCommand.usage}`);
  }
  if (MNIST_FIGURES.includes(name)) return mnistFigure(args, signal);
  const { TOY_FIGURES } = await import('../../experiments/toy-plans.ts');
  if (TOY_FIGURES.includes(name)) return draw(args, signal);
  throw unknownName('figure', name, [...TOY_FIGURES, ...MNIST_FIGURES, 'verify']);
}

async function verify(
  files: readonly string[],
  args: Arguments,
  signal: AbortSignal,
): Promise<number> {
  const misplaced = [
    ...OF_DRAWING.filter((name) => args.text(name) !== undefined),
    ...(args.texts('set').length > 0 ? ['set'] : []),
    ...(args.flag('from-checkpoints') ? ['from-checkpoints'] : []),
  ];
  if (misplaced.length > 0) {
    throw new ConfigError(`--${misplaced[0]} does not go with 'gibbs figure verify'`);
  }
  const { defaultRunsFolder, projectRoot } = await import('../../experiments/runs-folder.ts');
  const { figuresIn } = await import('../figure-files.ts');
  const { verifyFigure } = await import('../figure-verify.ts');
  const options = {
    root: args.text('store') ?? args.text('runs') ?? defaultRunsFolder(),
    retrain: args.flag('retrain'),
    jobs: Math.max(1, args.count('jobs') ?? availableParallelism()),
    signal,
  };
  const asJson = args.flag('json');
  const verdicts: FigureVerdict[] = [];
  for (const path of files.length > 0 ? files : figuresIn(join(projectRoot(), 'figures'))) {
    const found = await verifyFigure(path, options);
    verdicts.push(found);
    if (!asJson) process.stdout.write(`${found.verdict}  ${found.figure}: ${found.detail}\n`);
  }
  if (asJson) process.stdout.write(`${JSON.stringify({ figures: verdicts })}\n`);
  return verdicts.some(({ verdict }) => verdict === 'differs') ? 1 : 0;
}

async function draw(args: Arguments, signal: AbortSignal): Promise<number> {
  const { toyPlan, withMethods } = await import('../../experiments/toy-plans.ts');
  const { defaultRunsFolder, projectRoot } = await import('../../experiments/runs-folder.ts');
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
    args.text('store') ?? args.text('runs') ?? defaultRunsFolder(),
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
