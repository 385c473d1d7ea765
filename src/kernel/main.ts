import { readConnectionFile } from './protocol/connection.ts';
import { spawnUser } from './protocol/user-process.ts';

/** What Jupyter starts: `node main.js CONNECTION_FILE`. */
async function main(): Promise<void> {
  const path = process.argv[2];
  if (path === undefined) {
    process.stderr.write('usage: node main.js CONNECTION_FILE\n');
    process.exitCode = 2;
    return;
  }
  const info = readConnectionFile(path);
  // The process for the user's code starts on another core while this one loads its modules.
  const child = spawnUser();
  const { Kernel } = await import('./protocol/kernel.ts');
  const kernel = new Kernel(info, child);
  process.on('SIGINT', () => kernel.interrupt());
  process.on('SIGTERM', () => kernel.close());
  // Jupyter names itself here: a kernel whose Jupyter is gone would run for ever.
  const parent = process.ppid;
  if (process.env['JPY_PARENT_PID'] !== undefined && parent !== 1) {
    setInterval(() => {
      if (process.ppid !== parent) kernel.close();
    }, 1000).unref();
  }
  process.on('uncaughtException', (error) => {
    process.stderr.write(`[gibbs kernel] ${error.stack ?? error}\n`);
  });
  await kernel.run();
}

main().then(
  () => process.exit(process.exitCode),
  (error: Error) => {
    process.stderr.write(`[gibbs kernel] cannot start: ${error.message}\n`);
    process.exit(1);
  },
);
