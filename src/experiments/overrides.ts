import { ConfigError, unknownName } from '../core/errors.ts';

/** A leaf of a configuration. */
export type Scalar = string | number | boolean;

/** Changes to a configuration by dotted path, e.g. `{ 'diffusion.betaMax': 20 }`. */
export type Overrides = Readonly<Record<string, Scalar>>;

/** Dotted paths of all leaves of a plain configuration. */
export function leafPaths(config: object, prefix = ''): string[] {
  return Object.entries(config).flatMap(([key, value]) => {
    const path = prefix === '' ? key : `${prefix}.${key}`;
    return typeof value === 'object' && value !== null ? leafPaths(value, path) : [path];
  });
}

/**
 * A copy of `config` with some leaves replaced; a text is read as the leaf's own type.
 * @throws ConfigError for a path that does not exist (lists those that do) and for a value of
 * another type.
 */
export function withOverrides<C extends object>(config: C, overrides: Overrides): C {
  const copy = structuredClone(config) as Record<string, unknown>;
  for (const [path, value] of Object.entries(overrides)) {
    if (!leafPaths(config).includes(path)) throw unknownName('setting', path, leafPaths(config));
    const keys = path.split('.');
    let at = copy;
    for (const key of keys.slice(0, -1)) at = at[key] as Record<string, unknown>;
    const last = keys[keys.length - 1];
    at[last] = readAs(at[last] as Scalar, value, path);
  }
  return copy as C;
}

/** `key=value` as from a command line. @throws ConfigError when there is no `=`. */
export function parseSetting(text: string): [string, string] {
  const at = text.indexOf('=');
  if (at <= 0) throw new ConfigError(`a setting is written key=value, got '${text}'`);
  return [text.slice(0, at).trim(), text.slice(at + 1).trim()];
}

/**
 * Checks settings that count something.
 * @param counts by dotted path: the value, and the least that makes sense.
 * @throws ConfigError naming the first that is no integer, or too small.
 */
export function checkCounts(
  counts: Readonly<Record<string, readonly [value: unknown, least: number]>>,
): void {
  for (const [path, [value, least]] of Object.entries(counts)) {
    if (!Number.isSafeInteger(value) || (value as number) < least) {
      throw new ConfigError(
        `setting '${path}' must be an integer of at least ${least}, got ${value}`,
      );
    }
  }
}

function readAs(old: Scalar, value: Scalar, path: string): Scalar {
  if (typeof value === typeof old) return checked(value, path);
  const fail = () =>
    new ConfigError(`setting '${path}' must be a ${typeof old} (now ${old}), got '${value}'`);
  if (typeof value !== 'string') throw fail();
  if (typeof old === 'boolean') {
    if (value !== 'true' && value !== 'false') throw fail();
    return value === 'true';
  }
  if (value === '' || Number.isNaN(Number(value))) throw fail();
  return checked(Number(value), path);
}

function checked(value: Scalar, path: string): Scalar {
  if (typeof value === 'number' && !Number.isFinite(value)) {
    throw new ConfigError(`setting '${path}' must be finite, got ${value}`);
  }
  return value;
}
