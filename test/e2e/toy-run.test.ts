import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sizeOfPng, textsOf } from '../../src/figures/png.ts';
import { provenanceOf } from '../../src/figures/render.ts';
import { gibbs, startGibbs } from '../cli/gibbs.ts';

let root: string;
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'gibbs-e2e-'));
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

/** A run long enough to be killed in the middle, with a checkpoint at almost every moment. */
const toy = (out: string, ...more: string[]) => [
  ...['run', 'toy', '--preset', 'smoke', '--steps', '240', '--json', '--out', join(root, out)],
  ...['--checkpoint', '0', ...more],
];

const metricsOf = (folder: string) => readFileSync(join(folder, 'metrics.jsonl'), 'utf8');

describe('a toy run', () => {
  let whole: { checksum: string; folder: string; metrics: Record<string, number> };

  it('trains, evaluates and says what came out', async () => {
    const { code, stdout, stderr } = await gibbs(toy('whole'));
    expect({ code, error: stderr.match(/gibbs:.*/)?.[0] }).toEqual({ code: 0, error: undefined });
    whole = JSON.parse(stdout);
    expect(whole).toMatchObject({ steps: 240, reused: false, preset: 'smoke' });
    expect(whole.metrics).toMatchObject({ modes: 25 });
    expect(stderr).toMatch(/240\/240 .* it\/s .*done in/);
    expect(metricsOf(whole.folder).trim().split('\n')).toHaveLength(3);
  });

  it('is reused when asked for again, and trained again when fresh', async () => {
    const again = JSON.parse((await gibbs(toy('whole'))).stdout);
    expect(again).toMatchObject({ reused: true, checksum: whole.checksum });
    const fresh = JSON.parse((await gibbs(toy('whole', '--fresh'))).stdout);
    expect(fresh).toMatchObject({ reused: false, checksum: whole.checksum });
  });

  it('killed again and again, ends with the same bits', async () => {
    let kills = 0;
    for (let attempt = 0; attempt < 40; attempt++) {
      const run = startGibbs(toy('killed'));
      await run.saw(/compiling/);
      // From before the first iteration to somewhere in the middle, different each time.
      const patience = 150 + ((attempt * 373) % 1100);
      const timer = setTimeout(() => run.child.kill('SIGKILL'), patience);
      const { signal, code, stdout, stderr } = await run.finished;
      clearTimeout(timer);
      if (signal === 'SIGKILL') {
        kills++;
        continue;
      }
      expect({ code, error: stderr.match(/gibbs:.*/)?.[0] }).toEqual({ code: 0, error: undefined });
      const result = JSON.parse(stdout);
      expect(result.checksum).toBe(whole.checksum);
      expect(result.metrics).toEqual(whole.metrics);
      expect(metricsOf(result.folder)).toBe(metricsOf(whole.folder));
      expect(readdirSync(result.folder).filter((name) => name.startsWith('lock'))).toEqual([]);
      expect(kills).toBeGreaterThanOrEqual(3);
      return;
    }
    throw new Error(`no attempt of 40 came to its end`);
  });

  it('stopped by Ctrl-C writes a checkpoint, exits with 130 and goes on later', async () => {
    const run = startGibbs(toy('stopped', '--checkpoint', '1000'));
    await run.saw(/ 1\/240/);
    run.child.kill('SIGINT');
    const { code, stderr, stdout } = await run.finished;
    expect({ code, stdout }).toEqual({ code: 130, stdout: '' });
    const step = /stopped at iteration (\d+), the checkpoint is kept/.exec(stderr)?.[1];
    expect(Number(step)).toBeGreaterThan(0);
    const rest = await gibbs(toy('stopped', '--resume'));
    expect(JSON.parse(rest.stdout).checksum).toBe(whole.checksum);
  });

  it('refuses to be trained twice at once', async () => {
    const first = startGibbs(toy('twice'));
    await first.saw(/compiling/);
    const second = await gibbs(toy('twice'));
    expect(second.code).toBe(1);
    expect(second.stderr).toMatch(
      new RegExp(`already being worked on by process ${first.child.pid}`),
    );
    first.child.kill('SIGKILL');
    await first.finished;
  });

  it('stops when the loss is no number, naming it', async () => {
    const { code, stderr } = await gibbs(toy('diverged', '--set', 'optimizer.energyRate=1e30'));
    expect(code).toBe(1);
    expect(stderr).toMatch(
      /gibbs: ddaebm: (metric '\w+'|the state's \S+) is \S+ after iteration \d+/,
    );
  });
});

describe('figure 1', () => {
  it('trains both models, draws three files, and draws the same bytes again', async () => {
    const args = (out: string) => [
      ...['figure', '1', '--preset', 'smoke', '--runs', join(root, 'figure-runs')],
      ...['--out', join(root, out)],
    ];
    const first = await gibbs(args('pictures'));
    expect(first).toMatchObject({ code: 0 });
    expect(first.stderr).toMatch(/25gaussians .*done/);
    expect(first.stderr).toMatch(/pinwheel .*done/);
    const second = await gibbs(args('pictures-again'));
    expect(second.stderr).toMatch(/trained already/);
    const file = (out: string, type: string) =>
      readFileSync(join(root, out, `fig1-toy-density.${type}`));
    for (const type of ['svg', 'png', 'json']) {
      const same = file('pictures', type).equals(file('pictures-again', type));
      expect({ type, same }).toEqual({ type, same: true });
    }
    const provenance = provenanceOf(file('pictures', 'svg').toString('utf8'));
    expect(provenance).toMatchObject({ preset: 'smoke', seed: 0, figure: 'fig1-toy-density' });
    expect((provenance as { runs: object[] }).runs).toMatchObject([
      { dataset: '25gaussians', steps: 60 },
      { dataset: 'pinwheel', steps: 60 },
    ]);
    const png = new Uint8Array(file('pictures', 'png'));
    expect(JSON.parse(textsOf(png)['gibbs'])).toEqual(provenance);
    expect(sizeOfPng(png).width).toBeGreaterThan(1200);
    const details = JSON.parse(file('pictures', 'json').toString('utf8'));
    expect(details.runs[0].metrics).toHaveProperty('gridKl');
  });

  it('stopped by Ctrl-C stops both trainings with checkpoints', async () => {
    const runs = join(root, 'stopped-figure');
    const run = startGibbs([
      ...['figure', '1', '--preset', 'smoke', '--set', 'steps=100000', '--runs', runs],
      ...['--out', join(root, 'never')],
    ]);
    await run.saw(/25gaussians .* [1-9]\d*\/100000/);
    await run.saw(/pinwheel .* [1-9]\d*\/100000/);
    run.child.kill('SIGINT');
    const { code, stderr } = await run.finished;
    expect(code).toBe(130);
    expect(stderr).toMatch(/checkpoints are kept/);
    const folders = readdirSync(join(runs, 'toy'));
    expect(folders).toHaveLength(2);
    for (const folder of folders) {
      const names = readdirSync(join(runs, 'toy', folder));
      expect(names.some((name) => name.endsWith('.safetensors'))).toBe(true);
      expect(names).not.toContain('lock');
    }
    expect(existsSync(join(root, 'never'))).toBe(false);
  });
});
