import { execFileSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { jit, type Tensor, tf } from '../../src/jit/index.ts';

let folder: string;
const setting = process.env['GIBBS_CACHE'];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'gibbs-cache-'));
  process.env['GIBBS_CACHE'] = folder;
});
afterEach(() => {
  process.env['GIBBS_CACHE'] = setting;
  rmSync(folder, { recursive: true, force: true });
});

/** A fresh function that traces to the same graph each time. */
const fresh = (scale = 3) => jit((v: Tensor) => v.mul(scale).add(1).tanh(), { name: 'cached' });
const x = tf.tensor1d([0.1, -0.2]);
const entries = () => readdirSync(join(folder, 'jit')).map((name) => join(folder, 'jit', name));
const values = (t: Tensor) => Array.from(t.dataSync());

describe('the cache on disk', () => {
  it('answers for an equal graph, with the same bits', () => {
    const [first, second] = [fresh(), fresh()];
    const want = values(first(x));
    expect(values(second(x))).toEqual(want);
    expect(first.stats().cacheHits).toBe(0);
    expect(second.stats()).toMatchObject({ cacheHits: 1, traces: 1 });
    expect(second.stats().nodesExecuted).toBe(first.stats().nodesExecuted);
    expect(entries().length).toBe(1);
  });

  it('does not answer for another graph', () => {
    fresh(3)(x);
    const other = fresh(4);
    expect(values(other(x))[0]).toBeCloseTo(Math.tanh(1.4), 6);
    expect(other.stats().cacheHits).toBe(0);
    expect(entries().length).toBe(2);
  });

  it.each<[string, (bytes: Buffer) => Buffer]>([
    ['a flipped bit', (b) => Buffer.from(b.map((v, i) => (i === b.length - 9 ? v ^ 1 : v)))],
    ['half of it', (b) => b.subarray(0, b.length / 2)],
    ['nothing', () => Buffer.alloc(0)],
    ['text', () => Buffer.from('not a model')],
  ])('a damaged entry (%s) is compiled again and replaced', (_, damage) => {
    const want = values(fresh()(x));
    const [path] = entries();
    const good = readFileSync(path);
    writeFileSync(path, damage(good));
    const again = fresh();
    expect(values(again(x))).toEqual(want);
    expect(again.stats().cacheHits).toBe(0);
    expect(readFileSync(path).equals(good)).toBe(true);
  });

  it('a folder that cannot be made costs nothing but time', () => {
    writeFileSync(join(folder, 'file'), '');
    process.env['GIBBS_CACHE'] = join(folder, 'file', 'below a file');
    expect(values(fresh()(x))[1]).toBeCloseTo(Math.tanh(0.4), 6);
  });

  it.skipIf(process.getuid?.() === 0)('nor does a read-only one', () => {
    chmodSync(folder, 0o500);
    expect(values(fresh()(x))[1]).toBeCloseTo(Math.tanh(0.4), 6);
    chmodSync(folder, 0o700);
  });

  it('is turned off by GIBBS_CACHE=off', () => {
    process.env['GIBBS_CACHE'] = 'off';
    fresh()(x);
    const second = fresh();
    second(x);
    expect(second.stats().cacheHits).toBe(0);
    expect(readdirSync(folder)).toEqual([]);
  });

  it('answers in another process', () => {
    const index = fileURLToPath(new URL('../../src/jit/index.ts', import.meta.url));
    const script = join(folder, 'script.mts');
    writeFileSync(
      script,
      `import { jit, tf } from ${JSON.stringify(index)};
       const f = jit((v) => v.mul(3).add(1).tanh(), { name: 'cached' });
       const y = Array.from(f(tf.tensor1d([0.1, -0.2])).dataSync());
       console.log(JSON.stringify({ y, hits: f.stats().cacheHits }));`,
    );
    const run = () => {
      const args = ['--import', 'tsx', script];
      const cwd = fileURLToPath(new URL('../..', import.meta.url));
      const out = execFileSync(process.execPath, args, { cwd, encoding: 'utf8' });
      return JSON.parse(out.trim().split('\n').at(-1) ?? '');
    };
    const [first, second] = [run(), run()];
    expect([first.hits, second.hits]).toEqual([0, 1]);
    expect(second.y).toEqual(first.y);
    expect(second.y).toEqual(values(fresh()(x)));
  });
});
