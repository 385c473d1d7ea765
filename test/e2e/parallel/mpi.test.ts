import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { RunStore } from '../../../src/train/store/run-store.ts';
import { verifyStore } from '../../../src/train/store/verify.ts';
import { type Finished, gibbs, type Started, startGibbs } from '../../cli/gibbs.ts';
import { patchDigits } from '../../experiments/patch-digits.ts';
import { apart } from '../../train/parallel/shared-training.ts';
import { missingMpi, processOfRank, startJob, times } from './mpirun.ts';

const missing = missingMpi();

describe.skipIf(missing !== undefined)(`an MPI job${missing ? ` (${missing})` : ''}`, () => {
  let root: string;
  beforeAll(() => {
    root = mkdtempSync(join(tmpdir(), 'gibbs-mpi-'));
  });
  afterAll(() => {
    rmSync(root, { recursive: true, force: true });
  });

  const toy = (store: string, ...more: string[]) => [
    ...['run', 'toy', '--preset', 'smoke', '--store', join(root, store), '--set', 'batch=24'],
    ...[
      '--set',
      'evaluation.samples=500',
      '--set',
      'evaluation.sampleBatch=250',
      '--json',
      ...more,
    ],
  ];
  const rows = (store: string) => {
    const kept = RunStore.open(join(root, store));
    expect(verifyStore(kept).problems).toEqual([]);
    return kept.list().flatMap(({ key }) => kept.metrics(key));
  };
  const said = ({ stderr }: Finished) => stderr.split('\n').filter((l) => l.startsWith('gibbs: '));

  it.each(['ddaebm', 'ebm-bb'])('of two has the losses of one process: %s', async (method) => {
    const args = ['--method', method, '--steps', '20'];
    const one = await gibbs(toy(`${method}-one`, ...args));
    const job = await startJob(times(2, toy(`${method}-two`, ...args))).finished;
    expect([one.code, job.code]).toEqual([0, 0]);
    const [a, b] = [JSON.parse(one.stdout), JSON.parse(job.stdout)];
    expect(b.key).toBe(a.key);
    expect([a.environment.ranks, b.environment.ranks]).toEqual([undefined, 2]);
    expect(apart(rows(`${method}-one`), rows(`${method}-two`))).toBeLessThan(1e-3);
    const again = await startJob(times(2, toy(`${method}-two`, ...args))).finished;
    expect(JSON.parse(again.stdout)).toMatchObject({ key: a.key, reused: true });
  });

  it('trains images as one process does', async () => {
    const data = patchDigits(join(root, 'digits'));
    const nice = (store: string) => [
      ...['run', 'nice', '--preset', 'smoke', '--data', data, '--json', '--fresh'],
      ...['--store', join(root, store)],
    ];
    const one = await gibbs(nice('nice-one'));
    const job = await startJob(times(2, nice('nice-two'))).finished;
    expect([one.code, job.code]).toEqual([0, 0]);
    const [a, b] = [JSON.parse(one.stdout).numbers, JSON.parse(job.stdout).numbers];
    expect(Math.abs(b.test / a.test - 1)).toBeLessThan(1e-5);
    expect(b.series).toHaveLength(a.series.length);
  });

  const long = ['--method', 'denoising-score-matching', '--steps', '1000'];
  /**
   * On a busy machine a rank needs more than mpirun's usual second to write a checkpoint; mpirun takes
   * as long until it begins to end a job.
   */
  const PATIENT = { OMPI_MCA_odls_base_sigkill_timeout: '5' };
  /** A checkpoint after each iteration makes them slow, and leaves something to be resumed. */
  const slow = [...long, '--checkpoint', '0'];

  /** Resolves when the run has come some way, or the process has ended. */
  const underWay = async (store: string, { child }: Started) => {
    const reached = () =>
      readdirSync(join(root, store), { recursive: true, encoding: 'utf8' }).some(
        (name) => Number(/checkpoint-(\d+)\.safetensors$/.exec(name)?.[1] ?? 0) >= 20,
      );
    while (child.exitCode === null && !(existsSync(join(root, store)) && reached())) {
      await new Promise((done) => setTimeout(done, 50));
    }
  };

  it('ends with one message when a rank is killed, and goes on as one process', async () => {
    const job = startJob(times(2, toy('killed', ...slow)), PATIENT);
    await underWay('killed', job);
    process.kill(processOfRank(job.child.pid as number, 1), 'SIGKILL');
    const ended = await job.finished;
    expect(ended.code).not.toBe(0);
    expect(ended.stderr).toMatch(/signal 9 \(Killed\)/);
    expect(said(ended), ended.stderr).toHaveLength(1);
    expect(said(ended)[0]).toMatch(/ended at iteration \d+: a rank was lost.* goes on there/);
    const rest = await gibbs(toy('killed', ...long, '--resume'));
    expect(rest.stderr).toMatch(/resuming at iteration [1-9]/);
    const whole = await gibbs(toy('unkilled', ...long));
    expect([rest.code, whole.code]).toEqual([0, 0]);
    expect(apart(rows('unkilled'), rows('killed'))).toBeLessThan(1e-4);
  });

  it('goes on with what one process began, and stops with a checkpoint', async () => {
    const alone = startGibbs(toy('begun', ...slow));
    await underWay('begun', alone);
    alone.child.kill('SIGTERM');
    expect((await alone.finished).code).toBe(130);
    const job = startJob(times(2, toy('begun', ...slow, '--resume')));
    await job.saw(/resuming at iteration [1-9]/);
    await job.saw(/% {2}[1-9]\d+\/1000/);
    // Without mpirun, which would take its time: the run must not end before.
    process.kill(processOfRank(job.child.pid as number, 1), 'SIGTERM');
    const stopped = await job.finished;
    expect(said(stopped), stopped.stderr).toHaveLength(1);
    expect(said(stopped)[0]).toMatch(/training stopped at iteration [1-9].*checkpoint/);
    const rest = await startJob(times(2, toy('begun', ...long, '--resume'))).finished;
    expect(rest.code).toBe(0);
    expect(JSON.parse(rest.stdout)).toMatchObject({ steps: 1000, reused: false });
    expect(apart(rows('unkilled'), rows('begun'))).toBeLessThan(1e-4);
  });

  it('stops with a checkpoint when mpirun is asked to end', async () => {
    const endless = [...slow, '--steps', '1000000'];
    const job = startJob(times(2, toy('ended', ...endless)), PATIENT);
    await underWay('ended', job);
    job.child.kill('SIGTERM');
    const ended = await job.finished;
    expect(said(ended), ended.stderr).toHaveLength(1);
    expect(said(ended)[0]).toMatch(/training (stopped|ended) at iteration [1-9].*checkpoint/);
  });

  it('is not ended by a rank that waits for one that is slow to stop', async () => {
    const job = startJob(times(2, toy('slow-to-stop', ...slow)));
    await underWay('slow-to-stop', job);
    const [first, second] = [0, 1].map((rank) => processOfRank(job.child.pid as number, rank));
    process.kill(first, 'SIGSTOP');
    process.kill(second, 'SIGTERM');
    await new Promise((done) => setTimeout(done, 1500));
    process.kill(first, 'SIGCONT');
    const ended = await job.finished;
    expect(said(ended), ended.stderr).toHaveLength(1);
    expect(said(ended)[0]).toMatch(/training stopped at iteration [1-9].*checkpoint/);
  });

  describe('says once what is wrong:', () => {
    it('a batch that does not divide', async () => {
      const job = await startJob(times(2, toy('odd', '--set', 'batch=25', '--steps', '5')))
        .finished;
      expect(job.code).not.toBe(0);
      expect(said(job)).toHaveLength(1);
      expect(said(job)[0]).toMatch('on 2 ranks: a batch of 25 does not divide by 2');
    });

    it('ranks that would train different things', async () => {
      const job = await startJob(
        ['1', '2'].map((seed) => toy('two', '--steps', '5', '--seed', seed)),
      ).finished;
      expect(job.code).not.toBe(0);
      expect(said(job)).toHaveLength(1);
      expect(said(job)[0]).toMatch('1 of 2 ranks have a configuration or code other than rank 0');
    });

    it('no MPI library', async () => {
      const env = { GIBBS_MPI: join(root, 'libnone.so') };
      const job = await startJob(times(2, toy('none', '--steps', '5')), env).finished;
      expect(job.code).not.toBe(0);
      expect(said(job)).toHaveLength(1);
      expect(said(job)[0]).toMatch(/no MPI library found \(looked for .*libnone\.so\)/);
    });

    it('a command for one process', async () => {
      const job = await startJob(times(2, ['runs', 'list', '--store', join(root, 'odd')])).finished;
      expect(job.code).not.toBe(0);
      expect(said(job)).toHaveLength(1);
      expect(said(job)[0]).toMatch("'gibbs runs' works in one process, and mpirun started 2");
    });
  });
});
