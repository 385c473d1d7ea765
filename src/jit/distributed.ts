import { ShapeError } from '../core/errors.ts';
import { flatten, type Structure, structureKey, unflatten } from '../core/tree.ts';
import { registerMissingGradients } from './gradients.ts';
import { cutAtRankMeans, type Section } from './ir/cut.ts';
import { hashGraph } from './ir/hash.ts';
import type { JitFunction, Liftable } from './jit.ts';
import { asSlot, asTensor, hostToTensor, isLeaf, isTensor, leafSpec, specKey } from './leaves.ts';
import type { Session } from './native/open.ts';
import { optimise } from './passes/index.ts';
import { asOneRank, type RankPlace } from './ranks.ts';
import { arrayOf, BufferPool } from './run/buffers.ts';
import type { Slot } from './run/session.ts';
import { openSection } from './section-session.ts';
import { type LeafSpec, trace } from './trace/tracer.ts';
import { placeMeans, vectorLength } from './vectors.ts';

export interface DistributedOptions {
  /** The process that this is, of those that share the work. */
  readonly place: RankPlace;
  /** As for `jit`. */
  readonly donate?: readonly number[];
  readonly name?: string;
}

/** A function whose result needs numbers of other ranks. */
export interface DistributedFunction<A extends unknown[], R> {
  /**
   * Runs it bit by bit: each value yielded is a vector to be replaced by its sum over all ranks
   * before the next call of `next`. Every rank yields vectors of the same lengths in the same
   * order. A run that is given up before its end leaves all arguments as they were.
   */
  run(...args: { [K in keyof A]: Liftable<A[K]> }): Generator<Float32Array, R, void>;
  /** Lengths of the vectors that a run yields. */
  vectors(...args: { [K in keyof A]: Liftable<A[K]> }): number[];
  fingerprint: JitFunction<A, R>['fingerprint'];
}

/** A section, compiled, with the arrays that its results are written to. */
interface Part {
  readonly section: Section;
  readonly session: Session;
  readonly outputs: readonly LeafSpec[];
  /** What goes over all ranks after this section; empty after the last. */
  readonly vector: Float32Array;
}

interface Compiled {
  readonly parts: readonly Part[];
  readonly results: readonly LeafSpec[];
  readonly structure: Structure;
  readonly buffers: BufferPool;
  /** Values between sections, by node; written anew in every run. */
  readonly values: ReadonlyMap<number, Slot>;
  /** Pieces of the vectors, by node. */
  readonly reduced: ReadonlyMap<number, Slot>;
}

/**
 * Compiles a pure function of trees of tensors as one rank's share of a computation on several
 * processes: what it marks with `rankMean` is averaged over all ranks. Beside that as `jit`, with
 * the same results for one rank.
 */
export function distributed<A extends unknown[], R>(
  fn: (...args: A) => R,
  { place, donate = [], name = fn.name || 'anonymous' }: DistributedOptions,
): DistributedFunction<A, R> {
  const compiled = new Map<string, Compiled>();

  const record = (inputs: readonly LeafSpec[], structure: Structure) => {
    registerMissingGradients();
    let resultStructure: Structure | undefined;
    const graph = asOneRank(place, () =>
      trace(inputs, (tensors) => {
        const result = flatten(fn(...(unflatten(structure, tensors) as unknown as A)), isLeaf);
        resultStructure = result.structure;
        return result.leaves.map((leaf) => asTensor(leaf));
      }),
    );
    return { graph, structure: resultStructure as Structure };
  };

  const compile = (inputs: readonly LeafSpec[], structure: Structure): Compiled => {
    const recorded = record(inputs, structure);
    const graph = optimise(recorded.graph);
    const sections = cutAtRankMeans(graph, place.size);
    const reduced = new Map<number, Slot>();
    const values = new Map<number, Slot>();
    const parts = sections.map((section, i): Part => {
      const vector = new Float32Array(vectorLength(graph, section));
      placeMeans(graph, section, vector, reduced);
      for (const output of section.outputs) {
        if (output.kind !== 'value') continue;
        const spec = graph.nodes[output.id];
        values.set(output.id, { ...spec, data: arrayOf(spec) });
      }
      return {
        section,
        session: openSection(section, `${name}/${i}`, { arena: true }),
        outputs: section.graph.outputs.map((id): LeafSpec => section.graph.nodes[id]),
        vector,
      };
    });
    const results = recorded.graph.outputs.map((id): LeafSpec => recorded.graph.nodes[id]);
    const buffers = new BufferPool(results);
    return { parts, results, structure: recorded.structure, buffers, values, reduced };
  };

  const prepare = (args: unknown[]) => {
    const { leaves, structure } = flatten(args, isLeaf);
    const inputs = leaves.map((leaf, i) => leafSpec(leaf, `${name}: leaf ${i} of arguments`));
    return { leaves, structure, inputs };
  };

  const target = (args: unknown[]) => {
    const { leaves, structure, inputs } = prepare(args);
    const key = structureKey(structure) + inputs.map(specKey).join();
    let found = compiled.get(key);
    if (found === undefined) {
      found = compile(inputs, structure);
      compiled.set(key, found);
    }
    return { found, leaves };
  };

  function* run(...args: unknown[]): Generator<Float32Array, R, void> {
    const { found, leaves } = target(args);
    const { parts, buffers, values, reduced } = found;
    const results = found.results.map((spec): Slot => ({ ...spec, data: buffers.take(spec) }));
    const slots = leaves.map(asSlot);
    const get = (from: Map<number, Slot> | ReadonlyMap<number, Slot>, id: number): Slot => {
      const slot = from.get(id);
      if (slot === undefined) throw new ShapeError(`${name}: node ${id} has no value yet`);
      return slot;
    };
    for (const { section, session, outputs, vector } of parts) {
      const ins = section.inputs.map((input) => {
        if (input.kind === 'argument') return slots[input.index];
        if (input.kind === 'result') return results[input.index];
        return get(input.kind === 'value' ? values : reduced, input.id);
      });
      const outs = section.outputs.map((output, i) => {
        if (output.kind === 'result') return results[output.index];
        const slot = get(output.kind === 'value' ? values : reduced, output.id);
        return { ...slot, shape: outputs[i].shape };
      });
      session.run(ins, outs);
      if (vector.length > 0) yield vector;
    }
    for (const i of donate) {
      for (const tensor of flatten(args[i], isLeaf).leaves.filter(isTensor)) buffers.giveUp(tensor);
    }
    const tensors = results.map((result) => hostToTensor(result.data, result));
    return unflatten(found.structure, tensors) as R;
  }

  return {
    run: run as DistributedFunction<A, R>['run'],
    vectors: (...args) =>
      target(args).found.parts.flatMap(({ vector }) => (vector.length > 0 ? [vector.length] : [])),
    fingerprint: (...args) => {
      const { inputs, structure } = prepare(args);
      return hashGraph(record(inputs, structure).graph);
    },
  };
}
