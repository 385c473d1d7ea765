import { ConfigError, unknownName } from '../../core/errors.ts';
import type { ToyResult } from '../../experiments/toy.ts';
import type { ToyMethod } from '../../experiments/toy-methods.ts';
import type { Progress } from '../../train/loop.ts';
import {
  type Arguments,
  type Command,
  DEVICE_OPTION,
  JSON_OPTION,
  PRECISION_OPTION,
  STORE_OPTION,
  table,
} from '../command.ts';
import { withInterrupts } from '../interrupts.ts';
import { partsOf } from '../parts.ts';
import { RANKS_OPTION, refuseJob, withRanks } from '../ranks.ts';
import type { WorkerMessage } from '../workers.ts';

const MNIST_EXPERIMENTS = [
  'nice',
  'stacked',
  'latent-prior',
  'mnist-classifier',
  'cifar-classifier',
  'cifar10',
  'drl',
  'celeba64',
  'lsun-church',
];
const EXPERIMENTS = ['toy', ...MNIST_EXPERIMENTS];

export const runCommand: Command = {
  usage: 'run EXPERIMENT',
  summary: 'Trains an experiment, or takes the result of the same run if there is one.',
  details: [
    'Experiments: toy (two-dimensional data, Figures 1, 6 and 7), nice (a normalised energy on',
    'MNIST, Table 1 and Figure 2), stacked (StackedMNIST, Table 11), latent-prior (the energy prior',
    'of Energy Discrepancy on MNIST), mnist-classifier (which counts the modes of stacked),',
    'cifar10 (DDAEBM on images, Table 2), drl (diffusion recovery likelihood on CIFAR-10, a row of',
    'Table 2), cifar-classifier (whose features give the FD of their samples), celeba64 and',
    'lsun-church (DDAEBM on pictures of your own copy, Table 3, Figures 8 and 9).',
    '',
    'A run is known by configuration, seed and what the code computes. A finished one is reused, an interrupted or',
    'killed one resumes from its last checkpoint and ends in the same numbers. It is kept in the run',
    "store: see 'gibbs runs'.",
    '',
    'Presets: smoke (seconds, proves that it works), quick (minutes), paper (as published); cifar10',
    'and drl also nano (about an hour of one core), and their quick takes days; celeba64 and',
    'lsun-church likewise, several times as long.',
    'Methods: ddaebm, meg, vera, fce, bidvl, ebm-bb, wgan-0gp, ddgan, score-flow, drl,',
    'energy-discrepancy, contrastive-divergence, score-matching, denoising-score-matching.',
    'Settings: --set diffusion.betaMax=20, and so on; an unknown one lists those of the method.',
    '',
    'Large batches: --parts 16 works each batch off in 16 parts, one after the other, in the memory of',
    'one, with the numbers of the whole but for rounding. For DDAEBM on images the default, auto, takes',
    'as many as it takes to stay below 20 GB and four fifths of the machine; elsewhere it is 1.',
    '',
    'Several processes: mpirun -n 4 gibbs run toy … shares each batch among four, with the numbers of',
    'one process but for rounding. Not for the classifiers.',
  ].join('\n'),
  positionals: ['EXPERIMENT'],
  options: {
    method: { type: 'string', value: 'NAME', help: 'training method (default: ddaebm)' },
    dataset: { type: 'string', value: 'NAME', help: 'data set (default: 25gaussians)' },
    preset: { type: 'string', value: 'NAME', help: 'smoke, quick or paper (default: quick)' },
    seed: { type: 'string', value: 'N', help: 'seed of all random numbers (default: 0)' },
    steps: { type: 'string', value: 'N', help: 'iterations, in place of the preset’s' },
    set: { type: 'string', multiple: true, value: 'KEY=VALUE', help: 'change one setting' },
    device: DEVICE_OPTION,
    precision: PRECISION_OPTION,
    store: STORE_OPTION,
    out: { type: 'string', value: 'DIR', help: 'the same as --store' },
    checkpoint: {
      type: 'string',
      value: 'SECONDS',
      help: 'time between checkpoints (default: 30)',
    },
    best: {
      type: 'string',
      value: 'METRIC',
      help: 'toy: also keep the checkpoint at which this loss was lowest (see gibbs runs show)',
    },
    fresh: { type: 'boolean', help: 'start over, even where a result or checkpoint exists' },
    resume: { type: 'boolean', help: 'fail unless there is a checkpoint to go on from' },
    publish: {
      type: 'string',
      value: 'FILE',
      help: 'write the parameters, in half precision, e.g. to data/checkpoints/meg-pinwheel.safetensors',
    },
    data: {
      type: 'string',
      value: 'DIR',
      help: 'folder of the files of the set (default: data/cache)',
    },
    ship: { type: 'boolean', help: 'images: put the result into data/checkpoints' },
    ranks: RANKS_OPTION,
    parts: {
      type: 'string',
      value: 'N',
      help: 'work each batch off in N parts, for less memory (default: auto, which chooses for images)',
    },
    json: JSON_OPTION,
  },
  parallel: true,
  run: (args) => withInterrupts((signal) => run(args, signal)),
};

