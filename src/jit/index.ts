export { checkpointed } from './checkpointed.ts';
export { type ExportOptions, exportOnnx } from './export.ts';
export { type GradOptions, grad, stopGradient, type ValueAndGrad, valueAndGrad } from './grad.ts';
export {
  defaultExecutor,
  type Executor,
  type JitFunction,
  type JitOptions,
  jit,
  type Liftable,
} from './jit.ts';
export { type Compiler, findCompiler } from './native/build/compiler.ts';
export { detectIsa, type Isa } from './native/gemm/isa.ts';
export { defaultPrecision, PRECISIONS, type Precision, precisionFor } from './native/precision.ts';
export { type Availability, availability } from './run/availability.ts';
export {
  EAGER_BACKENDS,
  type EagerBackend,
  installedEagerBackends,
  tensorflowStatus,
  useEagerBackend,
} from './run/eager.ts';
export { DEVICES, type Device, device, PROVIDERS, type Provider } from './run/provider.ts';
export type { JitStats } from './run/stats.ts';
export { type Tensor, tf } from './tf.ts';
