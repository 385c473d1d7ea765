import { Session } from 'node:inspector';

export interface CallFrame {
  readonly functionName: string;
  readonly location: { readonly scriptId: string };
  readonly functionLocation?: { readonly lineNumber: number; readonly columnNumber?: number };
}

interface InspectorMessage {
  readonly id?: number;
  readonly method?: string;
  readonly params?: { scriptId?: string; url?: string; callFrames?: CallFrame[] };
}

/** Called in the paused thread before it is unwound; see `unwind.ts`. */
const UNWIND = "globalThis[Symbol.for('gibbs.kernel.unwind')]()";

/**
 * The debugger of this process's only worker thread. Nothing is answered while that thread is in
 * native code, so every wait takes a `limit`: a promise at which it is given up.
 */
export class ThreadDebugger {
  readonly #inspector = new Session();
  readonly #urls = new Map<string, string>();
  readonly #pending = new Map<number, () => void>();
  #session: string | undefined;
  #nextId = 0;
  /** Where the thread is paused; undefined while it runs. */
  #paused: CallFrame[] | undefined;
  #onPaused: ((frames: CallFrame[]) => void) | undefined;
  /** Requests to end pausing that the thread has not taken yet; until then no pause lasts. */
  #releasing = 0;

  constructor() {
    this.#inspector.connect();
    this.#inspector.on('NodeWorker.attachedToWorker', (event) => {
      this.#session ??= event.params.sessionId;
    });
    this.#inspector.on('NodeWorker.receivedMessageFromWorker', (event) => {
      this.#receive(JSON.parse(event.params.message) as InspectorMessage);
    });
  }

  /** Makes pauses possible, once the thread has answered. */
  async enable(limit: Promise<void>): Promise<void> {
    if (this.#session === undefined) {
      this.#inspector.post('NodeWorker.enable', { waitForDebuggerOnStart: false });
    }
    await this.#ask('Debugger.enable', {}, limit);
  }

  /** Pauses the thread; the frames at which it came, or undefined when no JavaScript ran. */
  async pause(limit: Promise<void>): Promise<CallFrame[] | undefined> {
    // An earlier request, given up meanwhile, may have come into effect only now.
    return this.#paused ?? this.#pauseAfter('Debugger.pause', limit);
  }

  /** Waits until the function returns to its caller; undefined when it does not. */
  async stepOut(limit: Promise<void>): Promise<CallFrame[] | undefined> {
    return this.#pauseAfter('Debugger.stepOut', limit);
  }

  /** Ends the code at which the thread is paused. */
  async terminate(limit: Promise<void>): Promise<void> {
    // Answered in order, so that one wait is enough for both.
    this.#send('Runtime.evaluate', { expression: UNWIND });
    await this.#ask('Debugger.resume', { terminateOnResume: true }, limit);
  }

  /** Lets the thread run on, and pauses it no more. */
  release(): void {
    this.#paused = undefined;
    this.#releasing++;
    this.#send('Debugger.disable', {}, () => {
      this.#releasing--;
    });
  }

  /** The file or cell that the code of `frame` is from; empty when unknown. */
  urlOf(frame: CallFrame): string {
    return this.#urls.get(frame.location.scriptId) ?? '';
  }

  async #pauseAfter(method: string, limit: Promise<void>): Promise<CallFrame[] | undefined> {
    const paused = new Promise<CallFrame[]>((resolve) => {
      this.#onPaused = resolve;
    });
    this.#send(method, {});
    return (await Promise.race([paused, limit])) ?? undefined;
  }

  async #ask(method: string, params: object, limit: Promise<void>): Promise<void> {
    const answered = new Promise<void>((resolve) => this.#send(method, params, resolve));
    await Promise.race([answered, limit]);
  }

  #send(method: string, params: object, onReply?: () => void): void {
    const id = ++this.#nextId;
    // Before it is sent: the answer may come while it is.
    if (onReply !== undefined) this.#pending.set(id, onReply);
    this.#inspector.post('NodeWorker.sendMessageToWorker', {
      sessionId: this.#session ?? '',
      message: JSON.stringify({ id, method, params }),
    });
  }

  #receive(message: InspectorMessage): void {
    if (message.id !== undefined) {
      this.#pending.get(message.id)?.();
      this.#pending.delete(message.id);
    } else if (message.method === 'Debugger.scriptParsed') {
      this.#urls.set(message.params?.scriptId ?? '', message.params?.url ?? '');
    } else if (message.method === 'Debugger.resumed') {
      this.#paused = undefined;
    } else if (message.method === 'Debugger.paused' && this.#releasing === 0) {
      this.#paused = message.params?.callFrames ?? [];
      this.#onPaused?.(this.#paused);
    }
  }
}
