/**
 * What the protocol process and the user process say to each other. Everything the user's code
 * produces comes up as frames on file descriptor 3, written synchronously, so that it keeps its order
 * and survives a crash. Requests go down as frames on file descriptor 5, straight to the thread of
 * the cells; what must reach it while it computes goes down Node's IPC channel to the main thread.
 */
export const FRAME_FD = 3;
export const REQUEST_FD = 5;

export type Json = Record<string, unknown>;

export interface ExecuteRequest {
  readonly t: 'execute';
  /** Identifies the cell on this channel. */
  readonly cell: number;
  readonly code: string;
  /** The `n` of `Cell [n]`. */
  readonly count: number;
  readonly silent: boolean;
  readonly allowStdin: boolean;
  readonly userExpressions: Readonly<Record<string, string>>;
}

/** What the thread of the cells does when it is free. */
export type ToWorker =
  | ExecuteRequest
  | { readonly t: 'complete'; readonly id: number; readonly code: string; readonly offset: number }
  | {
      readonly t: 'comm';
      readonly kind: 'comm_open' | 'comm_msg' | 'comm_close';
      readonly content: Json;
      readonly metadata: Json;
      /** Byte lengths of the buffers that follow. */
      readonly buffers: readonly number[];
    };

/** What the main thread of the user process does, whatever the thread of the cells does. */
export type ToHost =
  /** Stops `cell`, which may not have begun. */
  | { readonly t: 'interrupt'; readonly cell: number }
  | { readonly t: 'input'; readonly id: number; readonly value: string };

/** An error as `error` messages and replies carry it. */
export interface ErrorContent {
  readonly ename: string;
  readonly evalue: string;
  readonly traceback: readonly string[];
}

export type FromUser =
  | { readonly t: 'ready' }
  /** `s` is 1 for stdout and 2 for stderr; `c` the cell that caused the output. */
  | { readonly t: 'text'; readonly c: number; readonly s: 1 | 2; readonly x: string }
  | {
      readonly t: 'display';
      readonly c: number;
      readonly data: Json;
      readonly metadata: Json;
      readonly id?: string;
      readonly update: boolean;
    }
  | { readonly t: 'clear'; readonly c: number; readonly wait: boolean }
  | { readonly t: 'result'; readonly c: number; readonly data: Json; readonly metadata: Json }
  | {
      readonly t: 'input';
      readonly c: number;
      /** Comes back with the reply. */
      readonly id: number;
      readonly prompt: string;
      readonly password: boolean;
    }
  | {
      readonly t: 'comm';
      readonly c: number;
      readonly kind: 'comm_open' | 'comm_msg' | 'comm_close';
      readonly content: Json;
      readonly metadata: Json;
      /** Byte lengths of the buffers that follow. */
      readonly buffers?: readonly number[];
    }
  | { readonly t: 'comms'; readonly open: Readonly<Record<string, string>> }
  | {
      readonly t: 'done';
      readonly c: number;
      readonly error?: ErrorContent;
      readonly interrupted: boolean;
      readonly expressions: Json;
      /** Names of the notebook's variables after the cell. */
      readonly names: readonly string[];
    }
  | {
      readonly t: 'completions';
      readonly id: number;
      readonly matches: readonly { readonly text: string; readonly type: string }[];
      readonly start: number;
      readonly end: number;
    };

/** Shared words: the three of `core/interrupt.ts` and those by which a Stop sees what runs. */
export const WORDS = {
  interrupt: 0,
  nativeDepth: 1,
  lastAsked: 2,
  /** The cell that runs, 0 for none. */
  running: 3,
  /** Above 0 while the thread writes a frame, which must not be cut. */
  critical: 4,
  /** 0: no reply yet; else its length in bytes + 1, or -1 for an error. */
  input: 5,
  /** The question that the thread waits for synchronously. */
  question: 6,
  /** The last cell that ended. */
  ended: 7,
} as const;
export const WORD_COUNT = 8;

/** Bytes of the reply to an input request that fit in shared memory. */
export const INPUT_BYTES = 1 << 20;

export interface WorkerData {
  readonly words: SharedArrayBuffer;
  readonly input: SharedArrayBuffer;
}

/** From the main thread of the user process to the thread that runs cells. */
export type HostToWorker =
  | Extract<ToHost, { t: 'input' }>
  /** V8 was stopped inside `cell`: nothing of it runs any more. */
  | { readonly t: 'terminated'; readonly cell: number }
  /** `cell` waits for something: give it up. */
  | { readonly t: 'cancel'; readonly cell: number };

/** From the thread that runs cells to the main thread. */
export type WorkerToHost = { readonly t: 'ready' } | { readonly t: 'chdir'; readonly path: string };
