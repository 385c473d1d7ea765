import type { Bench } from './lib/bench.ts';
import { niceDdaebm, niceMle } from './nice.ts';
import { STORE } from './store.ts';
import { toyStep } from './toy-step.ts';

/** Every bench, by the order in which the list is shown. */
export const BENCHES: readonly Bench[] = [toyStep, ...STORE, niceMle, niceDdaebm];
