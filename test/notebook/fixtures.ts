import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';
import type { OutputMessage } from '../../src/notebook/collector.ts';
import type { Cell, CodeCell, Json, Output } from '../../src/notebook/document.ts';
import type { ExecuteReply, KernelClient } from '../../src/notebook/kernel-client.ts';

/** A folder that goes away with the test file. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'gibbs-notebook-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

export const code = (source: string, more: Partial<CodeCell> = {}): CodeCell => ({
  cell_type: 'code',
  id: 'x',
  metadata: {},
  source,
  execution_count: null,
  outputs: [],
  ...more,
});

export const text = (source: string): Cell => ({
  cell_type: 'markdown',
  id: 'y',
  metadata: {},
  source,
});

export const stdout = (value: string): Output => ({
  output_type: 'stream',
  name: 'stdout',
  text: value,
});

export function writeNotebook(path: string, cells: readonly Cell[], metadata: Json = {}): void {
  writeFileSync(path, JSON.stringify({ cells, metadata, nbformat: 4, nbformat_minor: 5 }));
}

type Behaviour = (
  code: string,
  emit: (type: string, content: OutputMessage['content']) => void,
) => ExecuteReply | Promise<ExecuteReply>;

/** A kernel that does with each cell what the test says, and remembers what it was asked. */
export class FakeKernel implements KernelClient {
  readonly languageInfo = { name: 'typescript', file_extension: '.ts', version: '9.9.9' };
  readonly executed: string[] = [];
  cwd = '';
  interrupts = 0;
  shutdowns = 0;
  readonly #behaviour: Behaviour;
  #onInterrupt: (() => void) | undefined;

  constructor(behaviour: Behaviour = () => ({ status: 'ok', executionCount: 1 })) {
    this.#behaviour = behaviour;
  }

  readonly start = async (cwd: string): Promise<KernelClient> => {
    this.cwd = cwd;
    return this;
  };

  execute(
    source: string,
    _cellId: string,
    onMessage: (message: OutputMessage) => void,
  ): Promise<ExecuteReply> {
    this.executed.push(source);
    const stopped = new Promise<ExecuteReply>((resolve) => {
      this.#onInterrupt = () => {
        const error = { ename: 'InterruptedError', evalue: 'stopped', traceback: [] };
        onMessage({ type: 'error', content: error });
        resolve({ status: 'error', ...error });
      };
    });
    const done = this.#behaviour(source, (type, content) => onMessage({ type, content }));
    return Promise.race([stopped, done]);
  }

  async interrupt(): Promise<void> {
    this.interrupts++;
    this.#onInterrupt?.();
  }

  async shutdown(): Promise<void> {
    this.shutdowns++;
  }
}
