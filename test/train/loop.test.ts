import {
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ConfigError, InterruptedError, NumericError } from '../../src/core/errors.ts';
import { type HostTensor, hostTensor } from '../../src/core/host-tensor.ts';
import { INTERRUPT, installInterrupt } from '../../src/core/interrupt.ts';
import { type Tensor, tf } from '../../src/jit/tf.ts';
import { type Progress, train } from '../../src/train/loop.ts';
import { RunFolder } from '../../src/train/run.ts';
import { gaussian, gaussianBatch } from './gaussian.ts';

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'gibbs-loop-'));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const base = { data: gaussianBatch, seed: 3, logEvery: 10 } as const;
const identity = { experiment: 'gaussian', config: { rate: 0.05 }, seed: 3 };

async function inRun<T>(fn: (run: RunFolder) => Promise<T>, notices: string[] = []): Promise<T> {
  const run = RunFolder.open({ ...identity, root, onNotice: (text) => notices.push(text) });
  try {
    return await fn(run);
  } finally {
    run.close();
  }
}

describe('train', () => {
  it('moves the mean to that of the data', async () => {
    const { state, step } = await train({ ...base, objective: gaussian(), steps: 400 });
    const { data } = (state as unknown as { mean: HostTensor }).mean;
    // Batches of 8 with deviation 0.5, averaged over about 40 iterations by rate and momentum.
    expect(Math.abs(data[0] - 1)).toBeLessThan(0.15);
    expect(Math.abs(data[1] + 2)).toBeLessThan(0.15);
    expect(step).toBe(400);
  });

  it('gives the same state for the same seed and another for another', async () => {
    const run = (seed: number) => train({ ...base, seed, objective: gaussian(), steps: 25 });
    const [a, b, c] = [await run(3), await run(3), await run(4)];
    expect(a.checksum).toBe(b.checksum);
    expect(a.checksum).not.toBe(c.checksum);
  });

  it('gives the same numbers compiled as eager, up to rounding', async () => {
    const run = (executor: 'onnx' | 'eager') =>
      train({ ...base, executor, objective: gaussian(), steps: 50 });
    const mean = async (executor: 'onnx' | 'eager') => [
      ...((await run(executor)).state as unknown as { mean: HostTensor }).mean.data,
    ];
    const [compiled, eager] = [await mean('onnx'), await mean('eager')];
    compiled.forEach((v, i) => {
      expect(v).toBeCloseTo(eager[i], 5);
    });
  });

  it('sets scalars of the state by path, and names one that does not exist', async () => {
    const frozen = gaussian();
    const withRate: typeof frozen = {
      ...frozen,
      init: (seed) => ({
        ...(frozen.init(seed) as object),
        rate: hostTensor(Float32Array.of(1), []),
      }),
      step: (state, batch, noise) => {
        const { rate, ...rest } = state as typeof state & { rate: Tensor };
        const { state: next, metrics } = frozen.step(rest as typeof state, batch, noise);
        const moved = tf.add(rest.mean, tf.mul(rate, tf.sub(next.mean, rest.mean)));
        return { state: { ...next, mean: moved, rate } as typeof state, metrics };
      },
    };
    const options = { ...base, objective: withRate, steps: 20, executor: 'onnx' } as const;
    const start = (withRate.init(3) as unknown as { mean: HostTensor }).mean.data;
    const still = await train({ ...options, scalars: () => ({ rate: 0 }) });
    const moved = await train({ ...options, scalars: (step) => ({ rate: step < 10 ? 0 : 1 }) });
    const mean = (s: unknown) => (s as { mean: HostTensor }).mean.data;
    expect([...mean(still.state)]).toEqual([...start]);
    expect([...mean(moved.state)]).not.toEqual([...start]);
    const wrong = train({ ...options, scalars: () => ({ rates: 0 }) });
    await expect(wrong).rejects.toThrow(/unknown scalar of the state 'rates'; did you mean 'rate'/);
  });

  it('logs means over windows, the last one shorter', async () => {
    const rows = await inRun(async (run) => {
      await train({ ...base, objective: gaussian(), steps: 25, run });
      return run.metrics();
    });
    expect(rows.map((r) => r.step)).toEqual([10, 20, 25]);
    const each = await inRunOf(1, 25);
    const mean = (from: number, to: number) =>
      each.slice(from, to).reduce((sum, r) => sum + r['loss'], 0) / (to - from);
    expect(rows[0]['loss']).toBeCloseTo(mean(0, 10), 12);
    expect(rows[2]['loss']).toBeCloseTo(mean(20, 25), 12);
  });

  async function inRunOf(logEvery: number, steps: number) {
    const other = RunFolder.open({ ...identity, root, experiment: 'each' });
    await train({ ...base, objective: gaussian(), steps, logEvery, run: other });
    other.close();
    return other.metrics();
  }

  it.each(['onnx', 'eager'] as const)('leaks no tensors (%s)', async (executor) => {
    const before = tf.memory().numTensors;
    await train({ ...base, executor, objective: gaussian(), steps: 30 });
    expect(tf.memory().numTensors).toBe(before);
  });

  it.each(['onnx', 'native'] as const)(
    'stopped anywhere and resumed ends bit-identical, metrics included (%s)',
    async (executor) => {
      const objective = gaussian();
      const options = { ...base, executor, objective, steps: 57 };
      const whole = await inRun(async (run) => ({
        result: await train({ ...options, run }),
        rows: run.metrics(),
      }));
      rmSync(root, { recursive: true });
      for (const stopAt of [1, 14, 20, 41]) {
        const stop = new AbortController();
        const data = (key: Parameters<typeof gaussianBatch>[0]) => {
          if (key.step === stopAt - 1) stop.abort();
          return gaussianBatch(key);
        };
        const first = inRun((run) => train({ ...options, data, run, signal: stop.signal }));
        await expect(first).rejects.toThrow(InterruptedError);
        await expect(first).rejects.toThrow(`iteration ${stopAt}`);
      }
      const resumed = await inRun(async (run) => ({
        result: await train({ ...options, run }),
        rows: run.metrics(),
      }));
      expect(resumed.result.resumedFrom).toBe(41);
      expect(resumed.result.checksum).toBe(whole.result.checksum);
      expect(resumed.rows).toEqual(whole.rows);
    },
  );

  it('keeps the state when a Stop arrives while the step is being computed', async () => {
    const words = new Int32Array(new SharedArrayBuffer(8));
    installInterrupt(words);
    try {
      const data = (key: Parameters<typeof gaussianBatch>[0]) => {
        if (key.step === 12) words[INTERRUPT] = 1;
        return gaussianBatch(key);
      };
      const stopped = inRun((run) =>
        train({ ...base, data, objective: gaussian(), steps: 30, run }),
      );
      await expect(stopped).rejects.toThrow('stopped at iteration 13');
    } finally {
      installInterrupt(undefined);
    }
    const rest = await inRun((run) => train({ ...base, objective: gaussian(), steps: 30, run }));
    const whole = await train({ ...base, objective: gaussian(), steps: 30 });
    expect(rest.resumedFrom).toBe(13);
    expect(rest.checksum).toBe(whole.checksum);
  });

  it('forgets metric rows written after the checkpoint', async () => {
    const run = (steps: number) =>
      inRun(async (r) => {
        await train({ ...base, objective: gaussian(), steps, run: r, checkpointSteps: 30 });
        return r.metrics();
      });
    const whole = await run(60);
    const folder = readdirSync(join(root, 'gaussian'))[0];
    rmSync(join(root, 'gaussian', folder, 'checkpoint-000000060.safetensors'));
    expect(await run(60)).toEqual(whole);
  });

  it('stops at a NaN metric, names iteration and metric, keeps the last good checkpoint', async () => {
    const objective = gaussian({ nanFrom: 34 });
    const failing = inRun((run) =>
      train({ ...base, objective, steps: 60, run, checkpointSteps: 8 }),
    );
    await expect(failing).rejects.toThrow(NumericError);
    await expect(failing).rejects.toThrow(
      /metric 'loss' is NaN after iteration 34; the checkpoint of iteration 32 is kept/,
    );
    const healthy = await inRun((run) =>
      train({ ...base, objective: gaussian(), steps: 60, run, checkpointSteps: 8 }),
    );
    expect(healthy.resumedFrom).toBe(32);
  });

  it('never writes a checkpoint of a NaN state and names the tensor', async () => {
    const objective = gaussian({ nanStateFrom: 15 });
    // The loss of the iteration that spoils the state is still finite.
    const failing = inRun((run) =>
      train({ ...base, objective, steps: 60, run, logEvery: 1000, checkpointSteps: 5 }),
    );
    await expect(failing).rejects.toThrow(/state's mean\[0\] is NaN after iteration 15/);
  });

  it('takes the previous checkpoint when the latest is damaged, and says so', async () => {
    const whole = await inRun((run) =>
      train({ ...base, objective: gaussian(), steps: 40, run, checkpointSteps: 10 }),
    );
    const folder = join(root, 'gaussian', readdirSync(join(root, 'gaussian'))[0]);
    const latest = join(folder, 'checkpoint-000000040.safetensors');
    const bytes = readFileSync(latest);
    bytes[bytes.length - 3] ^= 1;
    writeFileSync(latest, bytes);
    const notices: string[] = [];
    const again = await inRun(
      (run) => train({ ...base, objective: gaussian(), steps: 40, run, checkpointSteps: 10 }),
      notices,
    );
    expect(notices.join()).toMatch(/checkpoint-000000040.*does not match its checksum/);
    expect(again.resumedFrom).toBe(30);
    expect(again.checksum).toBe(whole.checksum);
    expect(readdirSync(folder)).toContain('checkpoint-000000040.safetensors.damaged');
  });

  it('says what to do when every checkpoint is damaged', async () => {
    await inRun((run) =>
      train({ ...base, objective: gaussian(), steps: 40, run, checkpointSteps: 10 }),
    );
    const folder = join(root, 'gaussian', readdirSync(join(root, 'gaussian'))[0]);
    for (const step of [30, 40])
      truncateSync(join(folder, `checkpoint-0000000${step}.safetensors`), 60);
    const failing = inRun((run) => train({ ...base, objective: gaussian(), steps: 40, run }));
    await expect(failing).rejects.toThrow(/2 of 2 are damaged .*start over with --fresh/);
  });

  it('refuses data of another shape than the objective was built for', async () => {
    const data = () => hostTensor(new Float32Array(8), [4, 2]);
    const failing = train({ ...base, data, objective: gaussian(), steps: 1 });
    await expect(failing).rejects.toThrow(ConfigError);
    await expect(failing).rejects.toThrow(/shape \[4,2\].*gaussian was built for \[8,2\]/);
  });

  it('reports progress from compilation to the end and lets timers run', async () => {
    const seen: Progress[] = [];
    let timer = false;
    setTimeout(() => {
      timer = true;
    }, 1);
    const stop = new AbortController();
    const forever = train({
      ...base,
      objective: gaussian(),
      steps: 1e6,
      signal: stop.signal,
      onProgress: (p) => {
        seen.push(p);
        if (timer) stop.abort();
      },
    });
    await expect(forever).rejects.toThrow(InterruptedError);
    expect(seen[0]).toMatchObject({ phase: 'compile', step: 0 });
    expect(seen[1].phase).toBe('train');
    expect(seen[1].metrics).toHaveProperty('loss');
  });
});
