import { hostTensor } from '../../../src/core/host-tensor.ts';
import { encodeSafetensors } from '../../../src/core/safetensors.ts';
import { checksum, namedLeaves } from '../../../src/train/state-leaves.ts';
import type { RunStore } from '../../../src/train/store/run-store.ts';
import { StoreRun, type StoreRunOptions } from '../../../src/train/store/store-run.ts';

/** A state that is told from that of any other run and iteration. */
export const stateOf = (seed: number, step: number) => ({
  w: hostTensor(Float32Array.of(seed, step, seed * step), [3]),
});

export const checkpointOf = (seed: number, step: number) => ({
  step,
  state: stateOf(seed, step),
  seconds: step / 10,
  window: { count: 0, sums: {} },
});

export const identityOf = (seed: number, config: object = { rate: 0.1 }) => ({
  experiment: 'sample',
  config,
  seed,
  code: 'c0de',
});

/** The loss of a row: of the run and the iteration, so that a row of another run is noticed. */
export const lossOf = (seed: number, step: number) => 1 / (1 + seed + step);

export interface SampleOptions extends Partial<StoreRunOptions> {
  /** Rows, and as many checkpoints. Default 3. */
  readonly rows?: number;
  readonly config?: object;
}

/** A run of a few rows from its beginning, or from where it was left, to its end. */
export function sampleRun(store: RunStore, seed: number, options: SampleOptions = {}): StoreRun {
  const { rows = 3, config, ...rest } = options;
  const run = StoreRun.open(store, { ...identityOf(seed, config), ...rest });
  const found = run.restore(stateOf(0, 0));
  for (let step = (found?.step ?? 0) + 1; step <= rows; step++) {
    run.log({ step, loss: lossOf(seed, step) });
    run.save(checkpointOf(seed, step));
  }
  const samples = hostTensor(Float32Array.of(seed, rows), [2]);
  run.write('arrays.safetensors', encodeSafetensors({ samples }));
  run.finish({
    metrics: { loss: lossOf(seed, rows) },
    steps: rows,
    seconds: 1,
    ...checksumOf(seed, rows),
  });
  run.close();
  return run;
}

const checksumOf = (seed: number, step: number) => ({
  checksum: checksum(namedLeaves(stateOf(seed, step))),
});
