import { parentPort, workerData } from 'node:worker_threads';
import { installInterrupt } from '../../core/interrupt.ts';
import { installNotebookProgress } from '../../core/notebook-progress.ts';
import { createDisplay } from '../display/display.ts';
import { createTslab } from '../display/tslab.ts';
import { CodeCache } from '../modules/code-cache.ts';
import { ModuleLoader } from '../modules/loader.ts';
import { Channel } from './channel.ts';
import { CommManager } from './comms.ts';
import { completeRuntime } from './complete.ts';
import { installConsole } from './console.ts';
import { currentCell, leaveCell } from './context.ts';
import { splitBuffers } from './frames.ts';
import { guardProcess } from './process-guard.ts';
import { Requests } from './requests.ts';
import { isInterrupt, Session } from './session.ts';
import { StackTraces } from './stack.ts';
import { installStdin, Stdin } from './stdin.ts';
import { installTimers } from './timers.ts';
import { lowerWithTypeScript } from './typescript-compiler.ts';
import { installUnwind } from './unwind.ts';
import type { HostToWorker, ToWorker, WorkerData, WorkerToHost } from './wire.ts';

/** The thread that runs the cells. */
const { words: shared, input } = workerData as WorkerData;
const words = new Int32Array(shared);
const channel = new Channel(words);
const traces = new StackTraces();
const inputBytes = new Uint8Array(input);
const stdin = new Stdin(channel, words, inputBytes);

installInterrupt(new Int32Array(shared, 0, 3));
installConsole(channel);
installTimers();
installStdin(stdin);
guardProcess(words, inputBytes);
traces.install();
installUnwind();

/** An error that no cell is there to receive. */
function report(thrown: unknown, where: string): void {
  // What a stopped cell left behind ends with this error; the cell has already said so.
  if (isInterrupt(thrown)) return;
  const count = currentCell()?.count;
  const cell = count === undefined ? '' : ` of Cell [${count}]`;
  channel.text(2, `${where}${cell}: ${traces.describe(thrown).traceback.join('\n')}\n`);
}

const comms = new CommManager(channel, (error) => report(error, 'Error in a comm handler'));
const display = createDisplay(
  {
    show: (data, { id, update, metadata }) => {
      const c = currentCell()?.cell ?? 0;
      channel.send({ t: 'display', c, data, metadata, ...(id !== undefined && { id }), update });
    },
    clear: (wait) => channel.send({ t: 'clear', c: currentCell()?.cell ?? 0, wait }),
  },
  comms,
);

const codeCache = new CodeCache(() => session.busy);
codeCache.install();
const loader = new ModuleLoader({
  virtual: { tslab: createTslab(display) },
  onSource: (url, mappings) => traces.addFile(url, mappings),
  onPackage: () => codeCache.saveSoon(),
  typescriptCompiler: lowerWithTypeScript,
});
const session = new Session({ words, channel, traces, loader });

process.on('uncaughtException', (error) => report(error, 'Uncaught error in the background'));
process.on('unhandledRejection', (error) => report(error, 'Unhandled rejection'));

session.scope.define('display', display);
installNotebookProgress(display.progress);
session.scope.define('comms', comms);
session.scope.define('prompt', (text = '') => stdin.askSync(String(text)));
session.scope.define('password', (text = '') => stdin.askSync(String(text), true));
session.scope.define('readline', (text = '') => stdin.ask(String(text)));

function handle(message: ToWorker, rest: Buffer): void {
  leaveCell();
  switch (message.t) {
    case 'execute':
      void session.execute(message);
      return;
    case 'comm': {
      const { kind, content, metadata, buffers } = message;
      comms.receive(kind, content, metadata, splitBuffers(buffers, rest));
      return;
    }
    case 'complete': {
      const found = completeRuntime(message.code, message.offset, session.scope);
      channel.send({ t: 'completions', id: message.id, ...found });
      return;
    }
  }
}

const requests = new Requests(handle);

parentPort?.on('message', (message: HostToWorker) => {
  leaveCell();
  if (message.t === 'input') stdin.answer(message);
  else session.interrupt(message.cell, message.t === 'terminated');
  requests.go();
});

requests.listen();
channel.send({ t: 'ready' });
parentPort?.postMessage({ t: 'ready' } satisfies WorkerToHost);
