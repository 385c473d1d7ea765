import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Content } from '../../../src/kernel/protocol/message.ts';
import { KernelClient, ofType } from '../../kernel/client.ts';
import { build, ROOT } from '../notebook/gibbs.ts';

let kernel: KernelClient;
let root: string;
beforeAll(async () => {
  build();
  root = mkdtempSync(join(tmpdir(), 'gibbs-sweep-kernel-'));
  kernel = await KernelClient.start({ cwd: ROOT });
});
afterAll(async () => {
  await kernel.close();
  rmSync(root, { recursive: true, force: true });
});

const sweepCell = (place: string) => `
  import { sweep } from 'gibbs';
  const spec = {
    experiment: 'toy', method: 'score-matching', preset: 'smoke', name: 'widths',
    grid: { 'network.width': [8, 16] },
    overrides: { steps: 1500, 'evaluation.samples': 100, 'evaluation.sampleBatch': 100 },
  };
  const result = await sweep(spec, { root: ${JSON.stringify(place)}, workers: 1 });
  result`;

/** Each run has a process that loads the engine, on a machine with other work to do. */
const LONG = 300_000;

/** What a cell's bar said, in the order of its pictures. */
const bars = (run: Awaited<ReturnType<KernelClient['execute']>>) =>
  ['display_data', 'update_display_data']
    .flatMap((type) => ofType(run, type))
    .map((content) => String((content['data'] as Content)['text/plain']));

describe('a sweep in a notebook', { timeout: LONG }, () => {
  it('shows a live bar without being asked, and the table as its value', async () => {
    const run = await kernel.execute(sweepCell(root), {}, LONG);
    expect(run.error).toBeUndefined();
    const said = bars(run);
    expect(said[0]).toMatch(/^widths .* 0\/2/);
    expect(said.some((text) => /0\/2.* 1 under way \(\d+ %\)/.test(text))).toBe(true);
    expect(said.some((text) => /1\/2/.test(text))).toBe(true);
    expect(said.at(-1)).toMatch(/^widths {2}2\/2/);
    expect(run.stderr).toBe('');
    expect(run.result).toMatch(/^network\.width +gridKl|^network\.width +modesCovered/);
  });

  it('says that runs were reused', async () => {
    const said = bars(
      await kernel.execute(
        `(await sweep(spec, { root: ${JSON.stringify(root)} })).complete`,
        {},
        LONG,
      ),
    );
    expect(said.at(-1)).toMatch(/2\/2.*2 reused/);
  });
});
