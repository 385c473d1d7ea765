import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { packageVersion } from '../../src/core/versions.ts';
import { runKey } from '../../src/train/run.ts';
import { RunStore } from '../../src/train/store/run-store.ts';
import { StoreRun } from '../../src/train/store/store-run.ts';
import { serve } from '../lib/serve.ts';

/** A configuration of the size of the toy experiment's. */
const config = (i: number) => ({
  ...{ revision: 1, method: 'ddaebm', dataset: '25gaussians', steps: 180_000, batch: 200 },
  evaluation: { samples: 10_000, sampleBatch: 1000, gridSize: 100, limit: 4 },
  optimizer: { energyRate: 1e-4, generatorRate: 1e-4, beta1: 0, beta2: 0.9, schedule: 'cosine' },
  diffusion: { T: 1 + (i % 8), betaMin: 0.1, betaMax: 20 },
  network: { width: 200, latentDim: 2 },
});

const identity = (i: number) => ({ experiment: 'bench', config: config(i), seed: i, code: 'b' });

/** A store of finished runs. */
function filled(place: string, runs: number): RunStore {
  const store = RunStore.open(place);
  const first = StoreRun.open(store, identity(0));
  first.finish({ steps: 180_000, seconds: 1234.5, metrics: { gridKl: 0.1, mmd: 1e-3 } });
  const template = store.resolve(first.key);
  for (let i = 1; i < runs; i++) {
    const key = runKey(identity(i));
    store.update(key, () => ({ ...template, ...identity(i), key, folder: key }));
  }
  return store;
}

await serve<number>(
  ({ rest }) => {
    const runs = Number(rest['runs'] ?? 0);
    // An append is on the disk when it returns; a listing reads memory, and is filled faster there.
    const inMemory = runs > 0 && existsSync('/dev/shm');
    const place = mkdtempSync(join(inMemory ? '/dev/shm' : tmpdir(), 'gibbs-bench-store-'));
    process.on('exit', () => rmSync(place, { recursive: true, force: true }));
    const versions = { lmdb: packageVersion('lmdb') ?? 'unknown' };
    let row = 0;
    if (runs > 0) {
      const store = filled(place, runs);
      const step = () => {
        const found = store.list();
        if (found.length !== runs) throw new Error(`listed ${found.length} of ${runs} runs`);
      };
      return { name: `Gibbs, lmdb ${versions.lmdb}`, versions, draw: () => 0, step };
    }
    const run = StoreRun.open(RunStore.open(place), identity(0));
    const step = (at: number) => run.log({ step: at, energyLoss: 0.1 + at, generatorLoss: -0.2 });
    return { name: `Gibbs, lmdb ${versions.lmdb}`, versions, draw: () => ++row, step };
  },
  ['runs'],
);
