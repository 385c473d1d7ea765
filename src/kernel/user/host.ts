import { totalmem } from 'node:os';
import { Worker } from 'node:worker_threads';
import { programFile } from '../program.ts';
import { Stopper } from './stopper.ts';
import {
  type HostToWorker,
  INPUT_BYTES,
  type ToHost,
  WORD_COUNT,
  WORDS,
  type WorkerData,
  type WorkerToHost,
} from './wire.ts';

/**
 * The main thread of the user process: it owns the thread that runs the cells and never runs any
 * code of the user, so that it can always stop it.
 */
const shared = new SharedArrayBuffer(4 * WORD_COUNT);
const input = new SharedArrayBuffer(INPUT_BYTES);
const words = new Int32Array(shared);

// Jupyter signals the whole process group; the protocol process decides what a signal means.
process.on('SIGINT', () => undefined);
// Without the protocol process there is nobody to run for. Not `exit`: that joins native code.
process.on('disconnect', () => process.kill(process.pid, 'SIGKILL'));

const worker = new Worker(programFile('./worker', import.meta.url), {
  workerData: { words: shared, input } satisfies WorkerData,
  // Never used: they keep Node from opening this process's stdout, which must stay blocking.
  stdout: true,
  stderr: true,
  resourceLimits: { maxOldGenerationSizeMb: Math.floor((0.75 * totalmem()) / 2 ** 20) },
});
const stopper = new Stopper(worker, words);

worker.on('message', (message: WorkerToHost) => {
  if (message.t === 'ready') setTimeout(() => void stopper.warmUp(), 300).unref();
  else {
    try {
      process.chdir(message.path);
    } catch (error) {
      Atomics.store(words, WORDS.input, -1);
      Buffer.from(input).write(`${(error as Error).message}\u0000`);
      Atomics.notify(words, WORDS.input);
      return;
    }
    Atomics.store(words, WORDS.input, 1);
    Atomics.notify(words, WORDS.input);
  }
});
worker.on('error', (error) => {
  const why = (error as NodeJS.ErrnoException).code ?? error.message;
  process.send?.({ t: 'died', why }, () => process.kill(process.pid, 'SIGKILL'));
});
worker.on('exit', (code) => {
  const why = `the thread of the cells ended with code ${code}`;
  process.send?.({ t: 'died', why }, () => process.kill(process.pid, 'SIGKILL'));
});

process.on('message', (message: ToHost) => {
  if (message.t === 'interrupt') void stopper.stop(message.cell);
  else answer(message);
});

/** Hands a reply to the thread, which may be waiting for it synchronously. */
function answer(message: Extract<ToHost, { t: 'input' }>): void {
  if (message.id !== Atomics.load(words, WORDS.question)) {
    worker.postMessage(message satisfies HostToWorker);
    return;
  }
  const bytes = Buffer.from(message.value).subarray(0, INPUT_BYTES);
  new Uint8Array(input).set(bytes);
  Atomics.store(words, WORDS.input, bytes.length + 1);
  Atomics.notify(words, WORDS.input);
}
