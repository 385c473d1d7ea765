import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { unbuiltSource } from '../../src/notebook/built.ts';
import { moduleEdges } from '../../src/notebook/imports.ts';
import { reachedSources } from '../../src/notebook/sources.ts';
import { temporaryFolder } from './fixtures.ts';

const root = temporaryFolder();
const put = (path: string, content: string) => {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), content);
};
put(
  'src/index.ts',
  `export { toy, type ToyResult } from './experiments/toy.ts';
export { wide as panel } from './figures/panel.ts';
export type { Only } from './types-only.ts';
`,
);
put(
  'src/experiments/toy.ts',
  "import { a } from '../core/a.ts'; import type { T } from '../core/t.ts'; export const toy = () => import('../core/late.ts');",
);
put(
  'src/core/a.ts',
  "export { b } from './b.ts'; import './a.ts'; import { tf } from '@tensorflow/tfjs';",
);
put('src/core/b.ts', 'export const b = 1;');
put('src/core/t.ts', 'export type T = 1;');
put('src/core/late.ts', '');
put('src/types-only.ts', '');
put('src/figures/panel.ts', "export const wide = 1; import data from './table.json';");
put('src/figures/table.json', '{}');
put('notebooks/local.ts', "import { toy } from 'gibbs';");

const reached = (...codes: string[]) => reachedSources(codes, join(root, 'notebooks'), root);
const TOY = ['src/core/a.ts', 'src/core/b.ts', 'src/core/late.ts', 'src/experiments/toy.ts'];

describe('the sources a notebook reaches', () => {
  it('are those behind the names it takes from gibbs, transitively', () => {
    expect(reached("import { toy } from 'gibbs';")).toEqual(TOY);
    expect(reached("import { panel as p } from 'gibbs';")).toEqual([
      'src/figures/panel.ts',
      'src/figures/table.json',
    ]);
    expect(reached("import * as gibbs from 'gibbs';")).toHaveLength(6);
    expect(reached("const g = await import('gibbs');")).toHaveLength(6);
  });

  it('do not include types, packages, or what cannot be found or parsed', () => {
    expect(
      reached("import type { toy } from 'gibbs'; import { type ToyResult } from 'gibbs';"),
    ).toEqual([]);
    expect(
      reached("import fs from 'node:fs'; import './none.ts'; import '../../outside.ts';"),
    ).toEqual([]);
    expect(reached('this is ( not code', 'const x = 1')).toEqual([]);
  });

  it("include the notebook's own files and what these take", () => {
    expect(reached("import './local.ts';")).toEqual(['notebooks/local.ts', ...TOY]);
    expect(reached("import './local';")).toEqual(reached("import './local.js';"));
  });
});

describe('moduleEdges', () => {
  it('finds imports as the parser does, not as text looks', () => {
    const edges = moduleEdges(
      'const s = "import \'no\'"; // import("no")\nimport d, { x as y, type T } from "a"; await import(`b`);',
    );
    expect(edges.uses).toEqual([
      { specifier: 'a', names: ['default', 'x'] },
      { specifier: 'b', names: 'all' },
    ]);
  });
});

describe('the build of the sources', () => {
  const built = (path: string, content: string | undefined) =>
    put(`dist/${path}.js.map`, JSON.stringify({ sourcesContent: [content] }));

  it('is not asked for where nothing is built', () => {
    expect(unbuiltSource(TOY, root)).toBeUndefined();
  });

  it('must be that of the present text', () => {
    put('dist/index.js', '');
    expect(unbuiltSource(['src/core/b.ts'], root)).toBe('src/core/b.ts');
    built('core/b', 'export const b = 1;');
    expect(unbuiltSource(['src/core/b.ts', 'src/figures/table.json'], root)).toBeUndefined();
    built('core/b', 'export const b = 2;');
    expect(unbuiltSource(['src/core/b.ts'], root)).toBe('src/core/b.ts');
    expect(unbuiltSource(['notebooks/local.ts'], root)).toBeUndefined();
  });
});
