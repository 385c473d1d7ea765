import { readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';

/**
 * Where runs are kept unless told otherwise: the place that `GIBBS_STORE` names, else `data/runs` of the Gibbs checkout that holds the
 * working directory (so that notebooks and the command line share runs), else of the working
 * directory itself.
 */
export function defaultRunsFolder(from: string = process.cwd()): string {
  const named = process.env['GIBBS_STORE'];
  if (named !== undefined && named !== '') return resolve(from, named);
  return join(projectRoot(from), 'data', 'runs');
}

/** The nearest folder upwards whose package.json is Gibbs' own, else `from`. */
export function projectRoot(from: string = process.cwd()): string {
  for (let folder = resolve(from); ; folder = dirname(folder)) {
    try {
      const text = readFileSync(join(folder, 'package.json'), 'utf8');
      if ((JSON.parse(text) as { name?: string }).name === 'gibbs') return folder;
    } catch {
      // No package.json here, or another's.
    }
    if (folder === dirname(folder)) return resolve(from);
  }
}
