import { ShapeError } from '../core/errors.ts';
import type { HostTensor } from '../core/host-tensor.ts';
import { flatten, type Structure, structureKey, unflatten } from '../core/tree.ts';
import { registerMissingGradients } from './gradients.ts';
import type { Section, SectionInput } from './ir/cut.ts';
import { cutIntoParts } from './ir/cut-parts.ts';
import type { Executor, Liftable } from './jit.ts';
import { asSlot, asTensor, hostToTensor, isLeaf, isTensor, leafSpec, specKey } from './leaves.ts';
import type { Session } from './native/open.ts';
import { optimise } from './passes/index.ts';
import { asOneRank, type RankPlace } from './ranks.ts';
import { arrayOf, BufferPool } from './run/buffers.ts';
import type { Slot } from './run/session.ts';
import { openSection } from './section-session.ts';
import type { Tensor } from './tf.ts';
import { type LeafSpec, trace } from './trace/tracer.ts';
import { placeMeans, vectorLength } from './vectors.ts';

export interface PartsOptions {
  /** Parts of the share of this process. */
  readonly parts: number;
  /** The process that this is, of those that share the work. */
  readonly place: RankPlace;
  /** The arguments that each part has of its own. */
  readonly own: Readonly<Record<string, LeafSpec>>;
  /** Whether the tensors of the common argument are given up to a call, as for `jit`. */
  readonly donate?: boolean;
  readonly name?: string;
  /** Default: that of `jit`. */
  readonly executor?: Executor;
}

/** An argument of its own of one part; its arrays are asked for when they are needed. */
export type OwnArgument = (part: number, name: string) => HostTensor;

/** A function that is run part by part. */
export interface PartsFunction<C, R> {
  /**
   * Runs it bit by bit: yields nothing after each call of a part, and a vector to be replaced by
   * its sum over all processes where there are several. A run that is given up before its end
   * leaves all arguments as they were.
   */
  run(common: Liftable<C>, own: OwnArgument): Generator<Float32Array | undefined, R, void>;
  /** Calls of parts in one run. */
  calls(common: Liftable<C>): number;
  /** Lets go of what was compiled, and of the memory that it holds. */
  dispose(): void;
}

/** The argument that says which part it is; not a name that a caller may have. */
const PLACE = '#place';

/** A section with what runs it. */
interface Step {
  readonly section: Section;
  readonly session: Session;
  readonly outputs: readonly LeafSpec[];
}

interface Level {
  readonly common?: Step;
  readonly each?: Step;
  /** The sums that end the level, and the pieces of one part's summands. */
  readonly sums: Float32Array;
  readonly summands: ReadonlyMap<number, Slot>;
}

interface Compiled {
  readonly levels: readonly Level[];
  readonly commonLeaves: number;
  readonly results: readonly LeafSpec[];
  readonly structure: Structure;
  readonly buffers: BufferPool;
  /** Pieces of the sums, by node. */
  readonly reduced: ReadonlyMap<number, Slot>;
  /** What each part holds from section to section, by node. */
  readonly kept: readonly ReadonlyMap<number, Slot>[];
  /** Where the summands of one part are written; the sums of a level lie elsewhere. */
  readonly scratch: Float32Array;
}

/**
 * Compiles a pure function for the parts of a batch that does not fit into memory at once. What it
 * marks with `rankMean` is averaged over the parts, one after the other in a fixed order; it is
 * compiled once, for the size of a part, however many there are. Arguments and results that all
 * parts share are held once.
 * @param fn of what the parts share, and of each part's own arguments.
 */
