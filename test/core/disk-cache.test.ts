import { mkdtempSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { DiskCache } from '../../src/core/disk-cache.ts';

let root: string;
const setting = process.env['GIBBS_CACHE'];

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'gibbs-cache-'));
  process.env['GIBBS_CACHE'] = root;
});
afterEach(() => {
  if (setting === undefined) delete process.env['GIBBS_CACHE'];
  else process.env['GIBBS_CACHE'] = setting;
  rmSync(root, { recursive: true, force: true });
});

const bytes = (...values: number[]) => new Uint8Array(values);
const files = () => readdirSync(join(root, 'kind')).map((name) => join(root, 'kind', name));

describe('a cache on disk', () => {
  it('gives back what was written last, and nothing for another key', () => {
    const cache = new DiskCache('kind', '.bin', 10);
    cache.write('a', bytes(1, 2));
    cache.write('a', bytes(3));
    cache.write('empty', bytes());
    expect([...(cache.read('a') ?? [])]).toEqual([3]);
    expect(cache.read('empty')).toHaveLength(0);
    expect(cache.read('b')).toBeUndefined();
    expect(new DiskCache('other', '.bin', 10).read('a')).toBeUndefined();
  });

  it('has nothing for a key whose entry is damaged', () => {
    const cache = new DiskCache('kind', '.bin', 10);
    cache.write('a', bytes(1, 2, 3));
    const [path] = files();
    const whole = readFileSync(path);
    for (let at = 0; at < whole.length; at += 5) {
      writeFileSync(
        path,
        whole.map((v, i) => (i === at ? v ^ 4 : v)),
      );
      expect(cache.read('a')).toBeUndefined();
      writeFileSync(path, whole.subarray(0, at));
      expect(cache.read('a')).toBeUndefined();
    }
  });

  it('drops what was not used for longest', () => {
    const cache = new DiskCache('kind', '.bin', 2);
    cache.write('a', bytes(1));
    cache.write('b', bytes(2));
    for (const path of files()) utimesSync(path, 1000, 1000);
    cache.read('a');
    cache.write('c', bytes(3));
    expect(['a', 'b', 'c'].filter((key) => cache.read(key))).toEqual(['a', 'c']);
    expect(files()).toHaveLength(2);
  });

  it('is without effect where it is turned off or cannot be written', () => {
    const cache = new DiskCache('kind', '.bin', 2);
    writeFileSync(join(root, 'file'), '');
    for (const where of ['off', join(root, 'file')]) {
      process.env['GIBBS_CACHE'] = where;
      cache.write('a', bytes(1));
      expect(cache.read('a')).toBeUndefined();
    }
    expect(readdirSync(root)).toEqual(['file']);
  });
});
