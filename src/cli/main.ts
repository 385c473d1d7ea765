#!/usr/bin/env node
import { ConfigError, GibbsError, InterruptedError, unknownName } from '../core/errors.ts';
import { gibbsVersion } from '../core/versions.ts';
import { type Command, helpOf, parseCommandLine, table } from './command.ts';
import { refuseJob, spokenFor } from './ranks.ts';

interface Entry {
  readonly summary: string;
  /** Loaded only when the command is asked for: the engine takes its time. */
  readonly load: () => Promise<Command>;
}

const COMMANDS: Record<string, Entry> = {
  run: {
    summary: 'train an experiment, or reuse its result',
    load: async () => (await import('./commands/run.ts')).runCommand,
  },
  train: {
    summary: "the same as 'run'",
    load: async () => (await import('./commands/run.ts')).runCommand,
  },
  sweep: {
    summary: 'train a grid of settings and seeds, here or on a cluster',
    load: async () => (await import('./commands/sweep.ts')).sweepCommand,
  },
  runs: {
    summary: 'list, compare, move and check the runs that are kept',
    load: async () => (await import('./commands/runs.ts')).runsCommand,
  },
  view: {
    summary: 'show the runs in the browser, also while they train',
    load: async () => (await import('./commands/view.ts')).viewCommand,
  },
  figure: {
    summary: 'draw a figure of the paper, training what is missing',
    load: async () => (await import('./commands/figure.ts')).figureCommand,
  },
  evaluate: {
    summary: 'measure generated images against real ones',
    load: async () => (await import('./commands/evaluate.ts')).evaluateCommand,
  },
  ood: {
    summary: 'tell other images from CIFAR-10 by the energy of a run',
    load: async () => (await import('./commands/ood.ts')).oodCommand,
  },
  export: {
    summary: 'take the networks of a run out, as safetensors or ONNX',
    load: async () => (await import('./commands/export.ts')).exportCommand,
  },
  import: {
    summary: 'take the weights out of a PyTorch checkpoint',
    load: async () => (await import('./commands/import.ts')).importCommand,
  },
  data: {
    summary: 'show which data sets are here, and fetch them',
    load: async () => (await import('./commands/data.ts')).dataCommand,
  },
  kernel: {
    summary: 'make the TypeScript kernel known to Jupyter and VS Code',
    load: async () => (await import('./commands/kernel.ts')).kernelCommand,
  },
  notebook: {
    summary: 'run, clean or check notebook files, without Jupyter',
    load: async () => (await import('./commands/notebook.ts')).notebookCommand,
  },
  doctor: {
    summary: 'show what this machine offers: engine, backends, data, Jupyter',
    load: async () => (await import('./commands/doctor.ts')).doctorCommand,
  },
};

function overview(): string {
  return [
    'Usage: gibbs COMMAND [options]',
    '',
    'Energy-based generative models: experiments, figures, notebooks.',
    '',
    'Commands:',
    ...table(Object.entries(COMMANDS).map(([name, { summary }]) => [`  ${name}`, summary])),
    '',
    "Options:\n  -h, --help     show this help, or that of a command: 'gibbs run --help'",
    '  -V, --version  show the version',
    '',
  ].join('\n');
}

/** Runs one command line (without `node` and the script). @returns the exit code. */
async function main(argv: readonly string[]): Promise<number> {
  const [name, ...rest] = argv;
  if (name === undefined) throw new ConfigError("no command given; see 'gibbs --help'");
  if (name === '--version' || name === '-V') return print(`${gibbsVersion()}\n`);
  const asksHelp = name === '--help' || name === '-h' || name === 'help';
  if (asksHelp && rest.length === 0) return print(overview());
  const wanted = asksHelp ? rest[0] : name;
  const entry = Object.hasOwn(COMMANDS, wanted) ? COMMANDS[wanted] : undefined;
  if (!entry) {
    const kind = wanted.startsWith('-') ? 'option' : 'command';
    const known = kind === 'option' ? ['--help', '--version'] : Object.keys(COMMANDS);
    throw unknownName(kind, wanted, known);
  }
  const command = await entry.load();
  if (asksHelp) return print(helpOf(command));
  const args = parseCommandLine(command, rest);
  if (args.flag('help')) return print(helpOf(command));
  if (!command.parallel) refuseJob(name);
  const device = args.text('device');
  if (device !== undefined) await chooseDevice(device, args.text('on') === 'slurm');
  const precision = args.text('precision');
  if (precision !== undefined) await choosePrecision(precision, args.text('on') === 'slurm');
  return command.run(args);
}

/** For this process and those that it starts. @throws as `device` of the engine. */
async function chooseDevice(name: string, onOtherMachines: boolean): Promise<void> {
  const { DEVICES, device } = await import('../jit/index.ts');
  const wanted = DEVICES.find((known) => known === name);
  if (wanted === undefined) throw unknownName('device', name, DEVICES);
  // Where jobs run elsewhere, this machine need not have the device.
  process.env['GIBBS_DEVICE'] = onOtherMachines ? wanted : device(wanted);
}

/** As `chooseDevice`. @throws ConfigError for an unknown name, and where the executor lacks it. */
async function choosePrecision(name: string, onOtherMachines: boolean): Promise<void> {
  const { defaultExecutor, PRECISIONS, precisionFor } = await import('../jit/index.ts');
  const wanted = PRECISIONS.find((known) => known === name);
  if (wanted === undefined) throw unknownName('precision', name, PRECISIONS);
  if (!onOtherMachines) precisionFor(defaultExecutor(), wanted);
  process.env['GIBBS_PRECISION'] = wanted;
}

function print(text: string): number {
  process.stdout.write(text);
  return 0;
}

function exitCodeOf(error: unknown): number {
  if (error instanceof InterruptedError) return 130;
  return error instanceof ConfigError ? 2 : 1;
}

async function report(error: unknown): Promise<void> {
  const { silent, prefix } = await spokenFor(error);
  if (silent) return;
  const text =
    error instanceof GibbsError ? error.message : `internal error: ${(error as Error)?.message}`;
  process.stderr.write(`gibbs: ${prefix}${text.replaceAll(/\s*\n\s*/g, ' ')}\n`);
  if (process.env['GIBBS_DEBUG'] && error instanceof Error) {
    process.stderr.write(`${error.stack}\n`);
  } else if (!(error instanceof GibbsError)) {
    process.stderr.write('gibbs: set GIBBS_DEBUG=1 to see where\n');
  }
}

// A reader that has seen enough (`gibbs … | head`) is no error; a lost terminal does not stop work.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0);
  throw error;
});
process.stderr.on('error', () => {});

main(process.argv.slice(2))
  .catch(async (error: unknown) => {
    await report(error);
    return exitCodeOf(error);
  })
  .then((code) => {
    process.exitCode = code;
    if (process.connected) process.disconnect();
  });
