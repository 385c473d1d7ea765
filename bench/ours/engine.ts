import { defaultPrecision, device } from '../../src/jit/index.ts';
import { findCompiler } from '../../src/jit/native/build/compiler.ts';
import { versionOf } from './toy-task.ts';

/** What runs our jitted functions in this process, as `GIBBS_EXECUTOR` has it. */
export function ourEngine(): { name: string; versions: Record<string, string> } {
  if (process.env['GIBBS_EXECUTOR'] === 'native') {
    const { version } = findCompiler();
    return { name: 'Gibbs, compiled C', versions: { compiler: version } };
  }
  const version = versionOf('onnxruntime-node');
  const where = device() === 'cpu' ? '' : ` on ${device()}`;
  const precision = defaultPrecision();
  const rounded = precision === 'float32' ? '' : `, ${precision}`;
  return {
    name: `Gibbs, ONNX Runtime ${version}${where}${rounded}`,
    versions: { 'onnxruntime-node': version },
  };
}
