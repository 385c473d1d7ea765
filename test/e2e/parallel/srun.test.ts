import { execFile, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { RunStore } from '../../../src/train/store/run-store.ts';
import { gibbs } from '../../cli/gibbs.ts';
import { apart } from '../../train/parallel/shared-training.ts';
import { type Cluster, missingSlurm, startCluster } from '../slurm/cluster.ts';
import { missingMpi } from './mpirun.ts';

/** Slurm's plugin loads PMIx by the name that Debian has in its development package. */
function missingPmix(): string | undefined {
  const { stdout } = spawnSync('ldconfig', ['-p'], { encoding: 'utf8' });
  return /\blibpmix\.so /.test(stdout ?? '')
    ? undefined
    : 'no libpmix.so: apt-get install libpmix-dev';
}

const missing = missingMpi() ?? missingSlurm() ?? missingPmix();
const MAIN = resolve(import.meta.dirname, '../../../src/cli/main.ts');

describe.skipIf(missing !== undefined)(`a job of srun${missing ? ` (${missing})` : ''}`, () => {
  let root: string;
  let cluster: Cluster;
  beforeAll(async () => {
    root = mkdtempSync(join(tmpdir(), 'gibbs-srun-'));
    cluster = await startCluster();
  });
  afterAll(async () => {
    await cluster?.stop();
    rmSync(root, { recursive: true, force: true });
  });

  const srun = async (kind: string, args: readonly string[]) => {
    const command = [`--mpi=${kind}`, '--ntasks=2', process.execPath, '--import', 'tsx', MAIN];
    const env = { ...process.env, ...cluster.env };
    return promisify(execFile)('srun', [...command, ...args], { env, maxBuffer: 2 ** 26 });
  };
  const toy = (store: string) => [
    ...['run', 'toy', '--preset', 'smoke', '--steps', '20', '--store', join(root, store), '--json'],
    ...['--set', 'batch=24', '--set', 'evaluation.samples=500'],
    ...['--set', 'evaluation.sampleBatch=250'],
  ];
  const rows = (store: string) => {
    const kept = RunStore.open(join(root, store));
    return kept.list().flatMap(({ key }) => kept.metrics(key));
  };

  it('of two tasks has the losses of one process', async () => {
    const one = JSON.parse((await gibbs(toy('one'))).stdout);
    const two = JSON.parse((await srun('pmix', toy('two'))).stdout);
    expect(two.key).toBe(one.key);
    expect(two.environment.ranks).toBe(2);
    expect(rows('two')).not.toHaveLength(0);
    expect(apart(rows('one'), rows('two'))).toBeLessThan(1e-3);
  });

  it('says once what to do where its tasks cannot find each other', async () => {
    const failed = await srun('none', toy('none')).catch((error) => error as { stderr: string });
    const said = failed.stderr.split('\n').filter((line) => line.startsWith('gibbs: '));
    expect(said, failed.stderr).toHaveLength(1);
    expect(said[0]).toMatch(/srun started 2 processes and gave them no way .* srun --mpi=pmix/);
  });
});
