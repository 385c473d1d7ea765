import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sizeOfPng, textsOf } from '../../src/figures/png.ts';
import { provenanceOf } from '../../src/figures/render.ts';
import { checkpointFiles } from '../../src/train/checkpoint.ts';
import { RunStore } from '../../src/train/store/run-store.ts';
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

const pause = (ms: number) => new Promise((done) => setTimeout(done, ms));

/** The iteration of the newest checkpoint of the only run below `out`; 0 without any. */
function latestStep(out: string): number {
  const runs = join(root, out, 'toy');
  const [folder] = existsSync(runs) ? readdirSync(runs) : [];
  return folder === undefined
    ? 0
    : Number(checkpointFiles(join(runs, folder))[0]?.slice(11, 20) ?? 0);
}

const seriesOf = (out: string, key: string) => RunStore.open(join(root, out)).metrics(key);

describe('a toy run', () => {
  let whole: { key: string; checksum: string; metrics: Record<string, number> };

  it('trains, evaluates and says what came out', async () => {
    const { code, stdout, stderr } = await gibbs(toy('whole'));
    expect({ code, error: stderr.match(/gibbs:.*/)?.[0] }).toEqual({ code: 0, error: undefined });
    whole = JSON.parse(stdout);
    expect(whole).toMatchObject({ steps: 240, reused: false, preset: 'smoke' });
    expect(whole.metrics).toMatchObject({ modes: 25 });
    expect(stderr).toMatch(/240\/240 .* it\/s .*done in/);
    expect(seriesOf('whole', whole.key).map(({ step }) => step)).toEqual([100, 200, 240]);
  });

  it('is reused when asked for again, and trained again when fresh', async () => {
    const again = JSON.parse((await gibbs(toy('whole'))).stdout);
    expect(again).toMatchObject({ reused: true, checksum: whole.checksum });
    const fresh = JSON.parse((await gibbs(toy('whole', '--fresh'))).stdout);
    expect(fresh).toMatchObject({ reused: false, checksum: whole.checksum });
  });

  it('killed again and again, ends with the same bits', async () => {
    // Iterations to let pass before each kill; 0: while it still compiles.
    for (const passed of [0, 1, 17, 44, 2, 0, 31, 8]) {
      const before = latestStep('killed');
      const run = startGibbs(toy('killed'));
      await run.saw(/compiling/);
      while (latestStep('killed') < before + passed && run.child.exitCode === null) await pause(2);
      // Somewhere within the next iteration or two: drawing, computing, writing a checkpoint.
      await pause((passed * 7) % 23);
      run.child.kill('SIGKILL');
      expect((await run.finished).signal).toBe('SIGKILL');
    }
    const { code, stdout, stderr } = await gibbs(toy('killed'));
    expect({ code, error: stderr.match(/gibbs:.*/)?.[0] }).toEqual({ code: 0, error: undefined });
    expect(stderr).toMatch(/resuming at iteration 1\d\d/);
    const result = JSON.parse(stdout);
    expect(result.checksum).toBe(whole.checksum);
    expect(result.metrics).toEqual(whole.metrics);
    expect(seriesOf('killed', whole.key)).toEqual(seriesOf('whole', whole.key));
    const record = RunStore.open(join(root, 'killed')).resolve('latest');
    expect(record).toMatchObject({ key: whole.key, status: 'finished', starts: 9 });
    expect((await gibbs(['runs', 'verify', '--store', join(root, 'killed')])).code).toBe(0);
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
    expect(rest.stderr).toContain(`resuming at iteration ${step}`);
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
      ...[
        'figure',
        '1',
        '--methods',
        'ddaebm',
        '--preset',
        'smoke',
        '--runs',
        join(root, 'figure-runs'),
      ],
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

  it('is drawn from published parameters, the same bytes each time', async () => {
    const draw = (out: string) => gibbs(['figure', '1', '--out', join(root, out)]);
    expect(await draw('published')).toMatchObject({ code: 0 });
    await draw('published-again');
    for (const type of ['svg', 'png', 'json']) {
      const [a, b] = ['published', 'published-again'].map((out) =>
        readFileSync(join(root, out, `fig1-toy-comparison.${type}`)),
      );
      expect({ type, same: a.equals(b) }).toEqual({ type, same: true });
    }
    const details = JSON.parse(
      readFileSync(join(root, 'published', 'fig1-toy-comparison.json'), 'utf8'),
    );
    const ddaebm = details.runs.find(
      (run: { model: string; dataset: string }) =>
        run.model === 'ddaebm' && run.dataset === '25gaussians',
    );
    expect(ddaebm).toMatchObject({ from: 'checkpoint', metrics: { modesCovered: 25, modes: 25 } });
    const mixed = await gibbs(['figure', '1', '--from-checkpoints', '--preset', 'quick']);
    expect(mixed).toMatchObject({ code: 2 });
    expect(mixed.stderr).toMatch(/does not go with --preset/);
  });

  it('names the model whose training failed, in one line', async () => {
    const { code, stderr } = await gibbs([
      ...[
        'figure',
        '1',
        '--methods',
        'ddaebm',
        '--preset',
        'smoke',
        '--set',
        'optimizer.energyRate=1e30',
      ],
      ...['--runs', join(root, 'failing'), '--out', join(root, 'never')],
    ]);
    expect(code).toBe(1);
    expect(stderr).toMatch(
      /\ngibbs: (25gaussians|pinwheel): ddaebm: [^\n]* after iteration \d+[^\n]*\n$/,
    );
  });

  it('stopped by Ctrl-C stops both trainings with checkpoints', async () => {
    const runs = join(root, 'stopped-figure');
    const run = startGibbs([
      ...[
        'figure',
        '1',
        '--methods',
        'ddaebm',
        '--preset',
        'smoke',
        '--set',
        'steps=100000',
        '--runs',
        runs,
      ],
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
    }
    expect(RunStore.open(runs).list({ status: ['stopped'] })).toHaveLength(2);
    expect(existsSync(join(root, 'never'))).toBe(false);
  });
});
