import { Worker } from 'node:worker_threads';
import { describe, expect, it } from 'vitest';
import { GibbsError } from '../../src/core/errors.ts';
import { hostTensor } from '../../src/core/host-tensor.ts';
import { lowerToOnnx } from '../../src/jit/onnx/lower.ts';
import { OnnxSession } from '../../src/jit/run/session.ts';
import { tf } from '../../src/jit/tf.ts';
import { trace } from '../../src/jit/trace/tracer.ts';

const vector = { shape: [3], dtype: 'float32' } as const;
const counts = { inputs: 1, outputs: 1 };

function doubling(): Uint8Array {
  return lowerToOnnx(
    trace([vector], ([x]) => [tf.add(x, x)]),
    'doubling',
  ).bytes;
}

describe('a session', () => {
  it('writes into the arrays it is given, also where they begin inside a buffer', () => {
    const session = new OnnxSession(doubling(), counts, { threads: 1 });
    const buffer = new ArrayBuffer(40);
    const data = new Float32Array(buffer, 8, 3);
    session.run([hostTensor(Float32Array.of(1, 2, 3), [3])], [{ ...vector, data }]);
    expect([...new Float32Array(buffer)]).toEqual([0, 0, 2, 4, 6, 0, 0, 0, 0, 0]);
    session.dispose();
    session.dispose();
  });

  it('refuses what is no model', () => {
    expect(() => new OnnxSession(new Uint8Array(64), counts, { threads: 1 })).toThrow(GibbsError);
  });

  it('says what is wrong with an array, and goes on', () => {
    const session = new OnnxSession(doubling(), counts, { threads: 1 });
    const short = hostTensor(Float32Array.of(1, 2), [2]);
    const data = new Float32Array(3);
    expect(() => session.run([short], [{ ...vector, data }])).toThrow(/Got: 2 Expected: 3/);
    session.run([hostTensor(Float32Array.of(1, 1, 1), [3])], [{ ...vector, data }]);
    expect([...data]).toEqual([2, 2, 2]);
    session.dispose();
  });

  it('is left behind by a worker that is terminated, without harm to the next', async () => {
    const module = new URL('../../src/jit/index.ts', import.meta.url).href;
    const script = `
      import('tsx/esm/api').then(({ register }) => {
        register();
        return import(${JSON.stringify(module)});
      }).then(({ jit, tf }) => {
        const square = jit((x) => tf.matMul(x, x), { threads: 2 });
        const x = tf.ones([64, 64]);
        square(x).dispose();
        require('node:worker_threads').parentPort.postMessage(square.stats().onnxCalls);
        for (;;) square(x).dispose();
      });`;
    for (let i = 0; i < 3; i++) {
      const worker = new Worker(script, { eval: true });
      const calls = await new Promise((resolve, reject) => {
        worker.once('message', resolve);
        worker.once('error', reject);
      });
      expect(calls).toBe(1);
      await worker.terminate();
    }
  });
});
