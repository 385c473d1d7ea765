import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

/** What makes Node run a worker: from the build, or from the source when that is what runs. */
export function workerCommand(): { readonly script: string; readonly execArgv: readonly string[] } {
  const built = fileURLToPath(new URL('./worker.js', import.meta.url));
  if (existsSync(built)) return { script: built, execArgv: [] };
  const script = fileURLToPath(new URL('./worker.ts', import.meta.url));
  // By its path, since the worker's working directory may know nothing of tsx.
  const tsx = createRequire(import.meta.url).resolve('tsx');
  return { script, execArgv: ['--import', tsx] };
}
