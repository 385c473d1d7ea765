import { readConnectionFile } from './protocol/connection.ts';
import { Kernel } from './protocol/kernel.ts';

/** What Jupyter starts: `node main.js CONNECTION_FILE`. */
function main(): void {
  const path = process.argv[2];
  if (path === undefined) {
    process.stderr.write('usage: node main.js CONNECTION_FILE\n');
    process.exitCode = 2;
    return;
  }
  let kernel: Kernel;
  try {
    kernel = new Kernel(readConnectionFile(path));
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n`);
    process.exitCode = 1;
    return;
  }
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
  void kernel.run().then(
    () => process.exit(0),
    (error: Error) => {
      process.stderr.write(`[gibbs kernel] cannot start: ${error.message}\n`);
      process.exit(1);
    },
  );
}

main();
