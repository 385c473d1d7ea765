import { dirname, join, relative, sep } from 'node:path';
import { type Plugin, rolldown } from 'rolldown';
import { writeFileAtomic } from '../../core/files.ts';

/** The modules that a process or a thread of the kernel starts from. */
const PROGRAMS = ['user/worker', 'user/host', 'main'];

/** Large, and loaded by few cells. */
const EXTERNAL = 'typescript';

/**
 * Joins each program of a compiled kernel and what it imports into one CommonJS file beside it: Node
 * loads some fifty modules and sets up its loader of ECMAScript modules in three times the time.
 * @param kernel the folder of the compiled kernel, e.g. `dist/kernel`.
 */
export async function bundleKernel(kernel: string): Promise<void> {
  for (const program of PROGRAMS) {
    const file = join(kernel, `${program}.cjs`);
    const input = join(kernel, `${program}.js`);
    const plugins = [keepPlaces(dirname(file))];
    const bundle = await rolldown({ input, platform: 'node', external: EXTERNAL, plugins });
    const name = program.split('/').at(-1) as string;
    const { output } = await bundle.generate({
      format: 'cjs',
      entryFileNames: `${name}.cjs`,
      chunkFileNames: `${name}-[name].cjs`,
    });
    for (const part of output) {
      // A kernel may be starting from the one before.
      if (part.type === 'chunk') writeFileAtomic(join(dirname(file), part.fileName), part.code);
    }
    await bundle.close();
  }
}

/** Modules find files from where they are, which in a bundle is no longer where they were. */
function keepPlaces(folder: string): Plugin {
  return {
    name: 'keep-places',
    transform(code, id) {
      if (!code.includes('import.meta.url')) return null;
      const own = relative(folder, id).split(sep).join('/');
      const place = id.split(sep).includes('node_modules')
        ? `require('node:url').pathToFileURL(require.resolve('${packageOf(id)}/package.json')).href`
        : `new URL('${own}', import.meta.url).href`;
      return { code: code.replaceAll('import.meta.url', place), map: null };
    },
  };
}

/** The package that the file of this path belongs to. */
function packageOf(path: string): string {
  const parts = path.slice(path.lastIndexOf('node_modules')).split(sep).slice(1);
  return parts.slice(0, parts[0].startsWith('@') ? 2 : 1).join('/');
}
