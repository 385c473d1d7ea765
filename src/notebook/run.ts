import { dirname, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { ConfigError, InterruptedError, StoreError } from '../core/errors.ts';
import { writeFileAtomic } from '../core/files.ts';
import { unbuiltSource } from './built.ts';
import { OutputCollector, type OutputMessage } from './collector.ts';
import { type CodeCell, isObject, type Notebook } from './document.ts';
import { CellError } from './errors.ts';
import { formatNotebook } from './format.ts';
import { freshnessOf, notebookRoot, notebookSources, withFreshness } from './freshness.ts';
import type { ExecuteReply, KernelClient, KernelStarter } from './kernel-client.ts';
import { normaliseNotebook } from './normalise.ts';
import { isProgress } from './outputs.ts';
import { injectParameters, type Parameters } from './parameters.ts';
import { readNotebook } from './read.ts';

/** What a run tells while it goes on. `cell` counts code cells from 1. */
export type RunEvent =
  | { readonly kind: 'cell'; readonly cell: number; readonly cells: number; readonly id: string }
  | { readonly kind: 'text'; readonly name: 'stdout' | 'stderr'; readonly text: string }
  /** A progress bar of the cell, drawn anew. */
  | { readonly kind: 'progress'; readonly text: string }
  | { readonly kind: 'done'; readonly cell: number; readonly seconds: number };

export interface RunOptions {
  readonly startKernel: KernelStarter;
  /** Other values for the names of the `parameters` cell. Needs `out`. */
  readonly set?: Parameters;
  /** Where the result goes; the notebook itself by default. */
  readonly out?: string;
  /** Longest time for one cell, in milliseconds; none by default. */
  readonly timeoutMs?: number;
  readonly onEvent?: (event: RunEvent) => void;
  /** Stops the running cell and ends the run with an InterruptedError. */
  readonly signal?: AbortSignal;
}

/** Time for a cell to stop by itself after an interrupt. */
const GRACE_MS = 10_000;

/**
 * Runs every code cell of the notebook at `path` in a fresh kernel, in its folder, and writes it with
 * the outputs in normal form and with the hash that `check` compares. Stops at the first error: `out`
 * then holds the outputs up to it, and the notebook itself is left as it was.
 * @returns the notebook as written.
 * @throws CellError for a failed or overdue cell, ConfigError for wrong parameters, DataError for a
 * file that is no notebook, StoreError when the kernel dies or a file cannot be written.
 */
export async function runNotebook(path: string, options: RunOptions): Promise<Notebook> {
  const { set, out, onEvent = () => {} } = options;
  const original = readNotebook(path);
  const parametrised = set !== undefined && Object.keys(set).length > 0;
  if (parametrised && (out === undefined || resolve(out) === resolve(path))) {
    throw new ConfigError(
      'notebook run --set: also say where the result goes, --out FILE; ' +
        'the notebook itself keeps the outputs of its own parameters',
    );
  }
  const notebook = parametrised ? injectParameters(original, set, path) : original;
  const unbuilt = unbuiltSource(notebookSources(notebook, path), notebookRoot(path));
  if (unbuilt !== undefined) {
    throw new StoreError(
      `notebook run: ${unbuilt} has changed since the build; run \`npm run build\``,
    );
  }
  // Before the run: a source file saved while it goes on was not what the cells loaded.
  const fresh = parametrised ? undefined : freshnessOf(normal(notebook, path), path);
  const kernel = await options.startKernel(dirname(resolve(path)));
  const collector = new OutputCollector(notebook.cells.length);
  const result = () => withOutputs(notebook, collector, kernel);
  try {
    await runCells(notebook, path, kernel, collector, onEvent, options);
  } catch (error) {
    if (out !== undefined) writeFileAtomic(out, formatNotebook(result()));
    throw error;
  } finally {
    await kernel.shutdown();
  }
  const done = fresh ? withFreshness(normal(result(), path), fresh) : result();
  writeFileAtomic(out ?? path, formatNotebook(done));
  return done;
}

function normal(notebook: Notebook, path: string): Notebook {
  return normaliseNotebook(notebook, notebookRoot(path));
}

function withOutputs(
  notebook: Notebook,
  collector: OutputCollector,
  kernel: KernelClient,
): Notebook {
  const language = kernel.languageInfo;
  return {
    metadata: {
      kernelspec: { display_name: 'TypeScript (Gibbs)', language: 'typescript', name: 'gibbs' },
      ...notebook.metadata,
      ...(Object.keys(language).length > 0 && { language_info: language }),
    },
    cells: notebook.cells.map((cell, i) =>
      cell.cell_type === 'code'
        ? { ...cell, execution_count: null, outputs: collector.outputs(i) }
        : cell,
    ),
  };
}

async function runCells(
  notebook: Notebook,
  path: string,
  kernel: KernelClient,
  collector: OutputCollector,
  onEvent: (event: RunEvent) => void,
  options: RunOptions,
): Promise<void> {
  const code = [...notebook.cells.entries()].filter(
    (entry): entry is [number, CodeCell] => entry[1].cell_type === 'code' && entry[1].source !== '',
  );
  for (const [n, [index, cell]] of code.entries()) {
    if (options.signal?.aborted) throw new InterruptedError();
    onEvent({ kind: 'cell', cell: n + 1, cells: code.length, id: cell.id });
    const started = performance.now();
    const running = kernel.execute(cell.source, cell.id, (message) => {
      collector.accept(index, message);
      const event = eventOf(message);
      if (event) onEvent(event);
    });
    const reply = await supervised(running, kernel, options);
    const where = { path, cell: index + 1, id: cell.id, source: cell.source };
    if (reply === 'overdue') {
      const seconds = (options.timeoutMs ?? 0) / 1000;
      throw new CellError(where, `took longer than ${seconds} s and was stopped`);
    }
    if (reply.status === 'error') {
      throw new CellError(where, `${reply.ename}: ${reply.evalue}`, reply.traceback);
    }
    if (reply.status === 'aborted') throw new CellError(where, 'the kernel did not run it');
    onEvent({ kind: 'done', cell: n + 1, seconds: (performance.now() - started) / 1000 });
  }
}

function eventOf({ type, content }: OutputMessage): RunEvent | undefined {
  const { name, text, data, metadata } = content;
  if (type === 'stream' && typeof text === 'string') {
    return { kind: 'text', name: name === 'stderr' ? 'stderr' : 'stdout', text };
  }
  if (!isObject(data) || !isObject(metadata) || !isProgress(metadata)) return undefined;
  return { kind: 'progress', text: String(data['text/plain'] ?? '') };
}

/** Waits for a cell; interrupts it when its time is up or the run is stopped. */
async function supervised(
  running: Promise<ExecuteReply>,
  kernel: KernelClient,
  { timeoutMs, signal }: RunOptions,
): Promise<ExecuteReply | 'overdue'> {
  const timer = new AbortController();
  const never = new Promise<never>(() => {});
  const overdue =
    timeoutMs === undefined
      ? never
      : delay(timeoutMs, 'overdue' as const, { signal: timer.signal }).catch(() => never);
  const stopped = new Promise<'stopped'>((resolve) => {
    signal?.addEventListener('abort', () => resolve('stopped'), { signal: timer.signal });
  });
  try {
    const first = await Promise.race([running, overdue, stopped]);
    if (first !== 'overdue' && first !== 'stopped') return first;
    await kernel.interrupt();
    await Promise.race([running, delay(GRACE_MS, undefined, { signal: timer.signal, ref: false })]);
    if (first === 'stopped') throw new InterruptedError();
    return first;
  } finally {
    timer.abort();
  }
}
