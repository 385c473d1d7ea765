import { join } from 'node:path';
import { ConfigError, InterruptedError, unknownName } from '../../core/errors.ts';
import type { SweepSpec } from '../../sweep/plan.ts';
import type { SweepResult } from '../../sweep/result.ts';
import type { SlurmStatus, SlurmSweep, TaskState } from '../../sweep/slurm.ts';
import {
  type Arguments,
  type Command,
  DEVICE_OPTION,
  JSON_OPTION,
  PRECISION_OPTION,
  STORE_OPTION,
} from '../command.ts';
import { withInterrupts } from '../interrupts.ts';

const ON = ['local', 'slurm'];
const OF_SLURM = ['watch', 'cancel', 'status', 'folder'] as const;

export const sweepCommand: Command = {
  usage: 'sweep FILE',
  summary: 'Trains every point of a grid for every seed, here or on a cluster.',
  details: [
    'FILE is JSON: { "experiment": "toy", "grid": { "diffusion.T": [1, 2, 4, 8],',
    '"objective.divergence": ["kl", "jeffreys"] }, "seeds": 3, "preset": "quick" }; method, dataset',
    'and preset may be in the grid, "overrides" holds settings of all runs.',
    '',
    'Here, each run has a process and a core of its own. Runs that are in the store already are',
    'reused; stopped by Ctrl-C or killed, the same command goes on where it was. A run that fails is',
    'tried once more and reported; the others go on, and the exit status is 1.',
    '',
    'On Slurm, the first call submits an array job and returns; every further call collects what',
    'is done into the store and submits again only what failed or was killed.',
    '',
    '  gibbs sweep ablation.json',
    '  gibbs sweep ablation.json --on slurm --watch',
  ].join('\n'),
  positionals: ['FILE'],
  options: {
    device: DEVICE_OPTION,
    precision: PRECISION_OPTION,
    store: STORE_OPTION,
    on: { type: 'string', value: 'WHERE', help: 'local (default) or slurm' },
    jobs: { type: 'string', value: 'N', help: 'local: processes at once (default: cores)' },
    checkpoint: {
      type: 'string',
      value: 'SECONDS',
      help: 'time between checkpoints (default: 30)',
    },
    metrics: { type: 'string', value: 'A,B', help: 'columns of the table (default: all numbers)' },
    sort: { type: 'string', value: 'NAME', help: 'best rows of a metric first, or by a setting' },
    publish: {
      type: 'string',
      value: 'FILE',
      help: 'write numbers, curves and some samples of a complete sweep into one file',
    },
    watch: { type: 'boolean', help: 'slurm: wait until all is done, then collect' },
    status: { type: 'boolean', help: 'slurm: only say how the tasks stand' },
    cancel: {
      type: 'boolean',
      help: 'slurm: take the tasks out of the queue; they can go on later',
    },
    folder: {
      type: 'string',
      value: 'DIR',
      help: 'slurm: folder that all nodes see (default: data/sweeps)',
    },
    json: JSON_OPTION,
  },
  run: (args) => withInterrupts((signal) => run(args, signal)),
};

async function run(args: Arguments, signal: AbortSignal): Promise<number> {
  const on = args.text('on') ?? 'local';
  if (!ON.includes(on)) throw unknownName('place for a sweep', on, ON);
  const misplaced = OF_SLURM.find((name) => args.flag(name) || args.text(name) !== undefined);
  if (on === 'local' && misplaced !== undefined) {
    throw new ConfigError(`--${misplaced} goes with --on slurm`);
  }
  if (on === 'slurm' && args.text('jobs') !== undefined) {
    throw new ConfigError('--jobs is for local sweeps; give "slurm": { "atOnce": N } in the file');
  }
  // Read before the engine is loaded: a wrong file name shows at once.
  const { readSweep } = await import('../../sweep/sweep-file.ts');
  const spec = readSweep(args.positionals[0]);
  if (on === 'slurm') return slurm(spec, args, signal);
  const { sweep } = await import('../../sweep/sweep.ts');
  const result = await sweep(spec, {
    root: args.text('store'),
    workers: args.count('jobs'),
    checkpointSeconds: args.count('checkpoint'),
    signal,
  });
  await publish(args, spec, result);
  return print(args, result);
}

