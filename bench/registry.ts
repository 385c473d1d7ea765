import { gemm } from './gemm.ts';
import { gpu } from './gpu.ts';
import { IMAGES } from './images.ts';
import { kernel } from './kernel.ts';
import type { Bench, Survey } from './lib/bench.ts';
import { mpi } from './mpi.ts';
import { niceDdaebm, niceMle } from './nice.ts';
import { precision } from './precision.ts';
import { STORE } from './store.ts';
import { toyObjectives } from './toy-objectives.ts';
import { toyStep } from './toy-step.ts';

/** Every bench, by the order in which the list is shown. */
export const BENCHES: readonly (Bench | Survey)[] = [
  toyStep,
  ...toyObjectives,
  gemm,
  kernel,
  ...STORE,
  mpi,
  niceMle,
  niceDdaebm,
  ...IMAGES,
  precision,
  gpu,
];
