import { readFileSync } from 'node:fs';
import { ConfigError } from '../core/errors.ts';
import { toReadError } from '../core/files.ts';
import { duplicateKey } from '../core/json-keys.ts';
import type { SweepSpec } from './plan.ts';

/**
 * Reads a sweep from a JSON file.
 * @throws DataError when the file is missing; ConfigError when it is no sweep.
 */
export function readSweep(path: string): SweepSpec {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw toReadError(error, path);
  }
  let spec: unknown;
  try {
    spec = JSON.parse(text);
  } catch (error) {
    throw new ConfigError(`${path} is no JSON: ${(error as Error).message}`, { cause: error });
  }
  if (typeof spec !== 'object' || spec === null || Array.isArray(spec)) {
    throw new ConfigError(`${path}: expected an object with experiment, grid and seeds`);
  }
  const twice = duplicateKey(text);
  if (twice !== undefined) throw new ConfigError(`${path}: '${twice}' is given twice`);
  return spec as SweepSpec;
}
