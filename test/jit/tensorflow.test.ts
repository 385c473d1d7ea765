import { createRequire } from 'node:module';
import { afterAll, describe, expect, it } from 'vitest';
import { ConfigError } from '../../src/core/errors.ts';
import { grad, installedEagerBackends, jit, type Tensor, tf, useEagerBackend } from '../../src/jit/index.ts'; // biome-ignore format: one line
import { tensorflowStatus } from '../../src/jit/run/eager.ts';
import {
  explainTensorflow,
  installTensorflow,
  versionTrouble,
} from '../../src/jit/run/tensorflow-node.ts';

const NAME = '@tensorflow/tfjs-node';
const facts = { node: 'v20.19.0', tfjs: '4.22.0', version: '4.22.0' };

describe('what is wrong with tfjs-node', () => {
  it.each([
    ['not installed', 'Cannot find package', { version: undefined }, /not installed; install it with: npm install --no-save @tensorflow\/tfjs-node@4\.22\.0/], // biome-ignore format: one case a line
    ['another version than tfjs', 'anything', { version: '4.20.0' }, /4\.20\.0 does not fit @tensorflow\/tfjs 4\.22\.0.*@4\.22\.0/], // biome-ignore format: one case a line
    ['a Node that is too new', "(0 , util_1.isNullOrUndefined) is not a function", { node: 'v24.1.0' }, /Node 24 no longer has.*use Node 22/], // biome-ignore format: one case a line
    ['no native part', 'The Node.js native addon module (tfjs_binding.node) can not be found at path: /x', {}, /native part is missing.*npm rebuild @tensorflow\/tfjs-node --build-addon-from-source/], // biome-ignore format: one case a line
    ['no libtensorflow', 'libtensorflow.so.2: cannot open shared object file', {}, /libtensorflow 2\.9\.1 was not downloaded/], // biome-ignore format: one case a line
    ['no CUDA 11', 'libcudart.so.11.0: cannot open shared object file', {}, /CUDA 11\.2 and cuDNN 8\.1/], // biome-ignore format: one case a line
    ['another C library', "version `GLIBC_2.38' not found", {}, /another C library/],
    ['anything else', 'first line\nsecond line', {}, /4\.22\.0: first line$/],
  ])('%s is one line with a remedy', (_, message, changed, expected) => {
    const text = explainTensorflow(NAME, message, { ...facts, ...changed });
    expect(text).toMatch(expected);
    expect(text).not.toContain('\n');
  });

  it('versions that fit are no trouble', () => {
    expect(versionTrouble(NAME, facts)).toBeUndefined();
    expect(versionTrouble(NAME, { ...facts, node: 'v22.1.0' })).toBeUndefined();
  });
});

describe('TensorFlow as an eager executor', () => {
  const { resolve } = createRequire(import.meta.url);
  const installed = installedEagerBackends((name) => resolve(name)).includes('tensorflow');
  const install = installTensorflow(NAME, tf.version.tfjs);

  afterAll(async () => {
    await tf.setBackend('cpu');
  });

  it('that is not installed is an error with the command', async ({ skip }) => {
    if (installed) skip('it is installed');
    await expect(useEagerBackend('tensorflow')).rejects.toThrow(ConfigError);
    await expect(useEagerBackend('tensorflow')).rejects.toThrow(install);
  });

  it('computes what the compiled function does', async ({ skip }) => {
    if (!installed) skip(`not installed; ${install}`);
    expect(tensorflowStatus(NAME).trouble).toBeUndefined();
    await useEagerBackend('tensorflow');
    expect(tf.getBackend()).toBe('tensorflow');
    const f = (x: Tensor) => tf.matMul(x, tf.tanh(x)).sum();
    const x = tf.randomNormal([5, 5], 0, 1, 'float32', 7);
    const eager = jit(grad(f), { executor: 'eager' })(x).dataSync();
    const compiled = jit(grad(f), { executor: 'onnx' })(x).dataSync();
    for (let i = 0; i < 25; i++) expect(compiled[i]).toBeCloseTo(eager[i], 5);
  });
});
