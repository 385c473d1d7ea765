import type { Graph } from '../ir/ops.ts';
import { emitProgram, type Program } from './emit/program.ts';
import { collectWork } from './plan/collect.ts';
import { groupItems } from './plan/group.ts';
import { prepare } from './plan/prepare.ts';
import { recomputeCheap } from './plan/recompute.ts';
import { scheduleUnits } from './plan/schedule.ts';
import type { Precision } from './precision.ts';

/** Says an optimised graph in C, its large products in the given precision. */
export function lowerToC(graph: Graph, precision: Precision = 'float32'): Program {
  const lean = prepare(graph);
  const work = collectWork(lean);
  const units = groupItems(work);
  recomputeCheap(work, units);
  return emitProgram(work, scheduleUnits(work, units), graph.inputs.length, precision);
}
