import { ShapeError } from '../../core/errors.ts';
import { sizeOf } from '../../core/host-tensor.ts';
import { CHEAP, earliest, extract, latest, type Section, type SectionOutput } from './cut.ts';
import type { Graph, Node } from './ops.ts';
import { costOf } from './print.ts';

/** What happens between two sums over the parts: first `common`, then `each` part by part. */
export interface PartsLevel {
  /** Run once: results that the sums so far decide. */
  readonly common?: Section;
  /** Run for every part; all it hands out but kept values goes into sums. Absent at the end. */
  readonly each?: Section;
}

export interface PartsCut {
  readonly levels: readonly PartsLevel[];
  /** Bytes that are held for each part from level to level, while the other parts run. */
  readonly keptBytes: number;
}

export interface PartsOf {
  /** Arguments, by position, that are another for each part. */
  readonly own: ReadonlySet<number>;
  /** Parts that are run here, one behind the other. */
  readonly parts: number;
  /** Parts in all, those of other processes included: what the sums are divided by. */
  readonly total: number;
}

/** So much may be held for all parts together without a second thought. */
const LITTLE = 2 ** 28;

/** What parts hold is computed again where that takes at most so many times the work. */
const MORE_WORK = 1.5;

/**
 * Cuts a graph at its `rankMean` nodes for parts of a batch that run one behind the other in one
 * process. A section for each part hands out summands only, and what no part alone decides is
 * computed once. Between two sums a part would hold what its later sections need of its earlier
 * ones, times the number of parts; where that is much and not dear to compute, a later section
 * computes it again from the arguments.
 * @throws ShapeError for a result that a single part decides, without a mean over all.
 */
export function cutIntoParts(graph: Graph, of: PartsOf): PartsCut {
  const keeping = cut(graph, of, true);
  if (keeping.keptBytes * of.parts <= LITTLE) return keeping;
  const remaking = cut(graph, of, false);
  return workOf(remaking) <= MORE_WORK * workOf(keeping) ? remaking : keeping;
}

function cut(graph: Graph, { own, total }: PartsOf, keep: boolean): PartsCut {
  const varies = variesOf(graph, own);
  const available = earliest(graph);
  const last = Math.max(0, ...available);
  const place = latest(graph, available, last);
  const results = new Map<number, number>();
  graph.outputs.forEach((id, index) => {
    if (varies[id]) {
      throw new ShapeError(
        `result ${index} of a function in parts depends on one part alone; take its rankMean`,
      );
    }
    if (!results.has(id)) results.set(id, index);
  });
  /** The level at which a result is made. */
  const made = (id: number) => (available[id] === 0 ? last : available[id]);
  const origin = (level: number) => (node: Node) => {
    const { id, op } = node;
    const index = results.get(id);
    // Results of `level` itself are there once its common section has run.
    if (index !== undefined && made(id) <= level) return { kind: 'result' as const, index };
    if (!keep || !varies[id] || CHEAP.has(op) || place[id] >= level) return undefined;
    return { kind: 'value' as const, id };
  };
  const wanted: Set<number>[] = Array.from({ length: last + 1 }, () => new Set<number>());
  const levels: PartsLevel[] = [];
  let keptBytes = 0;
  for (let level = last; level >= 0; level--) {
    const now = graph.outputs.flatMap((id, index): [number, SectionOutput][] =>
      made(id) === level ? [[id, { kind: 'result', index }]] : [],
    );
    const summands = graph.nodes.flatMap((node): [number, SectionOutput][] =>
      node.op === 'rankMean' && available[node.id] === level + 1
        ? [[node.inputs[0], { kind: 'reduce', id: node.id }]]
        : [],
    );
    const kept = [...wanted[level]].map((id): [number, SectionOutput] => [
      id,
      { kind: 'value', id },
    ]);
    const common = now.length > 0 && extract(graph, now, total, origin(level - 1));
    const each =
      summands.length > 0 && extract(graph, [...summands, ...kept], total, origin(level));
    for (const input of each ? each.inputs : []) {
      if (input.kind !== 'value') continue;
      wanted[place[input.id]].add(input.id);
    }
    levels.unshift({ ...(common && { common }), ...(each && { each }) });
  }
  for (const ids of wanted) for (const id of ids) keptBytes += 4 * sizeOf(graph.nodes[id].shape);
  return { levels, keptBytes };
}

/** Whether each node is another for each part. */
function variesOf(graph: Graph, own: ReadonlySet<number>): boolean[] {
  const varies: boolean[] = [];
  for (const node of graph.nodes) {
    if (node.op === 'input') varies.push(own.has(node.attrs.index));
    else varies.push(node.op !== 'rankMean' && node.inputs.some((i) => varies[i]));
  }
  return varies;
}

const workOf = ({ levels }: PartsCut) =>
  levels.reduce((sum, { each }) => sum + (each ? costOf(each.graph).flops : 0), 0);
