import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { hostTensor } from '../../src/core/host-tensor.ts';
import { cifar10Config } from '../../src/experiments/cifar10-config.ts';
import { cifar10Details } from '../../src/experiments/cifar10-details.ts';

const folder = mkdtempSync(join(tmpdir(), 'gibbs-cifar10-details-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const energies = (...values: number[]) => hostTensor(Float32Array.from(values), [values.length]);
const config = cifar10Config('smoke');

describe('the details of a run of cifar10', () => {
  it('hold what its arrays tell, where samples and checkpoints are gone', () => {
    const arrays = {
      'energy/test': energies(-1, -2, -3, -4),
      'energy/generated': energies(-1, -1),
      'energy/noise 0.1': energies(-1.5, -2.5),
      'energy/noise 0.5': energies(-9, -4),
    };
    // Of 8 pairs, test images are above in 3 and 4 + 3 + half a tie.
    expect(cifar10Details(folder, { config, seed: 0, arrays })).toEqual({
      numbers: { 'auroc.noise 0.1': 3 / 8, 'auroc.noise 0.5': 7.5 / 8 },
    });
  });

  it('are empty for a run without energies', () => {
    expect(cifar10Details(folder, { config, seed: 0, arrays: {} })).toEqual({ numbers: {} });
  });
});
