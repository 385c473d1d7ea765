import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { findPythons, majorMinor } from '../../bench/lib/pythons.ts';

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'gibbs-pythons-'));
});

afterEach(() => rmSync(folder, { recursive: true }));

/** An executable that answers the probe with `answer`, whatever it is asked. */
function pretend(name: string, answer: unknown): string {
  const path = join(folder, name);
  writeFileSync(path, `#!/bin/sh\necho '${JSON.stringify(answer)}'\n`);
  chmodSync(path, 0o755);
  return path;
}

describe('findPythons', () => {
  it('keeps those with a library, named ones first, each installation once', async () => {
    const named = pretend('named', { id: ['venv', 'x'], torch: '2.9.0', jax: null });
    pretend('python3', { id: ['usr', 'x'], torch: null, jax: '0.7.1' });
    pretend('python', { id: ['usr', 'x'], torch: null, jax: '0.7.1' });
    const bare = pretend('bare', { id: ['other', 'x'], torch: null, jax: null });
    const env = { GIBBS_BENCH_PYTHON: `${named}:${bare}:${join(folder, 'absent')}`, PATH: folder };
    const found = (await findPythons(env)).filter((p) => p.executable.startsWith(folder));
    expect(found).toEqual([
      { executable: named, libraries: { torch: '2.9.0' } },
      { executable: join(folder, 'python3'), libraries: { jax: '0.7.1' } },
    ]);
  });
});

describe('majorMinor', () => {
  it('reads the versions that distributions make up', () => {
    expect(majorMinor('2.15.0+cu132')).toEqual([2, 15]);
    expect(majorMinor('1.13.0a0')).toEqual([1, 13]);
    expect(majorMinor('unknown')).toEqual([0, 0]);
  });
});