async function slurm(spec: SweepSpec, args: Arguments, signal: AbortSignal): Promise<number> {
  const { sweepPlan } = await import('../../sweep/plan.ts');
  const { SlurmSweep } = await import('../../sweep/slurm.ts');
  const { SweepResult } = await import('../../sweep/result.ts');
  const { RunStore } = await import('../../train/store/run-store.ts');
  const { defaultRunsFolder, projectRoot } = await import('../../experiments/runs-folder.ts');
  const plan = sweepPlan(spec);
  const base = args.text('folder') ?? join(projectRoot(), 'data', 'sweeps');
  const sweep = new SlurmSweep(plan, join(base, plan.name), args.count('checkpoint'));
  if (args.flag('cancel')) {
    sweep.cancel();
    return say(args, sweep, sweep.status());
  }
  if (args.flag('status')) return say(args, sweep, sweep.status());
  const submitted = sweep.submit();
  if (submitted.length > 0) {
    process.stderr.write(`submitted ${submitted.length} of ${plan.tasks.length} tasks\n`);
  }
  if (args.flag('watch')) await watch(sweep, signal);
  const store = RunStore.open(args.text('store') ?? defaultRunsFolder());
  const { runDetails } = await import('../../sweep/run-details.ts');
  const result = new SweepResult(plan, sweep.collect(store), (key) => runDetails(store, key));
  const status = sweep.status();
  const going = status.states.some((state) => state === 'queued' || state === 'running');
  if (going) return say(args, sweep, status);
  await publish(args, spec, result);
  return print(args, result);
}

async function publish(args: Arguments, spec: SweepSpec, result: SweepResult): Promise<void> {
  const file = args.text('publish');
  if (file === undefined) return;
  const { sweepPlan } = await import('../../sweep/plan.ts');
  const { publishSweep } = await import('../../sweep/published.ts');
  const { RunStore } = await import('../../train/store/run-store.ts');
  const { defaultRunsFolder } = await import('../../experiments/runs-folder.ts');
  const store = RunStore.open(args.text('store') ?? defaultRunsFolder());
  publishSweep(sweepPlan(spec), result, store, file);
  process.stderr.write(`${result.runs.length} runs in ${file}\n`);
}

const WATCH_MS = 2000;

/** Waits until no task is in the queue, and shows how they stand. */
async function watch(sweep: SlurmSweep, signal: AbortSignal): Promise<void> {
  let shown = '';
  for (;;) {
    const { states } = sweep.status();
    const text = countsOf(states);
    if (text !== shown) process.stderr.write(`${text}\n`);
    shown = text;
    if (!states.some((state) => state === 'queued' || state === 'running')) return;
    if (signal.aborted) {
      throw new InterruptedError(
        'stopped watching; the tasks go on, --cancel would take them out of the queue',
      );
    }
    await new Promise((done) => setTimeout(done, WATCH_MS));
  }
}

function countsOf(states: readonly TaskState[]): string {
  const counts = new Map<TaskState, number>();
  for (const state of states) counts.set(state, (counts.get(state) ?? 0) + 1);
  return [...counts].map(([state, count]) => `${count} ${state}`).join(', ');
}

function say(args: Arguments, sweep: SlurmSweep, { states, reasons }: SlurmStatus): number {
  if (args.flag('json')) {
    const tasks = states.map((state, index) => ({ index, state, reason: reasons.get(index) }));
    process.stdout.write(`${JSON.stringify({ sweep: sweep.plan.name, tasks })}\n`);
    return 0;
  }
  const why = [...reasons].map(([index, reason]) => `task ${index}: ${reason}\n`);
  process.stdout.write(`${sweep.plan.name}: ${countsOf(states)}\n${why.join('')}`);
  process.stdout.write(`logs in ${join(sweep.folder, 'logs')}\n`);
  return 0;
}

function print(args: Arguments, result: SweepResult): number {
  const metrics = args.text('metrics')?.split(',');
  const sort = args.text('sort');
  const summary = result.summary({ ...(metrics && { metrics }), ...(sort && { sort }) });
  if (args.flag('json')) {
    const { name, runs } = result;
    process.stdout.write(`${JSON.stringify({ sweep: name, runs, summary: summary.rows })}\n`);
  } else {
    process.stdout.write(`${summary.toString()}\n`);
    for (const { settings, seed, error } of result.failures) {
      process.stdout.write(`failed: ${JSON.stringify({ ...settings, seed })}: ${error}\n`);
    }
  }
  return result.complete ? 0 : 1;
}
