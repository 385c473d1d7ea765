import { spawn } from 'node:child_process';
import { ConfigError } from '../../core/errors.ts';
import { type Arguments, type Command, JSON_OPTION, STORE_OPTION } from '../command.ts';
import { withInterrupts } from '../interrupts.ts';

export const viewCommand: Command = {
  usage: 'view',
  summary: 'Shows the runs of a store in the browser, and follows those under way.',
  details: [
    'Serves one page on this machine until Ctrl-C, and prints its address. The address holds a',
    'token; requests without it are refused, and the page loads nothing from elsewhere.',
    '',
    'The page lists the runs, with the filters of gibbs runs ls; shows curves as they are',
    'trained, samples, densities, configuration and environment of a run; lays runs side by side;',
    'draws a sweep as parallel coordinates; and gives runs as code for a notebook cell.',
    '',
    'On another machine: gibbs view --port 8123 there, ssh -L 8123:127.0.0.1:8123 HOST here.',
  ].join('\n'),
  positionals: [],
  options: {
    store: STORE_OPTION,
    port: { type: 'string', value: 'N', help: 'port to listen on (default: any free one)' },
    open: { type: 'boolean', help: 'open the page in the default browser' },
    json: { ...JSON_OPTION, help: 'print the address as one JSON object' },
  },
  run: (args) => withInterrupts((signal) => view(args, signal)),
};

const MOST_PORT = 65_535;

async function view(args: Arguments, signal: AbortSignal): Promise<number> {
  const port = args.count('port') ?? 0;
  if (port > MOST_PORT) throw new ConfigError(`--port must be at most ${MOST_PORT}, got ${port}`);
  const { resolve } = await import('node:path');
  const { defaultRunsFolder } = await import('../../experiments/runs-folder.ts');
  const { Explorer } = await import('../../sweep/explorer/server.ts');
  const { adoptAll } = await import('../../train/store/adopt.ts');
  const { RunStore } = await import('../../train/store/run-store.ts');
  const place = resolve(args.text('store') ?? defaultRunsFolder());
  const store = RunStore.find(place);
  for (const problem of store ? adoptAll(store).problems : []) {
    process.stderr.write(`note: ${problem}\n`);
  }
  const explorer = await Explorer.start({ place, port });
  if (args.flag('json')) process.stdout.write(`${JSON.stringify({ url: explorer.url, place })}\n`);
  else process.stdout.write(`runs in ${place}\n${explorer.url}\nCtrl-C ends\n`);
  if (args.flag('open')) openBrowser(explorer.url);
  await aborted(signal);
  await explorer.close();
  return 0;
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((done) => {
    if (signal.aborted) done();
    else signal.addEventListener('abort', () => done(), { once: true });
  });
}

const OPENERS: Partial<Record<NodeJS.Platform, readonly string[]>> = {
  darwin: ['open'],
  win32: ['cmd', '/c', 'start', ''],
};

function openBrowser(url: string): void {
  const [command, ...args] = OPENERS[process.platform] ?? ['xdg-open'];
  const child = spawn(command, [...args, url], { stdio: 'ignore', detached: true });
  child.on('error', () => {
    process.stderr.write(`note: no browser could be opened (${command}); open the address\n`);
  });
  child.unref();
}
