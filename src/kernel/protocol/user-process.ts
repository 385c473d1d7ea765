import { type ChildProcess, spawn } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';
import { programFile } from '../program.ts';
import { encodeFrame, FrameReader } from '../user/frames.ts';
import { type FromUser, REQUEST_FD, type ToHost, type ToWorker } from '../user/wire.ts';
import { paced } from './paced.ts';
import { RawOutput } from './raw-output.ts';

export interface UserProcessHandlers {
  onFrame(message: FromUser, buffers: Buffer): void;
  /** Text that native code or child processes wrote to stdout (1) or stderr (2). */
  onRaw(stream: 1 | 2, text: string): void;
  /** The process is gone without having been asked. */
  onDeath(reason: string): void;
}

/** Starts a process for the user's code in the working folder. */
export function spawnUser(): ChildProcess {
  const host = programFile('../user/host', import.meta.url);
  const flags = [
    // Local files are modules of our own, so that they can be read again.
    '--experimental-vm-modules',
    '--expose-internals',
    '--disable-warning=ExperimentalWarning',
  ];
  return spawn(process.execPath, [...process.execArgv, ...flags, host], {
    // Cells change variables that a compiled function captured: its second call checks.
    env: { GIBBS_CHECKED: '2', ...process.env },
    stdio: ['ignore', 'pipe', 'pipe', 'pipe', 'ipc', 'pipe'],
  });
}

/** The process in which the user's code runs. */
export class UserProcess {
  readonly #child: ChildProcess;
  readonly #requests: Writable;
  readonly #raw: readonly RawOutput[];
  readonly #ready: Promise<void>;
  #started = false;
  #closing = false;
  #why: string | undefined;

  constructor(child: ChildProcess, handlers: UserProcessHandlers) {
    this.#child = child;
    const streams: readonly unknown[] = this.#child.stdio;
    const [, stdout, stderr, frames] = streams as Readable[];
    this.#requests = streams[REQUEST_FD] as Writable;
    // Of a process that is gone; `close` says so.
    this.#requests.on('error', () => undefined);
    this.#raw = [
      new RawOutput(stdout, (text) => handlers.onRaw(1, text)),
      new RawOutput(stderr, (text) => handlers.onRaw(2, text)),
    ];
    let ready: () => void = () => undefined;
    this.#ready = new Promise((resolve) => {
      ready = resolve;
    });
    const reader = new FrameReader<FromUser>((message, rest) => {
      if (message.t === 'ready') {
        this.#started = true;
        ready();
      } else handlers.onFrame(message, rest);
    });
    paced(frames, (chunk) => reader.push(chunk));
    this.#child.on('message', (message: { t: string; why: string }) => {
      if (message.t === 'died') this.#why = message.why;
    });
    this.#child.on('error', (error) => {
      this.#why = error.message;
    });
    // `close` comes after the last frame has been read, `exit` may come before.
    this.#child.on('close', (code, signal) => {
      ready();
      const reason = this.#why ?? (signal === null ? `exit code ${code}` : `signal ${signal}`);
      if (!this.#closing) handlers.onDeath(reason);
    });
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** True once the thread of the cells has listened. */
  get started(): boolean {
    return this.#started;
  }

  /** Resolves when the thread of the cells listens, or never will. */
  get ready(): Promise<void> {
    return this.#ready;
  }

  /** Asks the thread of the cells. */
  send(message: ToWorker, buffers?: readonly Uint8Array[]): void {
    this.#requests.write(encodeFrame(message, buffers));
  }

  /** Tells the main thread, which is never busy. */
  tell(message: ToHost): void {
    if (this.#child.connected) this.#child.send(message, () => undefined);
  }

  /** Hands on the raw output that has been written so far. */
  flushRaw(): void {
    for (const raw of this.#raw) raw.drain();
  }

  /** Ends the process at once. */
  kill(): void {
    this.#closing = true;
    this.#child.kill('SIGKILL');
  }
}
