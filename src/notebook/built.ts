import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * The first of `sources` (relative to `root`, as `src/…`) whose build differs from it; undefined
 * when all are built as they stand, or nothing is built and the sources themselves are loaded. The
 * build keeps the text of every source in its source map.
 */
export function unbuiltSource(sources: readonly string[], root: string): string | undefined {
  if (!existsSync(join(root, 'dist/index.js'))) return undefined;
  return sources.find((source) => {
    if (!source.startsWith('src/') || !source.endsWith('.ts')) return false;
    const map = join(root, source.replace(/^src\//, 'dist/').replace(/\.ts$/, '.js.map'));
    return builtFrom(map) !== readFileSync(join(root, source), 'utf8');
  });
}

function builtFrom(map: string): string | undefined {
  try {
    const { sourcesContent } = JSON.parse(readFileSync(map, 'utf8')) as {
      sourcesContent?: readonly string[];
    };
    return sourcesContent?.[0];
  } catch {
    return undefined;
  }
}
