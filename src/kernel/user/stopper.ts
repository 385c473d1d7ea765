import type { Worker } from 'node:worker_threads';
import { signalChildren } from './children.ts';
import { type CallFrame, ThreadDebugger } from './thread-debugger.ts';
import { type HostToWorker, WORDS } from './wire.ts';

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/**
 * A function of Node. What it pushes after the stack of async ids was emptied (see `unwind.ts`),
 * nobody would pop, and Node would end the process for it.
 */
const PUSHES = 'pushAsyncContext';

/** How long a cell may take to end by itself once the flag is up, ms. */
const GRACE = 20;
/** The same for code that has asked for the flag within this time: it will ask again. */
const COOPERATIVE_GRACE = 400;
/** The longest that such code is given where it gets little of a busy machine, ms. */
const LONGEST_GRACE = 3000;
/** How long to look for JavaScript of the cell before taking it for one that waits, ms. */
const WATCH = 40;
/** How long to wait for a function of a library to return, ms. */
const RETURN = 400;
/** A function of a library that computes for this long in such waits is taken for endless, ms. */
const ENDLESS = 150;
/** A thread that computes for this long after a message without taking it is deaf, ms. */
const DEAF = 20;
/** How long to look for code of the user among what runs, ms. */
const SEARCH = 250;

/**
 * Stops the cell that runs in a worker thread, whatever it does, and keeps the thread.
 *
 * V8 must not be terminated while a native call is on the stack: Node aborts. So the debugger is
 * asked to pause, which can only happen in JavaScript; from there it steps out until a function of
 * the user is on top (a native call may have called back into a library), and only then the paused
 * code is ended. Code of a library is ended itself only when it does not return, or when the thread
 * takes no messages meanwhile. A cell that only waits is given up by a message.
 */
export class Stopper {
  readonly #worker: Worker;
  readonly #words: Int32Array;
  readonly #debugger = new ThreadDebugger();
  /** The cell that is being stopped. */
  #target: number | undefined;
  /** A later cell, to be stopped then. */
  #next: number | undefined;
  /** Resolves when the cell that is being stopped has ended. */
  #ended: Promise<void> = new Promise(() => undefined);
  #forced = false;
  /** The function of a library that did not return, and what was computed while waiting for it. */
  #stuck: { name: string; computed: number } | undefined;
  /** How often the thread computed on and took no message. */
  #deaf = 0;

  constructor(worker: Worker, words: Int32Array) {
    this.#worker = worker;
    this.#words = words;
  }

