import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';

/** The rooms of src/ in lowering order, and what each may import (its own files always). */
const ABOVE_NN = ['core', 'jit', 'nn', 'optim', 'models', 'diffusion'];
const ROOMS: Record<string, readonly string[]> = {
  core: [],
  jit: ['core'],
  nn: ['core', 'jit'],
  optim: ['core', 'jit'],
  models: ['core', 'jit', 'nn'],
  diffusion: ['core', 'jit'],
  objectives: ABOVE_NN,
  samplers: ABOVE_NN,
  metrics: ['core', 'jit'],
  datasets: ['core'],
  train: [...ABOVE_NN, 'objectives', 'samplers', 'metrics', 'datasets'],
  experiments: [...ABOVE_NN, 'objectives', 'samplers', 'metrics', 'datasets', 'train'],
  figures: ['core'],
  kernel: ['core'],
  notebook: ['core', 'kernel'],
  sweep: ['core', 'train', 'experiments'],
};
const EVERYTHING = [...Object.keys(ROOMS), 'sweep'];
ROOMS['cli'] = EVERYTHING;

/** Packages that only the named rooms may import. */
const PACKAGE_OWNERS: Record<string, readonly string[]> = {
  '@tensorflow/': ['jit'],
  'onnxruntime-': ['jit'],
};

const SRC = resolve(import.meta.dirname, '../../src');

function sources(dir: string): string[] {
  return readdirSync(dir, { withFileTypes: true }).flatMap((e) => {
    const path = join(dir, e.name);
    if (e.isDirectory()) return sources(path);
    return e.name.endsWith('.ts') ? [path] : [];
  });
}

const IMPORT =
  /^\s*(?:import|export)\s(?:[^'";]*?\sfrom\s)?\s*['"]([^'"]+)['"]|\bimport\(\s*['"]([^'"]+)['"]\s*\)/gm;

function importsOf(file: string): string[] {
  const text = readFileSync(file, 'utf8');
  return [...text.matchAll(IMPORT)].map((m) => m[1] ?? m[2]);
}

const files = sources(SRC);
const room = (file: string) => relative(SRC, file).split('/')[0];

describe('the rooms of src/', () => {
  it('are the ones of the architecture', () => {
    const top = readdirSync(SRC, { withFileTypes: true });
    for (const e of top) {
      if (e.isDirectory()) expect(Object.keys(ROOMS)).toContain(e.name);
      else expect(['index.ts']).toContain(e.name);
    }
  });

  it('import only what the table allows', () => {
    const wrong: string[] = [];
    for (const file of files) {
      const from = room(file);
      if (from === 'index.ts') continue;
      for (const spec of importsOf(file)) {
        if (spec.startsWith('.')) {
          const to = room(resolve(dirname(file), spec));
          const allowed = to === from || ROOMS[from].includes(to);
          if (!allowed) wrong.push(`${relative(SRC, file)} imports ${to}/ (${spec})`);
        } else {
          for (const [prefix, owners] of Object.entries(PACKAGE_OWNERS)) {
            if (spec.startsWith(prefix) && !owners.includes(from)) {
              wrong.push(`${relative(SRC, file)} imports ${spec}; only ${owners} may`);
            }
          }
        }
      }
    }
    expect(wrong).toEqual([]);
  });

  it('hold no import cycle', () => {
    const edges = new Map<string, string[]>();
    for (const file of files) {
      const text = readFileSync(file, 'utf8');
      // `import type` vanishes at compile time and cannot close a cycle at run time.
      const runtime = [...text.matchAll(IMPORT)].filter(
        (m) => !/^\s*(import|export)\s+type\s/.test(m[0]),
      );
      edges.set(
        file,
        runtime
          .map((m) => m[1] ?? m[2])
          .filter((s) => s.startsWith('.'))
          .map((s) => resolve(dirname(file), s)),
      );
    }
    const done = new Set<string>();
    const visit = (file: string, path: string[]): string[] | null => {
      const at = path.indexOf(file);
      if (at >= 0) return [...path.slice(at), file];
      if (done.has(file)) return null;
      for (const next of edges.get(file) ?? []) {
        const cycle = visit(next, [...path, file]);
        if (cycle) return cycle;
      }
      done.add(file);
      return null;
    };
    for (const file of files) {
      const cycle = visit(file, []);
      expect(cycle?.map((f) => relative(SRC, f))).toBeUndefined();
    }
  });

  it('have no default exports, no star exports and no top-level await', () => {
    for (const file of files) {
      // Template literals may hold code of somebody else's (declarations for notebook cells).
      const text = readFileSync(file, 'utf8').replaceAll(/`(?:[^`\\]|\\.)*`/gs, '``');
      expect(text, relative(SRC, file)).not.toMatch(/^export default\b/m);
      expect(text, relative(SRC, file)).not.toMatch(/^export \* from/m);
      expect(text, relative(SRC, file)).not.toMatch(/^await\s/m);
    }
  });
});
