import { NativeBuildError } from '../../core/errors.ts';
import type { Finding } from './finding.ts';

/** Which compiler makes C of a traced function here, and which executor a function gets, and why. */
export async function nativeCode(): Promise<Finding[]> {
  return [await compiler(), await executor()];
}

/** Compiles a product of matrices and checks it. */
async function compiler(): Promise<Finding> {
  const name = 'compiler';
  const { detectIsa, findCompiler, jit, tf } = await import('../../jit/index.ts');
  type T = import('../../jit/index.ts').Tensor;
  try {
    const { command, version } = findCompiler();
    const started = performance.now();
    const product = jit((a: T, b: T) => tf.matMul(a, b), { executor: 'native', name: 'doctor' });
    const values = [...product(tf.tensor2d([[1, 2]]), tf.tensor2d([[3], [4]])).dataSync()];
    const ms = (performance.now() - started).toFixed(0);
    if (values[0] !== 11) throw new Error(`1·3 + 2·4 came out as ${values}`);
    const found = `${command}: ${version}, ${detectIsa().name}, self-test passed in ${ms} ms`;
    return { name, found, state: 'ok' };
  } catch (error) {
    const found = (error as Error).message.split('\n')[0];
    const optional = error instanceof NativeBuildError;
    return {
      name,
      found: optional ? `${found} (optional)` : found,
      state: optional ? 'missing' : 'broken',
      ...(!optional && { advice: 'run with GIBBS_EXECUTOR=onnx' }),
    };
  }
}

/** Runs a function without options and looks at what it ran on. */
async function executor(): Promise<Finding> {
  const name = 'executor';
  const asked = process.env['GIBBS_EXECUTOR'] ?? '';
  const why = asked === '' ? 'the default' : `GIBBS_EXECUTOR=${asked}`;
  const { jit, tf } = await import('../../jit/index.ts');
  type T = import('../../jit/index.ts').Tensor;
  try {
    const double = jit((x: T) => tf.mul(x, 2), { name: 'doctor' });
    double(tf.scalar(1));
    const { nativeCalls, onnxCalls } = double.stats();
    const used = nativeCalls > 0 ? 'compiled C' : onnxCalls > 0 ? 'ONNX Runtime' : 'TensorFlow.js';
    return { name, found: `${used} (${why})`, state: 'ok' };
  } catch (error) {
    const found = `${why}: ${(error as Error).message.split('\n')[0]}`;
    return { name, found, state: 'broken', advice: 'unset GIBBS_EXECUTOR' };
  }
}