  /** Makes the first Stop as quick as later ones; after the start, so as not to slow that. */
  async warmUp(): Promise<void> {
    if (this.#target !== undefined) return;
    await this.#debugger.enable(sleep(1000));
    if (this.#target === undefined) this.#debugger.release();
  }

  /**
   * Stops `cell`. A second call for the same cell does not wait for native code. One for a later
   * cell, which may have begun before the end of this one was noticed, has its turn then.
   */
  async stop(cell: number): Promise<void> {
    if (cell === this.#target) {
      this.#forced = true;
      return;
    }
    this.#next = cell;
    if (this.#target !== undefined) return;
    try {
      while (this.#next !== undefined) {
        this.#target = this.#next;
        this.#next = undefined;
        await this.#end(this.#target);
      }
    } finally {
      this.#target = undefined;
    }
  }

  async #end(cell: number): Promise<void> {
    this.#forced = false;
    this.#stuck = undefined;
    this.#deaf = 0;
    // The thread may not have taken it up yet.
    while (!this.#runs(cell)) {
      if (Atomics.load(this.#words, WORDS.ended) >= cell) return;
      await sleep(1);
    }
    this.#ended = this.#until(cell, Number.POSITIVE_INFINITY);
    Atomics.store(this.#words, WORDS.interrupt, 1);
    Atomics.notify(this.#words, WORDS.interrupt);
    Atomics.notify(this.#words, WORDS.input);
    try {
      for (let round = 0; this.#runs(cell); round++) {
        const idle = await this.#grace(cell, round);
        if (!this.#runs(cell)) break;
        if (!idle && (await this.#terminate(cell, round))) {
          this.#post({ t: 'terminated', cell });
          await this.#until(cell, 1000);
        } else if (this.#runs(cell)) {
          const computed = cpuTime() + DEAF;
          this.#post({ t: 'cancel', cell });
          await this.#until(cell, round === 0 ? 50 : 200);
          if (cpuTime() > computed) this.#deaf++;
          // Deaf to messages and without JavaScript to pause: it may wait for a child process.
          const native = Atomics.load(this.#words, WORDS.nativeDepth) > 0 && !this.#forced;
          if (this.#runs(cell) && !native) signalChildren(round < 8 ? 'SIGINT' : 'SIGKILL');
        }
      }
    } finally {
      Atomics.store(this.#words, WORDS.interrupt, 0);
    }
  }

  /**
   * Waits out native calls, then a moment for the cell to end by itself. True when the thread did
   * nothing at all in that moment: then there is no code to end.
   */
  async #grace(cell: number, round: number): Promise<boolean> {
    const { eventLoopUtilization } = this.#worker.performance;
    const before = eventLoopUtilization();
    const [start, computed] = [performance.now(), cpuTime()];
    const sinceAsked = (Date.now() - Atomics.load(this.#words, WORDS.lastAsked)) | 0;
    const asks = sinceAsked >= 0 && sinceAsked < LONGEST_GRACE && round === 0;
    let end = start + (asks ? COOPERATIVE_GRACE : GRACE);
    while (this.#runs(cell) && !this.#forced) {
      const now = performance.now();
      if (Atomics.load(this.#words, WORDS.nativeDepth) > 0) end = Math.max(end, now + GRACE);
      if (now >= end) {
        const isStarved = asks && cpuTime() < computed + COOPERATIVE_GRACE;
        const works = eventLoopUtilization(before).active > 0.5 * (now - start);
        if (!isStarved || !works || now > start + LONGEST_GRACE) break;
      }
      await sleep(1);
    }
    return eventLoopUtilization(before).active < 0.01;
  }

  /** True when JavaScript of the cell was found and ended. */
  async #terminate(cell: number, round: number): Promise<boolean> {
    const deadline = performance.now() + WATCH * Math.min(round + 1, 5);
    // Unanswered while the thread is in native code; then there is nothing to pause either.
    await this.#debugger.enable(this.#limit(deadline + 300));
    try {
      let frames = await this.#debugger.pause(this.#limit(deadline));
      const end = performance.now() + SEARCH;
      while (frames !== undefined && this.#runs(cell)) {
        const isLast = performance.now() > end;
        if (this.#mayEnd(frames[0], isLast)) {
          await this.#debugger.terminate(this.#limit(end + 2000));
          return true;
        }
        if (isLast) break;
        frames = await this.#stepOut(functionOf(frames[0]));
      }
      return false;
    } finally {
      this.#debugger.release();
    }
  }

  /** Whether the thread, paused with `top` on top, can be ended there. */
  #mayEnd(top: CallFrame | undefined, isLast: boolean): boolean {
    if (Atomics.load(this.#words, WORDS.critical) > 0) return false;
    if (Atomics.load(this.#words, WORDS.nativeDepth) > 0 && !this.#forced) return false;
    if (this.#isUserCode(top)) return true;
    if (top?.functionName === PUSHES) return false;
    const { name, computed } = this.#stuck ?? { computed: 0 };
    if (computed > ENDLESS && functionOf(top) === name) return true;
    return isLast && (this.#deaf >= 2 || this.#forced);
  }

  #isUserCode(frame: CallFrame | undefined): boolean {
    const url = frame === undefined ? '' : this.#debugger.urlOf(frame);
    return url.startsWith('Cell [') || (url.startsWith('file:') && /\.[cm]?tsx?$/.test(url));
  }

  /** Waits until the function returns to its caller; undefined when it does not. */
  async #stepOut(name: string): Promise<CallFrame[] | undefined> {
    const before = cpuTime();
    const frames = await this.#debugger.stepOut(this.#limit(performance.now() + RETURN));
    if (frames !== undefined) return frames;
    const earlier = this.#stuck?.name === name ? this.#stuck.computed : 0;
    this.#stuck = { name, computed: earlier + cpuTime() - before };
    return undefined;
  }

  /** Resolves at `deadline`, or as soon as the cell has ended. */
  #limit(deadline: number): Promise<void> {
    return Promise.race([sleep(Math.max(deadline - performance.now(), 5)), this.#ended]);
  }

  async #until(cell: number, ms: number): Promise<void> {
    const end = performance.now() + ms;
    while (this.#runs(cell) && performance.now() < end) await sleep(1);
  }

  #runs(cell: number): boolean {
    return Atomics.load(this.#words, WORDS.running) === cell;
  }

  #post(message: HostToWorker): void {
    this.#worker.postMessage(message);
  }
}

/** A function by its place; the same for all its calls. */
function functionOf(frame: CallFrame | undefined): string {
  const { location, functionLocation: at } = frame ?? {};
  return `${location?.scriptId}:${at?.lineNumber}:${at?.columnNumber}`;
}

/** What this process has computed so far, ms: on a busy machine, time alone says nothing. */
function cpuTime(): number {
  return process.cpuUsage().user / 1000;
}
