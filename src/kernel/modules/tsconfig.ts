import { existsSync, readFileSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, isAbsolute, join, resolve } from 'node:path';
import type { LoweringOptions } from '../cell/lower.ts';

/** What of a tsconfig.json matters at run time. */
export interface TsConfig {
  /** The file itself; undefined when there is none. */
  readonly path: string | undefined;
  readonly lowering: Omit<LoweringOptions, 'fileName' | 'typescriptCompiler'>;
  /** Pattern (at most one `*`) → absolute path patterns. */
  readonly paths: readonly (readonly [pattern: string, targets: readonly string[]])[];
  readonly baseUrl: string | undefined;
  readonly verbatimModuleSyntax: boolean;
}

interface Raw {
  readonly extends?: string | string[];
  readonly compilerOptions?: Record<string, unknown>;
}

const EMPTY: TsConfig = {
  path: undefined,
  lowering: {},
  paths: [],
  baseUrl: undefined,
  verbatimModuleSyntax: false,
};

/** The tsconfig.json of `directory` or the nearest folder above; read again when it changes. */
export class TsConfigs {
  readonly #cache = new Map<string, { stamp: number; config: TsConfig }>();

  nearest(directory: string): TsConfig {
    for (let dir = directory; ; dir = dirname(dir)) {
      const path = join(dir, 'tsconfig.json');
      const stamp = statSync(path, { throwIfNoEntry: false })?.mtimeMs;
      if (stamp !== undefined) return this.#read(path, stamp);
      if (dirname(dir) === dir) return EMPTY;
    }
  }

  #read(path: string, stamp: number): TsConfig {
    const cached = this.#cache.get(path);
    if (cached?.stamp === stamp) return cached.config;
    let config = EMPTY;
    try {
      config = interpret(path, mergedOptions(path, new Set()));
    } catch {
      // A tsconfig.json that is being edited: the language service reports it.
    }
    this.#cache.set(path, { stamp, config });
    return config;
  }
}

/** Options with `extends` applied; relative paths made absolute where they are written. */
function mergedOptions(path: string, seen: Set<string>): Record<string, unknown> {
  if (seen.has(path)) return {};
  seen.add(path);
  const raw = parseJsonc(readFileSync(path, 'utf8')) as Raw;
  const dir = dirname(path);
  let merged: Record<string, unknown> = {};
  for (const base of [raw.extends ?? []].flat()) {
    merged = { ...merged, ...mergedOptions(extendsPath(base, dir), seen) };
  }
  const own: Record<string, unknown> = { ...raw.compilerOptions };
  if (typeof own['baseUrl'] === 'string') own['baseUrl'] = resolve(dir, own['baseUrl']);
  if (own['paths'] !== undefined) own['pathsBase'] = own['baseUrl'] ?? merged['baseUrl'] ?? dir;
  return { ...merged, ...own };
}

function extendsPath(base: string, dir: string): string {
  if (base.startsWith('.') || isAbsolute(base)) {
    const path = resolve(dir, base);
    return existsSync(path) || path.endsWith('.json') ? path : `${path}.json`;
  }
  return createRequire(join(dir, 'tsconfig.json')).resolve(base);
}

function interpret(path: string, options: Record<string, unknown>): TsConfig {
  const base = options['pathsBase'] as string;
  const paths = Object.entries((options['paths'] ?? {}) as Record<string, string[]>);
  const jsx = String(options['jsx'] ?? '');
  return {
    path,
    lowering: {
      experimentalDecorators: options['experimentalDecorators'] === true,
      emitDecoratorMetadata: options['emitDecoratorMetadata'] === true,
      ...(options['useDefineForClassFields'] === false && { useDefineForClassFields: false }),
      ...(jsx.startsWith('react') && {
        jsx: {
          runtime: jsx === 'react' ? ('classic' as const) : ('automatic' as const),
          ...(typeof options['jsxImportSource'] === 'string' && {
            importSource: options['jsxImportSource'],
          }),
          ...(typeof options['jsxFactory'] === 'string' && { pragma: options['jsxFactory'] }),
          ...(typeof options['jsxFragmentFactory'] === 'string' && {
            pragmaFrag: options['jsxFragmentFactory'],
          }),
        },
      }),
    },
    paths: paths.map(([pattern, targets]) => [pattern, targets.map((t) => resolve(base, t))]),
    baseUrl: options['baseUrl'] as string | undefined,
    verbatimModuleSyntax: options['verbatimModuleSyntax'] === true,
  };
}

/** JSON with comments and trailing commas. */
export function parseJsonc(text: string): unknown {
  const tokens = /"(?:\\.|[^"\\])*"|\/\/[^\n]*|\/\*[\s\S]*?\*\//g;
  const bare = text.replace(tokens, (token) => (token.startsWith('"') ? token : ' '));
  const commas = /"(?:\\.|[^"\\])*"|,(?=\s*[}\]])/g;
  return JSON.parse(bare.replace(commas, (token) => (token === ',' ? '' : token)));
}
