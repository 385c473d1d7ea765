import { Worker } from 'node:worker_threads';
import { afterEach, describe, expect, it } from 'vitest';
import { Stopper } from '../../src/kernel/user/stopper.ts';
import { WORD_COUNT, WORDS } from '../../src/kernel/user/wire.ts';

/** A thread that only waits, and hands back every message. */
const ECHO =
  "const { parentPort } = require('node:worker_threads'); parentPort.on('message', (m) => parentPort.postMessage(m));";

let worker: Worker | undefined;
afterEach(() => worker?.terminate());

/** A thread in which cell 1 runs. */
function start() {
  const words = new Int32Array(new SharedArrayBuffer(4 * WORD_COUNT));
  worker = new Worker(ECHO, { eval: true });
  Atomics.store(words, WORDS.running, 1);
  return { worker, words, stopper: new Stopper(worker, words) };
}

/** What the thread is told, up to the first message about `cell`. */
function told(thread: Worker, cell: number): Promise<unknown> {
  return new Promise((resolve) => {
    thread.on('message', (message: { cell: number }) => {
      if (message.cell === cell) resolve(message);
    });
  });
}

const turn = () => new Promise((resolve) => setTimeout(resolve, 1));

describe('Stopper', () => {
  it('stops a cell that began before the end of the one before was noticed', async () => {
    const { worker, words, stopper } = start();
    const first = stopper.stop(1);
    await turn();
    Atomics.store(words, WORDS.ended, 1);
    Atomics.store(words, WORDS.running, 2);
    void stopper.stop(2);
    expect(await told(worker, 2)).toEqual({ t: 'cancel', cell: 2 });
    expect(Atomics.load(words, WORDS.interrupt)).toBe(1);
    Atomics.store(words, WORDS.ended, 2);
    Atomics.store(words, WORDS.running, 0);
    await first;
    expect(Atomics.load(words, WORDS.interrupt)).toBe(0);
  });

  it('waits for native code, unless asked twice', async () => {
    const { worker, words, stopper } = start();
    Atomics.store(words, WORDS.nativeDepth, 1);
    const stopped = stopper.stop(1);
    let sent = false;
    const message = told(worker, 1).then((m) => {
      sent = true;
      return m;
    });
    for (let i = 0; i < 100; i++) await turn();
    expect(sent).toBe(false);
    await stopper.stop(1);
    expect(await message).toEqual({ t: 'cancel', cell: 1 });
    Atomics.store(words, WORDS.running, 0);
    await stopped;
  });

  it('does nothing to a cell that has ended', async () => {
    const { words, stopper } = start();
    Atomics.store(words, WORDS.ended, 1);
    Atomics.store(words, WORDS.running, 2);
    await stopper.stop(1);
    expect(Atomics.load(words, WORDS.interrupt)).toBe(0);
  });
});