async function run(args: Arguments, signal: AbortSignal): Promise<number> {
  const [experiment] = args.positionals;
  if (!EXPERIMENTS.includes(experiment)) throw unknownName('experiment', experiment, EXPERIMENTS);
  if (MNIST_EXPERIMENTS.includes(experiment)) {
    if (experiment.endsWith('classifier')) {
      refuseJob(`run ${experiment}`);
      if ((partsOf(args) ?? 1) !== 1) {
        throw new ConfigError(`'gibbs run ${experiment}' takes whole batches; leave --parts out`);
      }
    }
    const { runImages } = await import('./run-images.ts');
    const done = await withRanks(args.text('ranks'), signal, (ranks) =>
      runImages(experiment, args, signal, ranks),
    );
    return done ?? 0;
  }
  const seed = args.count('seed');
  const steps = args.count('steps');
  const checkpointSeconds = args.count('checkpoint');
  const { runToyTogether } = await import('../../experiments/toy-together.ts');
  const { parseSetting } = await import('../../experiments/overrides.ts');
  const { ProgressDisplay } = await import('../../train/progress.ts');
  const display = new ProgressDisplay(process.stderr);
  const name = args.text('dataset') ?? '25gaussians';
  const { toyMethod } = await import('../../experiments/toy-methods.ts');
  const method = toyMethod(args.text('method') ?? 'ddaebm');
  const options = {
    method,
    dataset: args.text('dataset'),
    preset: args.text('preset'),
    seed,
    overrides: {
      ...Object.fromEntries(args.texts('set').map(parseSetting)),
      ...(steps !== undefined && { steps }),
    },
    root: args.text('store') ?? args.text('out'),
    checkpointSeconds,
    fresh: args.flag('fresh'),
    resume: args.flag('resume'),
    best: args.text('best'),
    parts: partsOf(args),
    onProgress: (progress: Progress) => {
      if (!toParent({ progress })) display.update(name, progress);
    },
    onNotice: (text: string) => {
      if (!toParent({ notice: text })) display.note(`note: ${text}`);
    },
    signal,
  };
  const result = await withRanks(args.text('ranks'), signal, (ranks) => {
    if (ranks?.rank === 0) display.note(`${ranks.size} ranks`);
    return runToyTogether(options, ranks);
  });
  if (!result) return 0;
  display.end();
  const publish = args.text('publish');
  if (publish !== undefined) {
    const { publishToyRun } = await import('../../experiments/toy-checkpoint.ts');
    publishToyRun(result, publish);
  }
  if (args.flag('json')) process.stdout.write(`${JSON.stringify(withoutArrays(result))}\n`);
  else process.stdout.write(describe(result));
  return 0;
}

function toParent(message: { progress: Progress } | { notice: string }): boolean {
  if (!process.send || !process.connected) return false;
  process.send(message satisfies WorkerMessage, () => {});
  return true;
}

function withoutArrays({ samples: _s, logDensity: _l, ...rest }: ToyResult<ToyMethod>) {
  return rest;
}

function describe(result: ToyResult<ToyMethod>): string {
  const { config, preset, seed, steps, seconds, metrics, reused } = result;
  const changes = Object.entries(result.overrides).map(([key, value]) => `${key}=${value}`);
  const what = [
    `toy ${config.dataset}`,
    config.method,
    `preset ${preset}`,
    ...changes,
    `seed ${seed}`,
  ];
  const rows: [string, string][] = [
    [
      'iterations',
      `${steps} in ${seconds.toFixed(1)} s${reused ? ' (an earlier run, reused)' : ''}`,
    ],
  ];
  if (metrics.modes !== undefined) {
    rows.push(['modes covered', `${metrics.modesCovered} of ${metrics.modes}`]);
  }
  if (metrics.shareWithin4Sigma !== undefined) {
    rows.push(['within 4σ', `${(100 * metrics.shareWithin4Sigma).toFixed(1)} %`]);
  }
  if (metrics.gridKl !== undefined) rows.push(['grid KL', `${metrics.gridKl.toFixed(3)} nat`]);
  rows.push(['MMD²', metrics.mmd.toExponential(2)]);
  rows.push(['checksum', result.checksum.slice(0, 16)], ['folder', result.folder]);
  const lines = table(rows.map(([left, right]) => [`  ${left}`, right] as const));
  return `${what.join(', ')}\n${lines.join('\n')}\n`;
}
