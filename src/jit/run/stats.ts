/** Counters of one jitted function, or summed over all of them. Times in milliseconds. */
export interface JitStats {
  /** Times the function's body was run to record it. Same shapes trace once. */
  traces: number;
  /** Retraces of the checked mode; they compile nothing. */
  checks: number;
  /** Nodes recorded, and ONNX nodes or C functions executed per call, of the latest trace. */
  nodesTraced: number;
  nodesExecuted: number;
  /**
   * Calls answered by ONNX Runtime, by compiled C, and by eager TensorFlow.js because that was asked
   * for.
   */
  onnxCalls: number;
  nativeCalls: number;
  eagerCalls: number;
  /** Compilations answered from the disk cache. */
  cacheHits: number;
  traceMs: number;
  compileMs: number;
  runMs: number;
}

export const noStats = (): JitStats => ({
  traces: 0,
  checks: 0,
  nodesTraced: 0,
  nodesExecuted: 0,
  onnxCalls: 0,
  nativeCalls: 0,
  eagerCalls: 0,
  cacheHits: 0,
  traceMs: 0,
  compileMs: 0,
  runMs: 0,
});

export function addStats(a: JitStats, b: JitStats): JitStats {
  const sum = noStats();
  for (const key of Object.keys(sum) as (keyof JitStats)[]) sum[key] = a[key] + b[key];
  return sum;
}
