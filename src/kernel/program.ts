import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/**
 * The file that a process or a thread starts from: of the module `name`, relative to the module
 * `from` (its `import.meta.url`), the bundle that the build made; without a build the module itself.
 */
export function programFile(name: string, from: string): string {
  const file = (extension: string) => fileURLToPath(new URL(`${name}.${extension}`, from));
  if (from.endsWith('.ts')) return file('ts');
  const bundle = file('cjs');
  return existsSync(bundle) ? bundle : file('js');
}
