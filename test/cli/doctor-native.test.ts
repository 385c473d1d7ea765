import { afterEach, expect, it } from 'vitest';
import { nativeCode } from '../../src/cli/doctor/native.ts';
import { HAS_COMPILER } from '../jit/native/toolchain.ts';

const before = ['GIBBS_CC', 'GIBBS_EXECUTOR'].map((name) => [name, process.env[name]] as const);
afterEach(() => {
  for (const [name, value] of before) {
    if (value === undefined) delete process.env[name];
    else process.env[name] = value;
  }
});

it.skipIf(!HAS_COMPILER)('the doctor tests the compiler and says what runs functions', async () => {
  process.env['GIBBS_EXECUTOR'] = 'auto';
  expect(await nativeCode()).toMatchObject([
    { name: 'compiler', state: 'ok', found: expect.stringMatching('self-test passed') },
    { name: 'executor', state: 'ok', found: 'compiled C (GIBBS_EXECUTOR=auto)' },
  ]);
});

it('the doctor says that a compiler is missing, and what runs functions without it', async () => {
  process.env['GIBBS_CC'] = 'off';
  process.env['GIBBS_EXECUTOR'] = 'auto';
  expect(await nativeCode()).toMatchObject([
    { state: 'missing', found: expect.stringMatching(/no C compiler.*optional/) },
    { state: 'ok', found: 'ONNX Runtime (GIBBS_EXECUTOR=auto)' },
  ]);
  process.env['GIBBS_EXECUTOR'] = 'native';
  expect((await nativeCode())[1]).toMatchObject({ name: 'executor', state: 'broken' });
});
