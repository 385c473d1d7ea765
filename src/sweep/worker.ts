import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { GibbsError, InterruptedError } from '../core/errors.ts';
import { writeFileAtomic } from '../core/files.ts';
import { makeFolder } from '../core/folders.ts';
import { writeFolderArchive } from '../train/store/import-runs.ts';
import { sweepExperiment } from './experiments.ts';
import { FAILURE, STOPPED, type TaskLine, type TaskMessage } from './task-line.ts';

async function work(line: TaskLine): Promise<number> {
  const controller = new AbortController();
  const abort = () => controller.abort();
  for (const event of ['SIGINT', 'SIGTERM', 'SIGHUP', 'disconnect']) process.on(event, abort);
  const tell = (message: TaskMessage) => {
    if (process.send && process.connected) process.send(message, () => {});
  };
  const { shard, root } = line;
  try {
    if (shard !== undefined) {
      if (existsSync(shard)) return 0;
      makeFolder(root);
      rmSync(join(root, FAILURE), { force: true });
    }
    const result = await sweepExperiment(line.experiment).run(line.options, {
      root,
      plain: shard !== undefined,
      labels: line.labels,
      checkpointSeconds: line.checkpointSeconds,
      onProgress: (progress) => tell({ progress }),
      onNotice: (notice) => tell({ notice }),
      signal: controller.signal,
    });
    if (shard !== undefined) writeFolderArchive(shard, join(root, result.key));
    tell({ result });
    return 0;
  } catch (error) {
    const stopped = error instanceof InterruptedError;
    const text = error instanceof GibbsError ? error.message : `${(error as Error)?.stack}`;
    process.stderr.write(`${text}\n`);
    if (shard !== undefined && !stopped) {
      writeFileAtomic(join(root, FAILURE), `${JSON.stringify({ error: text })}\n`);
    }
    return stopped ? STOPPED : 1;
  }
}

/** `--line JSON`, or line `--index N` (from 0) of `--file FILE`. */
function taskOf(argv: readonly string[]): TaskLine {
  const value = (name: string) => argv[argv.indexOf(name) + 1];
  if (argv.includes('--line')) return JSON.parse(value('--line')) as TaskLine;
  const lines = readFileSync(value('--file'), 'utf8').trimEnd().split('\n');
  return JSON.parse(lines[Number(value('--index'))]) as TaskLine;
}

work(taskOf(process.argv.slice(2))).then((code) => {
  process.exitCode = code;
  if (process.connected) process.disconnect();
});
