import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sweepPlan } from '../../../src/sweep/plan.ts';
import type { SweepRun } from '../../../src/sweep/result.ts';
import { SlurmSweep } from '../../../src/sweep/slurm.ts';
import { sweep } from '../../../src/sweep/sweep.ts';
import { checkpointFiles } from '../../../src/train/checkpoint.ts';
import { runFolders } from '../../../src/train/store/adopt.ts';
import { RunStore } from '../../../src/train/store/run-store.ts';
import { verifyStore } from '../../../src/train/store/verify.ts';
import { gibbs } from '../../cli/gibbs.ts';
import { type Cluster, missingSlurm, startCluster } from './cluster.ts';

const spec = {
  experiment: 'toy',
  method: 'score-matching',
  preset: 'smoke',
  grid: { 'network.width': [16, 24], 'optimizer.energyRate': [0.001, 0.01] },
  seeds: 2,
  overrides: { steps: 300, 'evaluation.samples': 500, 'evaluation.sampleBatch': 250 },
  name: 'cube',
  // The test's node has little memory, and its start-up is slow on a busy machine.
  slurm: { memory: '500M' },
};

const missing = missingSlurm();
const pause = (ms: number) => new Promise((done) => setTimeout(done, ms));

describe.skipIf(missing !== undefined)(`a sweep on Slurm${missing ? ` (${missing})` : ''}`, () => {
  let root: string;
  let cluster: Cluster;
  const before = process.env['SLURM_CONF'];
  beforeAll(async () => {
    root = mkdtempSync(join(tmpdir(), 'gibbs-slurm-sweep-'));
    cluster = await startCluster();
    process.env['SLURM_CONF'] = cluster.env['SLURM_CONF'];
  });
  afterAll(async () => {
    await cluster?.stop();
    if (before === undefined) delete process.env['SLURM_CONF'];
    else process.env['SLURM_CONF'] = before;
    rmSync(root, { recursive: true, force: true });
  });

  const command = (...more: string[]) => {
    const file = join(root, 'cube.json');
    writeFileSync(file, JSON.stringify(spec));
    return gibbs([
      ...['sweep', file, '--on', 'slurm', '--folder', root, '--store', join(root, 'store')],
      ...['--checkpoint', '0', '--json', ...more],
    ]);
  };
  const ofCluster = () => new SlurmSweep(sweepPlan(spec), join(root, 'cube'), 0);
  const latestStep = (index: number) => {
    const work = join(root, 'cube', 'work', String(index));
    const [run] = runFolders(work);
    return run ? Number(checkpointFiles(join(work, run))[0]?.slice(11, 20) ?? 0) : 0;
  };
  /** What must be equal bit for bit: everything but where and how fast. */
  const numbers = (runs: readonly SweepRun[]) =>
    runs.map(({ settings, seed, key, status, metrics, steps, checksum }) => {
      return { settings, seed, key, status, metrics, steps, checksum };
    });
  let merged: SweepRun[];

  it('runs 2 × 2 × 2 tasks, resumes only the one that was killed, and collects them all', async () => {
    const first = await command();
    expect(first).toMatchObject({ code: 0, stderr: 'submitted 8 of 8 tasks\n' });
    const victim = 3;
    while (latestStep(victim) < 20) await pause(20);
    const job = spawnSync('squeue', ['--noheader', '--array', '--format=%A'], { encoding: 'utf8' });
    expect(job.status).toBe(0);
    const task = `1_${victim}`;
    expect(spawnSync('scancel', ['--batch', '--signal=KILL', task]).status).toBe(0);
    const tasks = ofCluster();
    const live = () => tasks.status().states.some((s) => s === 'queued' || s === 'running');
    while (live()) await pause(500);
    const { states } = tasks.status();
    expect(states).toEqual(states.map((_, i) => (i === victim ? 'lost' : 'done')));
    const reached = latestStep(victim);
    expect(reached).toBeGreaterThanOrEqual(20);
    const others = states.map((_, i) => join(root, 'cube', 'shards', `${i}.runs`));
    const written = () => others.map((path, i) => (i === victim ? 0 : statSync(path).mtimeMs));
    const times = written();
    const second = await command('--watch');
    expect(second.stderr).toMatch(/^submitted 1 of 8 tasks\n/);
    expect(second.code).toBe(0);
    expect(written()).toEqual(times);
    merged = JSON.parse(second.stdout).runs;
    expect(merged.every(({ status }) => status === 'finished')).toBe(true);
    expect(tasks.logs()).toHaveLength(9);
    const store = RunStore.open(join(root, 'store'));
    expect(store.list()).toHaveLength(8);
    expect(verifyStore(store).problems).toEqual([]);
  });

  it('gives what the same sweep gives on this machine, bit for bit', async () => {
    const local = await sweep(spec, { root: join(root, 'local'), quiet: true });
    expect(numbers(local.runs)).toEqual(numbers(merged));
    const series = (place: string) => {
      const store = RunStore.open(join(root, place));
      return merged.map(({ key }) => store.metrics(key ?? ''));
    };
    expect(series('store')).toEqual(series('local'));
  });

  it('names a shard that was cut in half, and does that task again', async () => {
    const shard = join(root, 'cube', 'shards', '5.runs');
    truncateSync(shard, Math.floor(statSync(shard).size / 2));
    const { stdout } = await command('--status');
    const { tasks } = JSON.parse(stdout);
    expect(tasks[5]).toMatchObject({ state: 'damaged' });
    expect(tasks[5].reason).toMatch(/5\.runs is cut or damaged: it has \d+ of \d+ bytes/);
    const again = await command('--watch');
    expect(again.stderr).toMatch(/^submitted 1 of 8 tasks\n/);
    expect(numbers(JSON.parse(again.stdout).runs)).toEqual(numbers(merged));
    expect(existsSync(`${shard}.damaged`)).toBe(true);
  });

  it('can be cancelled, and says that nothing has to be done when all is done', async () => {
    const done = await command();
    expect(done).toMatchObject({ code: 0, stderr: '' });
    const long = { ...spec, name: 'long', overrides: { ...spec.overrides, steps: 1_000_000 } };
    const tasks = new SlurmSweep(sweepPlan(long), join(root, 'long'), 0);
    expect(tasks.submit()).toHaveLength(8);
    while (!tasks.status().states.includes('running')) await pause(200);
    expect(tasks.submit()).toEqual([]);
    tasks.cancel();
    while (tasks.status().states.some((s) => s !== 'lost')) await pause(500);
  });
});
