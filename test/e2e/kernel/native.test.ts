import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { KernelClient } from '../../kernel/client.ts';
import { matMulModel } from '../../kernel/onnx-model.ts';

const CORE = resolve(import.meta.dirname, '../../../src/core');

let kernel: KernelClient;
let dir: string;
let pid: string | undefined;

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'gibbs-native-'));
  writeFileSync(join(dir, 'model.onnx'), matMulModel(128));
  kernel = await KernelClient.start({ cwd: dir });
  const run = await kernel.execute(`
    import * as ort from 'onnxruntime-node';
    import { runNative } from '${CORE}/interrupt.ts';
    const session = await ort.InferenceSession.create('model.onnx');
    const feeds = { x: new ort.Tensor('float32', new Float32Array(128 * 128), [128, 128]) };
    let steps = 0;
    const mark = Symbol('kept');`);
  expect(run.error).toBeUndefined();
  pid = (await kernel.execute('process.pid')).result;
});
afterAll(async () => {
  await kernel.close();
  rmSync(dir, { recursive: true });
});

/** Spread over a few steps of the loop, the same in every run. */
const moments = Array.from({ length: 50 }, (_, i) => (i * 7) % 41);

const LOOPS: Record<string, string> = {
  'a loop of session.run through runNative':
    'while (true) { await runNative(() => session.run(feeds)); steps++; }',
  'a bare loop of session.run': 'while (true) { await session.run(feeds); steps++; }',
};

// Long: fifty trainings begin, and a busy machine lets each wait.
describe('Stop during native calls', { timeout: 600_000 }, () => {
  for (const [name, code] of Object.entries(LOOPS)) {
    it(`ends ${name} 50 times, in the same process, with the variables kept`, async () => {
      for (const moment of moments) {
        const run = kernel.begin(`steps = 0; console.log('go'); ${code}`);
        await kernel.printed(run.id, 'go');
        await new Promise((r) => setTimeout(r, moment));
        await kernel.request('interrupt_request', {}, 'control');
        expect((await run.done).error?.ename).toBe('InterruptedError');
      }
      expect((await kernel.execute('process.pid')).result).toBe(pid);
      expect((await kernel.execute('String(mark)')).result).toBe("'Symbol(kept)'");
    });
  }

  it('ends a training cell 50 times, each with its checkpoint', async () => {
    await kernel.execute("import { runToy } from 'gibbs';");
    for (const moment of moments) {
      const run = kernel.begin(
        "await runToy({ dataset: 'pinwheel', preset: 'paper', seed: 3, runs: './runs', onProgress: ({ phase }) => phase === 'train' && console.log('step') });",
      );
      await kernel.printed(run.id, 'step');
      await new Promise((r) => setTimeout(r, moment));
      await kernel.request('interrupt_request', {}, 'control');
      const { error } = await run.done;
      expect(error?.ename).toBe('InterruptedError');
      expect(error?.evalue).toMatch(/checkpoint is kept/);
    }
    expect((await kernel.execute('process.pid')).result).toBe(pid);
    expect((await kernel.execute('String(mark)')).result).toBe("'Symbol(kept)'");
  });
});
