import { readFileSync } from 'node:fs';
import { dirname, extname } from 'node:path';
import { parseSync } from 'rolldown/utils';
import { nearestPackage } from './package-exports.ts';

/** True of a file of an installed package, which does not change while the kernel runs. */
export function isPackageFile(path: string): boolean {
  return /[\\/]node_modules[\\/]/.test(path);
}

/**
 * How a file is loaded: as a module of our own, as data, by `require` anew, by `require` once, or by
 * Node's own import.
 */
export type Format = 'source' | 'json' | 'require' | 'package' | 'native';

export function formatOf(path: string): Format {
  switch (extname(path)) {
    case '.ts':
    case '.tsx':
    case '.mts':
    case '.cts':
    case '.jsx':
      return 'source';
    case '.json':
      return 'json';
    case '.node':
    case '.cjs':
      return isPackageFile(path) && extname(path) === '.cjs' ? 'package' : 'require';
    case '.mjs':
      return isPackageFile(path) ? 'native' : 'source';
    default:
      if (isPackageFile(path)) {
        return nearestPackage(dirname(path))?.json.type === 'module' ? 'native' : 'package';
      }
      return isEsModule(path) ? 'source' : 'require';
  }
}

/** As Node decides: by the `type` of the package, without one by the syntax. */
function isEsModule(path: string): boolean {
  const type = nearestPackage(dirname(path))?.json.type;
  if (type !== undefined) return type === 'module';
  const code = readFileSync(path, 'utf8');
  return parseSync(path, code, { lang: 'js', sourceType: 'unambiguous' }).module.hasModuleSyntax;
}
