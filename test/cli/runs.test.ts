import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { parseCommandLine } from '../../src/cli/command.ts';
import { runsCommand } from '../../src/cli/commands/runs.ts';
import { sweepCommand } from '../../src/cli/commands/sweep.ts';
import { ConfigError } from '../../src/core/errors.ts';
import { RunStore } from '../../src/train/store/run-store.ts';
import { sampleRun } from '../train/store/sample.ts';

let place: string;
let keys: string[];
beforeAll(() => {
  place = mkdtempSync(join(tmpdir(), 'gibbs-cli-runs-'));
  const store = RunStore.open(place);
  keys = ['kl', 'jeffreys'].map(
    (divergence, seed) => sampleRun(store, seed, { config: { objective: { divergence } } }).key,
  );
});
afterAll(() => rmSync(place, { recursive: true, force: true }));

/** Runs a command in this process. */
async function said(...argv: string[]): Promise<{ code: number; stdout: string }> {
  let stdout = '';
  const spy = vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    stdout += text;
    return true;
  });
  try {
    const code = await runsCommand.run(parseCommandLine(runsCommand, [...argv, '--store', place]));
    return { code, stdout };
  } finally {
    spy.mockRestore();
  }
}
const json = async (...argv: string[]) => JSON.parse((await said(...argv, '--json')).stdout);

describe('gibbs runs', () => {
  it('lists what a filter lets through, for people and as JSON', async () => {
    const { runs } = await json('ls', '--where', 'objective.divergence=kl');
    expect(runs).toMatchObject([{ key: keys[0], seed: 0, status: 'finished', step: 3 }]);
    const { stdout } = await said('ls');
    expect(stdout).toMatch(/^run +status +step .*objective\.divergence +loss\n/);
    expect(stdout.trimEnd()).toMatch(new RegExp(`${keys[1]} .*jeffreys.*\n2 runs in`));
  });

  it('shows a run with the checksum of its final parameters', async () => {
    const shown = await json('show', 'latest', '--series');
    expect(shown).toMatchObject({ key: keys[1], rows: 3, starts: 1 });
    expect(shown.checksum).toBe(RunStore.open(place).resolve(keys[1]).checksum);
    expect(shown.checksum).toMatch(/^[0-9a-f]{64}$/);
    expect(shown.environment).toMatchObject({ node: process.version });
    expect(shown.series).toHaveLength(3);
    expect((await said('show', keys[0])).stdout).toContain('objective.divergence = kl');
  });

  it('says what two runs differ in', async () => {
    const { differences } = await json('diff', keys[0], keys[1]);
    expect(differences.map(({ what }: { what: string }) => what)).toEqual([
      'seed',
      'objective.divergence',
      'metrics.loss',
      'checksum',
    ]);
    expect((await said('diff', keys[0], keys[0])).stdout).toMatch(/do not differ/);
  });

  it('exports, imports, removes and verifies', async () => {
    const file = join(place, 'out.runs');
    expect(await json('export', '--out', file)).toMatchObject({ keys });
    expect(await json('rm', '--where', 'seed=1', '--dry-run')).toMatchObject({ keys: [keys[1]] });
    await said('rm', keys[1]);
    expect((await json('ls')).runs).toHaveLength(1);
    const { runs } = await json('import', file);
    expect(runs.map(({ outcome }: { outcome: string }) => outcome)).toEqual(['present', 'added']);
    const fine = await said('verify');
    expect(fine).toMatchObject({ code: 0 });
    expect(fine.stdout).toMatch(/2 runs, 6 rows, \d+ files: all is well/);
    const [{ folder }] = RunStore.open(place).list();
    writeFileSync(join(place, folder, 'arrays.safetensors'), 'x');
    const bad = await said('verify');
    expect(bad).toMatchObject({ code: 1 });
    expect(bad.stdout).toMatch(/arrays\.safetensors does not match its SHA-256/);
    expect((await json('verify', keys[1])).problems).toEqual([]);
    expect((await json('gc')).removed).toHaveLength(2);
  });

  it.each<[string[], RegExp]>([
    [[], /which of ls, show/],
    [['list'], /unknown runs command 'list'.*did you mean 'ls'/],
    [['show'], /takes one name/],
    [['show', 'zzz'], /no run 'zzz'/],
    [['diff', 'a'], /takes two names, got 1/],
    [['ls', 'x'], /takes no name/],
    [['rm'], /takes names, or a filter/],
    [['rm', 'x', '--where', 'seed=1'], /names or filters, not both/],
    [['export'], /--out FILE is missing/],
    [['import'], /one or more files/],
    [['ls', '--where', 'seed'], /PATH=VALUE/],
    [['ls', '--where', 'sed=1'], /unknown setting 'sed'/],
    [['ls', '--status', 'done'], /unknown status 'done'/],
    [['ls', '--out', 'x'], /--out does not belong to 'gibbs runs ls'/],
    [['ls', '--limit', 'many'], /--limit must be a whole number/],
  ])('refuses %j in one line', async (argv, message) => {
    const wrong = () => said(...argv);
    await expect(wrong()).rejects.toThrow(ConfigError);
    await expect(wrong()).rejects.toThrow(message);
  });
});

describe('gibbs sweep', () => {
  const run = async (...argv: string[]) => sweepCommand.run(parseCommandLine(sweepCommand, argv));

  it.each<[string[], RegExp]>([
    [['x.json', '--on', 'sge'], /unknown place for a sweep 'sge'/],
    [['x.json', '--watch'], /--watch goes with --on slurm/],
    [['x.json', '--on', 'slurm', '--jobs', '2'], /--jobs is for local sweeps/],
    [['none.json'], /there is no file none\.json/],
  ])('refuses %j in one line', async (argv, message) => {
    await expect(run(...argv)).rejects.toThrow(message);
  });
});
