import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { hostTensor } from '../../src/core/host-tensor.ts';
import { type Tensor, tf } from '../../src/jit/tf.ts';
import { executor, executorName } from './executor.ts';
import { main } from './main.ts';

const KEY = 'GIBBS_GOLDEN_EXECUTOR';
let before: string | undefined;

beforeEach(() => {
  before = process.env[KEY];
});
afterEach(() => {
  if (before === undefined) delete process.env[KEY];
  else process.env[KEY] = before;
});

describe('the executor of the comparisons', () => {
  it.each(['onnx', 'eager'])('%s computes a step from memory to memory', async (name) => {
    process.env[KEY] = name;
    const run = executor((x: { a: Tensor }) => ({ y: tf.square(x.a) }));
    const out = await run({ a: hostTensor(Float32Array.of(3, -2), [2]) });
    expect(out).toEqual({ y: hostTensor(Float32Array.of(9, 4), [2]) });
  });

  it('is chosen on the command line, and nothing else is taken', async () => {
    const said: string[] = [];
    const none = async () => ({ cases: [], folders: [] });
    const args = (name: string) => ['--dir', '/nowhere', '--executor', name];
    const quiet = () => {};
    expect(await main(args('torch'), quiet, (t) => said.push(t), none)).toBe(2);
    expect(said.join('')).toMatch(/onnx, native, eager, got 'torch'/);
    await main(args('eager'), quiet, quiet, none);
    expect(executorName()).toBe('eager');
  });
});
