import type { OrtApi, Pointer } from './ort-api.ts';
import type { Provider } from './provider.ts';
import { TextTable } from './text-table.ts';

type Settings = Readonly<Record<string, string>>;

/**
 * WebGPU: images stay NCHW, as the graphs are written.
 */
const WEBGPU: Settings = { preferredLayout: 'NCHW' };

/**
 * CUDA: full float32 products (no TF32), convolution algorithms by rule instead of by timing, so
 * that two runs choose the same ones.
 */
const CUDA: Settings = {
  device_id: '0',
  use_tf32: '0',
  cudnn_conv_algo_search: 'HEURISTIC',
  do_copy_in_default_stream: '1',
};

/** Lets a session use a provider; what that lacks falls to the CPU provider, which is always there. */
export function appendProvider(ort: OrtApi, options: Pointer, provider: Provider): void {
  if (provider === 'cpu') return;
  const settings = provider === 'webgpu' ? WEBGPU : CUDA;
  const keys = new TextTable(Object.keys(settings));
  const values = new TextTable(Object.values(settings));
  const count = keys.table.length;
  const what = `ONNX Runtime did not start its ${provider} provider`;
  if (provider === 'webgpu') {
    ort.check(ort.appendProvider(options, 'WebGPU', keys.table, values.table, count), what);
    return;
  }
  const cuda = ort.create(what, (out) => ort.createCudaOptions(out));
  try {
    ort.check(ort.updateCudaOptions(cuda, keys.table, values.table, count), what);
    ort.check(ort.appendCuda(options, cuda), what);
    ort.check(ort.setDeterministic(options, true), what);
  } finally {
    ort.releaseCudaOptions(cuda);
  }
}
