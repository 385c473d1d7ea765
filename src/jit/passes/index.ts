import type { Graph } from '../ir/ops.ts';
import { verify } from '../ir/verify.ts';
import { eliminateDeadCode } from './dead-code.ts';
import { fuseConv } from './fuse-conv.ts';
import { fuseDot } from './fuse-dot.ts';
import { fuseGemm } from './fuse-gemm.ts';
import { simplify } from './simplify.ts';

interface Pass {
  readonly name: string;
  readonly run: (graph: Graph) => Graph;
}

/** In the order in which they run; each leaves a graph that means the same. */
const PASSES: readonly Pass[] = [
  { name: 'dead code', run: eliminateDeadCode },
  { name: 'simplify', run: simplify },
  { name: 'simplify again', run: simplify },
  { name: 'fuse dot', run: fuseDot },
  { name: 'fuse gemm', run: fuseGemm },
  { name: 'fuse conv', run: fuseConv },
  { name: 'simplify last', run: simplify },
];

/** Shrinks a traced graph; the verifier checks it after every pass. */
export function optimise(graph: Graph): Graph {
  verify(graph, 'trace');
  return PASSES.reduce((g, { name, run }) => {
    const next = run(g);
    verify(next, name);
    return next;
  }, graph);
}
