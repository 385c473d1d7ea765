import { parentPort } from 'node:worker_threads';
import { GibbsError } from '../../core/errors.ts';
import { WORDS, type WorkerToHost } from './wire.ts';

/** `process.exit()` in a cell: the cell ends, the notebook does not. */
export class ExitError extends GibbsError {
  readonly exitCode: number;

  constructor(exitCode: number) {
    super(
      'exit',
      `process.exit(${exitCode}) ended this cell only: the kernel and its variables live on. ` +
        'To end the kernel, shut it down in the notebook.',
    );
    this.exitCode = exitCode;
  }
}

/**
 * Makes `process` safe and complete for cells: `exit` throws, and `chdir`, which Node forbids
 * outside the main thread, is done by the main thread.
 */
export function guardProcess(words: Int32Array, reply: Uint8Array): void {
  const exit = (code?: number | string | null): never => {
    throw new ExitError(Number(code ?? process.exitCode ?? 0));
  };
  // Child processes and threads of the user start without the flags of this one.
  process.execArgv = [];
  // The notebook is the program, not the file that this thread started from.
  process.mainModule = undefined;
  process.exit = exit;
  (process as unknown as { reallyExit: unknown }).reallyExit = exit;
  process.abort = () => {
    throw new ExitError(134);
  };
  process.chdir = (directory: string) => {
    Atomics.store(words, WORDS.input, 0);
    parentPort?.postMessage({ t: 'chdir', path: directory } satisfies WorkerToHost);
    Atomics.wait(words, WORDS.input, 0, 5000);
    if (Atomics.load(words, WORDS.input) >= 0) return;
    const text = Buffer.from(reply.slice(0, 4096)).toString();
    throw new Error(text.slice(0, text.indexOf('\u0000')));
  };
}
