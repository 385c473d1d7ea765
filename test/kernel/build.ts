import { execFileSync } from 'node:child_process';
import {
  cpSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { transformSync } from 'rolldown/utils';

const ROOT = resolve(import.meta.dirname, '../..');
const OUT = join(ROOT, '.cache', 'kernel-build');

function files(dir: string): string[] {
  return readdirSync(dir, { withFileTypes: true }).flatMap((entry) => {
    const path = join(dir, entry.name);
    return entry.isDirectory() ? files(path) : [path];
  });
}

/**
 * Transpiles the kernel to JavaScript that Node can start, file by file and only what has changed,
 * bundles its programs, and returns the path of its entry. It is what the build makes of these files,
 * in milliseconds.
 */
export function buildKernel(): string {
  const entry = join(OUT, 'kernel', 'main.cjs');
  let latest = 0;
  for (const room of ['core', 'kernel']) {
    for (const path of files(join(ROOT, 'src', room))) {
      const target = join(OUT, relative(join(ROOT, 'src'), path)).replace(/\.ts$/, '.js');
      const written = statSync(target, { throwIfNoEntry: false })?.mtimeMs ?? 0;
      latest = Math.max(latest, written);
      if (written > statSync(path).mtimeMs) continue;
      latest = Number.POSITIVE_INFINITY;
      mkdirSync(dirname(target), { recursive: true });
      if (!path.endsWith('.ts')) {
        cpSync(path, target);
        continue;
      }
      const { code, errors } = transformSync(path, readFileSync(path, 'utf8'), {
        lang: 'ts',
        tsconfig: false,
        target: 'es2023',
        typescript: { onlyRemoveTypeImports: true, rewriteImportExtensions: 'rewrite' },
      });
      if (errors.length > 0) throw new Error(`${path}: ${errors[0].message}`);
      // Another test file may start a kernel at this moment.
      const half = `${target}.${process.pid}`;
      writeFileSync(half, code);
      renameSync(half, target);
    }
  }
  if ((statSync(entry, { throwIfNoEntry: false })?.mtimeMs ?? 0) <= latest) {
    const bundler = pathToFileURL(join(OUT, 'kernel', 'install', 'bundle.js')).href;
    const code = `import('${bundler}').then((b) => b.bundleKernel(process.argv[1]))`;
    execFileSync(process.execPath, ['-e', code, join(OUT, 'kernel')]);
  }
  return entry;
}
