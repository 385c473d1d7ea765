import type { OutputMessage } from './collector.ts';
import type { JsonObject } from './document.ts';

/** How a cell ended. */
export type ExecuteReply =
  | { readonly status: 'ok'; readonly executionCount: number | null }
  | { readonly status: 'aborted' }
  | {
      readonly status: 'error';
      readonly ename: string;
      readonly evalue: string;
      readonly traceback: readonly string[];
    };

/** A kernel as a notebook runner needs it. */
export interface KernelClient {
  /** `language_info` of the kernel, for the notebook's metadata. */
  readonly languageInfo: JsonObject;
  /**
   * Runs `code` to its end, when its last output has arrived too. Messages come in order.
   * @throws StoreError when the kernel dies meanwhile.
   */
  execute(
    code: string,
    cellId: string,
    onMessage: (message: OutputMessage) => void,
  ): Promise<ExecuteReply>;
  /** Asks the kernel to stop the running cell. */
  interrupt(): Promise<void>;
  /** Ends the kernel, if need be by force, and removes what it left. Never rejects. */
  shutdown(): Promise<void>;
}

/** Starts a kernel whose cells run in `cwd`. */
export type KernelStarter = (cwd: string) => Promise<KernelClient>;
