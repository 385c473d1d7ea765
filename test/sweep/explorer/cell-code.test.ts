import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ToyChoice, toyConfig } from '../../../src/experiments/toy-config.ts';
import { cellCode } from '../../../src/sweep/explorer/cell-code.ts';
import type { RunRecord } from '../../../src/train/store/record.ts';
import { RunStore } from '../../../src/train/store/run-store.ts';
import { sampleRun } from '../../train/store/sample.ts';

let place: string;
let store: RunStore;
beforeAll(() => {
  place = mkdtempSync(join(tmpdir(), "gibbs-cell-it's-"));
  store = RunStore.open(place);
});
afterAll(async () => {
  await store.database.close();
  rmSync(place, { recursive: true, force: true });
});

let serial = 0;
function recordOf(choice: ToyChoice, preset?: string): RunRecord {
  const config = toyConfig(choice);
  const labels: Record<string, string> = preset === undefined ? {} : { preset };
  const options = { experiment: 'toy', labels, config, code: String(serial++), rows: 0 };
  const { key } = sampleRun(store, 3, options);
  return store.get(key) as RunRecord;
}

/** The choices that a cell asks for, taken out of its code. */
function choicesIn(code: string): ToyChoice[] {
  const list = /const choices = (\[[\s\S]*?\n\]) as const;/.exec(code)?.[1];
  return Function(`return ${list}`)() as ToyChoice[];
}

describe('a cell that trains runs again', () => {
  it.each<[string, ToyChoice]>([
    ['a preset as it is', { preset: 'smoke' }],
    ['a changed setting', { preset: 'quick', overrides: { 'diffusion.T': 3, steps: 77 } }],
    ['another method and data set', { method: 'meg', dataset: 'pinwheel', preset: 'paper' }],
    ['a text and a number', { overrides: { 'objective.divergence': 'kl', 'network.width': 32 } }],
  ])('leads to the same configuration: %s', async (_, choice) => {
    const record = recordOf(choice, choice.preset);
    const { code, reason } = await cellCode('rerun', store.place, [record]);
    expect(reason).toBeNull();
    const [found] = choicesIn(code as string);
    expect(toyConfig(found)).toEqual(record.config);
    expect(found).toMatchObject({ seed: 3 });
  });

  it('changes as little as possible', async () => {
    const overrides = { 'diffusion.T': 3 };
    const record = recordOf({ preset: 'smoke', overrides });
    const { code } = await cellCode('rerun', store.place, [record, record]);
    const all = choicesIn(code as string);
    expect(all).toHaveLength(2);
    expect(all[0]).toMatchObject({ preset: 'smoke', overrides });
  });

  it('says why there is none: another experiment, a setting that is no more', async () => {
    const other = store.get(sampleRun(store, 1, { code: 'other' }).key) as RunRecord;
    const { code, reason } = await cellCode('rerun', store.place, [other]);
    expect({ code, reason }).toEqual({ code: null, reason: expect.stringContaining("'sample'") });
    const record = recordOf({ preset: 'smoke' });
    const older = { ...record, config: { ...(record.config as object), retired: 1 } };
    const said = await cellCode('rerun', store.place, [older]);
    expect(said.code).toBeNull();
    expect(said.reason).toMatch(/no preset of this version leads to the configuration/);
  });
});

describe('a cell that opens runs', () => {
  it('names the store and the runs, quotes included', async () => {
    const record = recordOf({ preset: 'smoke' });
    const { code } = await cellCode('open', store.place, [record]);
    expect(code).toContain(`RunStore.open('${store.place.replaceAll("'", "\\'")}')`);
    expect(code).toContain(`  '${record.key}',\n`);
  });
});