export function inParts<C, R>(
  fn: (common: C, own: Readonly<Record<string, Tensor>>) => R,
  options: PartsOptions,
): PartsFunction<C, R> {
  const { parts, place, own, donate = false, name = fn.name || 'anonymous', executor } = options;
  const size = place.size * parts;
  const specs: Readonly<Record<string, LeafSpec>> = {
    ...own,
    [PLACE]: { shape: [size], dtype: 'float32' },
  };
  const names = Object.keys(specs);
  const compiled = new Map<string, Compiled>();

  const record = (inputs: readonly LeafSpec[], structure: Structure) => {
    registerMissingGradients();
    const commonLeaves = inputs.length;
    let resultStructure: Structure | undefined;
    const graph = trace([...inputs, ...names.map((key) => specs[key])], (tensors) => {
      const common = unflatten(structure, tensors.slice(0, commonLeaves)) as unknown as C;
      const { [PLACE]: at, ...mine } = Object.fromEntries(
        names.map((key, i) => [key, tensors[commonLeaves + i]]),
      );
      const result = flatten(
        asOneRank({ at, size }, () => fn(common, mine)),
        isLeaf,
      );
      resultStructure = result.structure;
      return result.leaves.map((leaf) => asTensor(leaf));
    });
    return { graph, structure: resultStructure as Structure };
  };

  const compile = (inputs: readonly LeafSpec[], structure: Structure): Compiled => {
    const recorded = record(inputs, structure);
    const graph = optimise(recorded.graph);
    const places = names.map((_, i) => inputs.length + i);
    const { levels } = cutIntoParts(graph, { own: new Set(places), parts, total: size });
    const reduced = new Map<number, Slot>();
    const kept = Array.from({ length: parts }, () => new Map<number, Slot>());
    const longest = Math.max(0, ...levels.map(({ each }) => vectorLength(graph, each)));
    const scratch = new Float32Array(longest);
    const open = (section: Section, title: string): Step => {
      const outputs = section.graph.outputs.map((id): LeafSpec => section.graph.nodes[id]);
      for (const output of section.outputs) {
        if (output.kind !== 'value') continue;
        const spec = graph.nodes[output.id];
        for (const values of kept) values.set(output.id, { ...spec, data: arrayOf(spec) });
      }
      // Sections run by turns and use the same memory.
      const session = openSection(section, title, { executor, arena: false });
      return { section, outputs, session };
    };
    const opened = levels.map(({ common, each }, i): Level => {
      const sums = new Float32Array(vectorLength(graph, each));
      const summands = new Map<number, Slot>();
      if (each) {
        placeMeans(graph, each, sums, reduced);
        placeMeans(graph, each, scratch, summands);
      }
      return {
        ...(common && { common: open(common, `${name}/${i}/common`) }),
        ...(each && { each: open(each, `${name}/${i}`) }),
        sums,
        summands,
      };
    });
    const results = recorded.graph.outputs.map((id): LeafSpec => recorded.graph.nodes[id]);
    return {
      levels: opened,
      commonLeaves: inputs.length,
      results,
      structure: recorded.structure,
      buffers: new BufferPool(results),
      ...{ reduced, kept, scratch },
    };
  };

  const target = (common: unknown) => {
    const { leaves, structure } = flatten(common, isLeaf);
    const inputs = leaves.map((leaf, i) => leafSpec(leaf, `${name}: leaf ${i} of arguments`));
    const key = structureKey(structure) + inputs.map(specKey).join();
    let found = compiled.get(key);
    if (found === undefined) {
      found = compile(inputs, structure);
      compiled.set(key, found);
    }
    return { found, leaves };
  };

  function* run(common: unknown, drawn: OwnArgument): Generator<Float32Array | undefined, R, void> {
    const { found, leaves } = target(common);
    const { levels, commonLeaves, buffers, reduced, kept, scratch } = found;
    const results = found.results.map((spec): Slot => ({ ...spec, data: buffers.take(spec) }));
    const slots = leaves.map(asSlot);
    const lookUp = (input: SectionInput, part: number): Slot | undefined => {
      switch (input.kind) {
        case 'argument': {
          const { index } = input;
          if (index < commonLeaves) return slots[index];
          const own = names[index - commonLeaves];
          return own === PLACE ? oneHot(size, place.rank * parts + part) : drawn(part, own);
        }
        case 'result':
          return results[input.index];
        case 'reduced':
          return reduced.get(input.id);
        case 'value':
          return kept[part].get(input.id);
      }
    };
    const call = (
      { section, session, outputs }: Step,
      part: number,
      summands: Level['summands'],
    ) => {
      const ins = section.inputs.map((input) => {
        const slot = lookUp(input, part);
        if (slot === undefined) throw new ShapeError(`${name}: an argument has no value yet`);
        return slot;
      });
      const outs = section.outputs.map((output, i): Slot => {
        if (output.kind === 'result') return results[output.index];
        const slot = (output.kind === 'reduce' ? summands : kept[part]).get(output.id) as Slot;
        return { ...slot, shape: outputs[i].shape };
      });
      session.run(ins, outs);
    };
    for (const { common: once, each, sums, summands } of levels) {
      if (once) call(once, 0, summands);
      if (!each) continue;
      for (let part = 0; part < parts; part++) {
        call(each, part, summands);
        if (part === 0) sums.set(scratch.subarray(0, sums.length));
        else for (let i = 0; i < sums.length; i++) sums[i] += scratch[i];
        yield undefined;
      }
      if (place.size > 1) yield sums;
    }
    if (donate) for (const leaf of leaves) if (isTensor(leaf)) buffers.giveUp(leaf);
    const tensors = results.map((result) => hostToTensor(result.data, result));
    return unflatten(found.structure, tensors) as R;
  }

  return {
    run: run as PartsFunction<C, R>['run'],
    calls: (common) => parts * target(common).found.levels.filter(({ each }) => each).length,
    dispose() {
      for (const { levels } of compiled.values()) {
        for (const { common, each } of levels) {
          common?.session.dispose();
          each?.session.dispose();
        }
      }
      compiled.clear();
    },
  };
}

function oneHot(size: number, at: number): Slot {
  const data = new Float32Array(size);
  data[at] = 1;
  return { data, shape: [size], dtype: 'float32' };
}
