import { type ChildProcess, spawn } from 'node:child_process';
import type { Readable } from 'node:stream';
import { StringDecoder } from 'node:string_decoder';
import { fileURLToPath } from 'node:url';
import { FrameReader, type FromUser, type ToUser } from '../user/wire.ts';

export interface UserProcessHandlers {
  onFrame(message: FromUser, buffers: Buffer): void;
  /** Text that native code or child processes wrote to stdout (1) or stderr (2). */
  onRaw(stream: 1 | 2, text: string): void;
  /** The process is gone without having been asked. */
  onDeath(reason: string): void;
}

/** Splits the raw output at the markers by which a cell says that it ended. */
class RawStream {
  readonly #stream: 1 | 2;
  readonly #handlers: UserProcessHandlers;
  readonly #decoder = new StringDecoder('utf8');
  readonly #waiting = new Map<number, () => void>();
  #latest = 0;
  #held = '';

  constructor(stream: 1 | 2, source: Readable, handlers: UserProcessHandlers) {
    this.#stream = stream;
    this.#handlers = handlers;
    source.on('data', (chunk: Buffer) => this.#push(this.#decoder.write(chunk)));
    source.on('error', () => undefined);
  }

  /** Resolves when everything written before the end of `cell` has been handed on. */
  flushed(cell: number): Promise<void> {
    if (this.#latest >= cell) return Promise.resolve();
    return new Promise((resolve) => {
      this.#waiting.set(cell, resolve);
      // The user's code may have closed the stream.
      setTimeout(resolve, 250).unref();
    });
  }

  #push(text: string): void {
    let rest = this.#held + text;
    this.#held = '';
    for (;;) {
      const start = rest.indexOf('\u0000');
      if (start < 0) break;
      const end = rest.indexOf('\u0000', start + 1);
      if (end < 0) {
        // Perhaps half a marker.
        if (rest.length - start < 32) {
          this.#held = rest.slice(start);
          rest = rest.slice(0, start);
        }
        break;
      }
      const cell = Number(/^gibbs:(\d+)$/.exec(rest.slice(start + 1, end))?.[1] ?? Number.NaN);
      if (Number.isNaN(cell)) {
        this.#emit(rest.slice(0, end));
        rest = rest.slice(end);
        if (rest === '\u0000') break;
        continue;
      }
      this.#emit(rest.slice(0, start));
      rest = rest.slice(end + 1);
      this.#latest = Math.max(this.#latest, cell);
      this.#waiting.get(cell)?.();
      this.#waiting.delete(cell);
    }
    this.#emit(rest);
  }

  #emit(text: string): void {
    if (text !== '') this.#handlers.onRaw(this.#stream, text);
  }
}

/** Starts a process for the user's code in the working folder. */
export function spawnUser(): ChildProcess {
  const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
  const host = fileURLToPath(new URL(`../user/host.${extension}`, import.meta.url));
  const flags = [
    // Local files are modules of our own, so that they can be read again.
    '--experimental-vm-modules',
    '--expose-internals',
    '--disable-warning=ExperimentalWarning',
  ];
  return spawn(process.execPath, [...process.execArgv, ...flags, host], {
    // Cells change variables that a compiled function captured: its second call checks.
    env: { GIBBS_CHECKED: '2', ...process.env },
    stdio: ['ignore', 'pipe', 'pipe', 'pipe', 'ipc'],
    serialization: 'advanced',
  });
}

/** The process in which the user's code runs. */
export class UserProcess {
  readonly #child: ChildProcess;
  readonly #raw: readonly [RawStream, RawStream];
  readonly #ready: Promise<void>;
  #started = false;
  #closing = false;
  #why: string | undefined;

  constructor(child: ChildProcess, handlers: UserProcessHandlers) {
    this.#child = child;
    const [, stdout, stderr, frames] = this.#child.stdio as Readable[];
    this.#raw = [new RawStream(1, stdout, handlers), new RawStream(2, stderr, handlers)];
    let ready: () => void = () => undefined;
    this.#ready = new Promise((resolve) => {
      ready = resolve;
    });
    const reader = new FrameReader((message, rest) => {
      if (message.t === 'ready') {
        this.#started = true;
        ready();
      } else handlers.onFrame(message, rest);
    });
    frames.on('data', (chunk: Buffer) => {
      reader.push(chunk);
      // One chunk a turn: a flood of output must not hold up control and heartbeat.
      frames.pause();
      setImmediate(() => frames.resume());
    });
    frames.on('error', () => undefined);
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

  send(message: ToUser): void {
    if (this.#child.connected) this.#child.send(message, () => undefined);
  }

  /** Resolves when the raw output of `cell` has been handed on. */
  async flushed(cell: number): Promise<void> {
    await Promise.all(this.#raw.map((raw) => raw.flushed(cell)));
  }

  /** Ends the process at once. */
  kill(): void {
    this.#closing = true;
    this.#child.kill('SIGKILL');
  }
}
