import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';
import { Worker, type WorkerOptions } from 'node:worker_threads';

/**
 * A thread that runs the module `name` in the folder of the module `from` (its `import.meta.url`):
 * a `.ts` file among the sources, the `.js` file that the build made of it in `dist/`.
 */
export function startModuleThread(from: string, name: string, options: WorkerOptions): Worker {
  const built = !from.endsWith('.ts');
  const entry = new URL(`./${name}.${built ? 'js' : 'ts'}`, from);
  if (built) return new Worker(entry, { ...options, execArgv: [] });
  const tsx = pathToFileURL(createRequire(import.meta.url).resolve('tsx/package.json'));
  const loader = new URL('dist/esm/api/index.mjs', tsx).href;
  // Node 20 does not send a thread's entry file through hooks, but what that file imports it does.
  const bootstrap = `import(${JSON.stringify(loader)}).then(({ register }) => {
    register();
    return import(${JSON.stringify(entry.href)});
  });`;
  return new Worker(bootstrap, { ...options, eval: true, execArgv: [] });
}
