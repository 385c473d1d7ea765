import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { hostTensor } from '../../src/core/host-tensor.ts';
import { keptRun, shipRun } from '../../src/experiments/kept-run.ts';

const root = mkdtempSync(join(tmpdir(), 'gibbs-ship-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

describe('shipRun', () => {
  it('makes a run that is found before any data or code is looked at', async () => {
    const shipped = join(root, 'shipped');
    const identity = { experiment: 'test', config: { a: 1 }, seed: 3 };
    const refuse = () => {
      throw new Error('the data are not here');
    };
    const arrays = { x: hostTensor(Float32Array.of(1, 2), [2]) };
    const trained = await keptRun(
      { ...identity, computation: refuse },
      { root: join(root, 'runs'), plain: true, shipped: null },
      async () => ({ numbers: { n: 7 }, arrays, steps: 5, seconds: 0.1, checksum: 'c' }),
    );
    const folder = shipRun('test', trained, shipped);
    expect(readdirSync(folder).sort()).toEqual(['arrays.safetensors', 'result.json']);
    const options = { root: join(root, 'other'), shipped, shippedFirst: true };
    const found = await keptRun({ ...identity, computation: refuse }, options, refuse);
    expect(found).toMatchObject({ origin: 'shipped', numbers: { n: 7 }, steps: 5, seed: 3 });
    expect(found.arrays['x'].data).toEqual(Float32Array.of(1, 2));
    const fresh = keptRun(
      { ...identity, config: { a: 2 }, computation: refuse },
      options,
      async () => refuse(),
    );
    await expect(fresh).rejects.toThrow('the data are not here');
  });
});
