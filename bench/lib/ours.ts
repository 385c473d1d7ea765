import type { ContestantSpec } from './bench.ts';

/**
 * Ours as chosen by `GIBBS_EXECUTOR` (ONNX Runtime without it) and, where nothing is chosen, ours
 * compiled to C beside the peers, as `ours-native`.
 */
export function oursBothWays(spec: Omit<ContestantSpec, 'role'>): ContestantSpec[] {
  const mine: ContestantSpec = { ...spec, role: 'ours' };
  if (process.env['GIBBS_EXECUTOR']) return [mine];
  const env = { ...spec.env, GIBBS_EXECUTOR: 'native' };
  return [mine, { ...spec, label: `${spec.label}-native`, role: 'peer', env }];
}
