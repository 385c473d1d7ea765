import { readdirSync, readFileSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { ConfigError, unknownName } from '../../core/errors.ts';
import { writeFileAtomic } from '../../core/files.ts';
import { makeFolder } from '../../core/folders.ts';
import {
  CellError,
  checkNotebook,
  formatNotebook,
  type KernelStarter,
  normaliseNotebook,
  notebookRoot,
  parseSettings,
  type RunEvent,
  readNotebook,
  runNotebook,
  startKernel,
} from '../../notebook/index.ts';
import { type Arguments, type Command, DEVICE_OPTION, PRECISION_OPTION } from '../command.ts';
import { withInterrupts } from '../interrupts.ts';

/** Where the command writes, and what it starts; replaced in tests. */
export interface NotebookContext {
  readonly stdout: { write(text: string): unknown };
  readonly stderr: { write(text: string): unknown; readonly isTTY?: boolean };
  readonly startKernel: KernelStarter;
}

const VERBS = ['run', 'clean', 'check'] as const;
const RUN_OPTIONS = ['set', 'out', 'timeout', 'quiet'] as const;

export const notebookCommand: Command = {
  usage: 'notebook (run | clean | check) FILE...',
  summary: 'Runs, cleans or checks notebook files, without Jupyter.',
  details: [
    'run    runs every cell in a fresh kernel and writes the outputs into the file, in normal form.',
    '       Stops at the first error and then leaves the file as it was.',
    'clean  brings files into the normal form in which they are committed: ids from content, no',
    '       execution counts, timings, paths of this machine or progress bars.',
    'check  fails for files that are stale (cells, source files, data or package-lock.json have',
    '       changed since their last run), not in normal form, over 500 kB, or that show an error.',
    '',
    'A folder stands for the notebooks in it. The options belong to run. Exit status: 0 all well,',
    '1 a cell or a check failed, 2 wrong arguments, 130 stopped.',
    '',
    'Examples:',
    '  gibbs notebook run notebooks/fig1-toy-density.ipynb',
    '  gibbs notebook run notebooks --set preset=smoke --out /tmp/smoke',
    '  gibbs notebook check notebooks',
  ].join('\n'),
  positionals: ['run | clean | check', 'FILE...'],
  options: {
    set: {
      type: 'string',
      multiple: true,
      value: 'NAME=VALUE',
      help: "give a name of the cell tagged 'parameters' another value (JSON or text); needs --out",
    },
    out: { type: 'string', value: 'PATH', help: 'write there; a folder for several notebooks' },
    timeout: { type: 'string', value: 'SECONDS', help: 'longest time for one cell' },
    device: DEVICE_OPTION,
    precision: PRECISION_OPTION,
    quiet: { type: 'boolean', help: 'do not tell of cells and their text on stderr' },
  },
  run: (args) =>
    withInterrupts((signal) =>
      runNotebookCommand(
        args,
        { stdout: process.stdout, stderr: process.stderr, startKernel },
        signal,
      ),
    ),
};

/** @returns the exit code. @throws GibbsError for what the user can mend. */
export async function runNotebookCommand(
  args: Arguments,
  context: NotebookContext,
  signal?: AbortSignal,
): Promise<number> {
  const [verb, ...files] = args.positionals;
  if (!VERBS.some((known) => known === verb)) throw unknownName('notebook command', verb, VERBS);
  const misplaced = RUN_OPTIONS.find((name) => args.flag(name) || args.texts(name).length > 0);
  if (verb !== 'run' && misplaced !== undefined) {
    throw new ConfigError(`--${misplaced} belongs to 'gibbs notebook run', not to '${verb}'`);
  }
  const notebooks = expand(files);
  if (verb === 'clean') return clean(notebooks, context);
  if (verb === 'check') return check(notebooks, context);
  return run(notebooks, args, context, signal);
}

function expand(files: readonly string[]): string[] {
  return files.flatMap((file) => {
    if (!statSync(file, { throwIfNoEntry: false })?.isDirectory()) return [file];
    const inside = readdirSync(file).filter((name) => name.endsWith('.ipynb'));
    if (inside.length === 0) throw new ConfigError(`${file} holds no .ipynb file`);
    return inside.sort().map((name) => join(file, name));
  });
}

function clean(notebooks: readonly string[], { stdout }: NotebookContext): number {
  for (const path of notebooks) {
    const normal = formatNotebook(normaliseNotebook(readNotebook(path), notebookRoot(path)));
    const changed = readFileSync(path, 'utf8') !== normal;
    if (changed) writeFileAtomic(path, normal);
    stdout.write(`${path}: ${changed ? 'cleaned' : 'already clean'}\n`);
  }
  return 0;
}

function check(notebooks: readonly string[], { stdout }: NotebookContext): number {
  let failed = 0;
  for (const path of notebooks) {
    const problems = checkNotebook(path);
    if (problems.length > 0) failed++;
    else stdout.write(`${path}: fresh and in normal form\n`);
    for (const { kind, message } of problems) stdout.write(`${path}: ${kind}: ${message}\n`);
  }
  return failed > 0 ? 1 : 0;
}

async function run(
  notebooks: readonly string[],
  args: Arguments,
  context: NotebookContext,
  signal: AbortSignal | undefined,
): Promise<number> {
  const set = parseSettings(args.texts('set'));
  const timeoutMs = milliseconds(args.text('timeout'));
  const out = args.text('out');
  const quiet = args.flag('quiet');
  if (out !== undefined && notebooks.length > 1) makeFolder(out);
  for (const path of notebooks) {
    if (!quiet) context.stderr.write(`${path}\n`);
    try {
      await runNotebook(path, {
        startKernel: context.startKernel,
        set,
        onEvent: quiet ? () => {} : tell(context),
        ...(out !== undefined && { out: target(out, path) }),
        ...(timeoutMs !== undefined && { timeoutMs }),
        ...(signal && { signal }),
      });
    } catch (error) {
      // Its parts need lines of their own, which the ordinary report of an error does not give.
      if (!(error instanceof CellError)) throw error;
      context.stderr.write(failure(error));
      return 1;
    }
  }
  return 0;
}

/** Inside `out` when that is a folder. */
function target(out: string, path: string): string {
  const folder = statSync(out, { throwIfNoEntry: false })?.isDirectory();
  return folder ? join(out, basename(path)) : out;
}

function milliseconds(seconds: string | undefined): number | undefined {
  if (seconds === undefined) return undefined;
  const value = Number(seconds);
  if (seconds.trim() !== '' && value > 0 && Number.isFinite(value)) return value * 1000;
  throw new ConfigError(`gibbs notebook run --timeout: expected seconds above 0, got '${seconds}'`);
}

/** Where nothing can be drawn over, a progress bar is a line now and then. */
const PROGRESS_INTERVAL_MS = 10_000;

function tell({ stderr }: NotebookContext): (event: RunEvent) => void {
  /** What must come before the next line: the end of a line of text, or of a bar. */
  let open = '';
  let drawn = Number.NEGATIVE_INFINITY;
  return (event) => {
    switch (event.kind) {
      case 'cell':
        stderr.write(`[${event.cell}/${event.cells}] ${event.id}\n`);
        return;
      case 'text':
        stderr.write(`${open === BAR ? BAR : ''}${event.text}`);
        open = event.text.endsWith('\n') ? '' : '\n';
        return;
      case 'progress':
        if (stderr.isTTY) {
          stderr.write(`${open === BAR ? BAR : open}${event.text}`);
          open = BAR;
        } else if (performance.now() - drawn > PROGRESS_INTERVAL_MS) {
          stderr.write(`${open}${event.text}\n`);
          open = '';
          drawn = performance.now();
        }
        return;
      case 'done':
        stderr.write(`${open}[${event.cell}] done in ${event.seconds.toFixed(1)} s\n`);
        open = '';
    }
  };
}

/** Back to the start of the line, and clears it. */
const BAR = '\r\u001b[K';

/** The cell, numbered, and the error below it. */
function failure(error: CellError): string {
  const lines = error.source.split('\n');
  const width = String(lines.length).length;
  const shown = lines.map((line, i) => `  ${String(i + 1).padStart(width)} | ${line}`).join('\n');
  const traceback = error.traceback.length > 0 ? `\n${error.traceback.join('\n')}\n` : '';
  return `${error.message}\n\n${shown}\n${traceback}`;
}
