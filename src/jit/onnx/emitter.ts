import { createHash } from 'node:crypto';
import type { HostTensor } from '../../core/host-tensor.ts';
import type { Graph, Node } from '../ir/ops.ts';
import { DIALECTS, type Dialect } from './dialect.ts';
import {
  type Attribute,
  type Message,
  modelProto,
  nodeProto,
  type OnnxType,
  tensorProto,
  valueInfoProto,
} from './proto.ts';
import { planSplits, type SplitPlan } from './split.ts';

interface OnnxNode {
  readonly type: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: Readonly<Record<string, Attribute>>;
  readonly domain: string;
}

/** Names of a model's arguments and results, and arguments that are part of the model. */
export interface PortNames {
  readonly inputs?: readonly string[];
  readonly outputs?: readonly string[];
  readonly constants?: ReadonlyMap<number, HostTensor>;
}

/** Collects ONNX nodes and initialisers; equal literals are stored once. */
export class Emitter {
  readonly graph: Graph;
  readonly splits: SplitPlan;
  readonly dialect: Dialect;
  private readonly nodes: OnnxNode[] = [];
  private readonly initializers: Message[] = [];
  private readonly literalNames = new Map<string, string>();
  /** The ONNX value that holds each IR node. */
  private readonly names: string[] = [];
  private readonly derived = new Map<string, string>();
  private readonly sequence: string[] = [];
  private next = 0;

  constructor(graph: Graph, dialect: Dialect = DIALECTS.cpu) {
    this.graph = graph;
    this.dialect = dialect;
    this.splits = planSplits(graph);
  }

  bind(node: Node, name: string): void {
    this.names[node.id] = name;
  }

  name(id: number): string {
    return this.names[id];
  }

  /** The ONNX value of the `i`-th operand. */
  operand(node: Node, i: number): string {
    return this.names[node.inputs[i]];
  }

  shapeOf(node: Node, i: number): readonly number[] {
    return this.graph.nodes[node.inputs[i]].shape;
  }

  /** Emits one ONNX node with one result. */
  op(
    type: string,
    inputs: readonly string[],
    attributes: Readonly<Record<string, Attribute>> = {},
    domain = '',
  ): string {
    return this.multi(type, inputs, 1, attributes, domain)[0];
  }

  multi(
    type: string,
    inputs: readonly string[],
    count: number,
    attributes: Readonly<Record<string, Attribute>> = {},
    domain = '',
  ): string[] {
    const outputs = Array.from({ length: count }, () => `v${this.next++}`);
    this.nodes.push({ type, inputs, outputs, attributes, domain });
    return outputs;
  }

  literal(type: OnnxType, shape: readonly number[], data: ArrayBufferView): string {
    const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    const key = `${type}[${shape}]${createHash('sha1').update(bytes).digest('base64')}`;
    let name = this.literalNames.get(key);
    if (name === undefined) {
      name = `c${this.literalNames.size}`;
      this.literalNames.set(key, name);
      this.initializers.push(tensorProto(name, type, shape, data));
    }
    return name;
  }

  /** A vector of indices or sizes, as many ONNX operators take for an operand. */
  ints(values: readonly number[]): string {
    return this.literal('int64', [values.length], BigInt64Array.from(values.map(BigInt)));
  }

  scalar(value: number, type: 'float32' | 'int32' | 'bool' = 'float32'): string {
    const data =
      type === 'float32'
        ? Float32Array.of(value)
        : type === 'int32'
          ? Int32Array.of(value)
          : Uint8Array.of(value);
    return this.literal(type, [], data);
  }

  /**
   * Asks for these values one after the other. ONNX Runtime runs a graph depth first from the nodes
   * whose results nothing needs, the last of them first: so each value is looked at by such a node,
   * the first value by the last one.
   */
  inSequence(values: readonly string[]): void {
    this.sequence.push(...new Set(values));
  }

  /** What `make` emits; for a key that was asked for before, what it emitted then. */
  once(key: string, make: () => string): string {
    let name = this.derived.get(key);
    if (name === undefined) {
      name = make();
      this.derived.set(key, name);
    }
    return name;
  }

  /** A matrix turned over; asked for twice, it is turned once. */
  transposed(x: string): string {
    return this.once(`transposed ${x}`, () => this.op('Transpose', [x], { perm: [1, 0] }));
  }

  /** Values side by side, in as many steps as the operands that one may have ask for. */
  concat(parts: readonly string[], axis: number): string {
    if (parts.length === 1) return parts[0];
    const { mostOperands } = this.dialect;
    let level = parts;
    while (level.length > 1) {
      level = grouped(level, mostOperands).map((group) =>
        group.length === 1 ? group[0] : this.op('Concat', group, { axis }),
      );
    }
    return level[0];
  }

  /** A value in pieces of these lengths along an axis, in as many steps as `concat` would take. */
  split(x: string, sizes: readonly number[], axis: number): readonly string[] {
    if (sizes.length === 1) return [x];
    const { mostOperands } = this.dialect;
    const cut = (value: string, lengths: readonly number[]) =>
      lengths.length === 1
        ? [value]
        : this.multi('Split', [value, this.ints(lengths)], lengths.length, { axis });
    if (sizes.length <= mostOperands) return cut(x, sizes);
    const groups = grouped(sizes, Math.ceil(sizes.length / mostOperands));
    const totals = groups.map((group) => group.reduce((a, b) => a + b, 0));
    return cut(x, totals).flatMap((value, i) => this.split(value, groups[i], axis));
  }

  reshape(x: string, shape: readonly number[]): string {
    return this.op('Reshape', [x, this.ints(shape)], shape.includes(0) ? { allowzero: 1 } : {});
  }

  get nodeCount(): number {
    return this.nodes.length;
  }

  /**
   * The model, its results named `out0…` or as `names` says. A value that some node computes takes
   * the name itself; arguments, literals and values given out twice are copied. Arguments in
   * `constants`, by their places, become literals where they are used.
   */
  finish(name: string, names: PortNames = {}): Uint8Array {
    const { graph } = this;
    const computed = new Set(this.nodes.flatMap((n) => n.outputs));
    const renamed = new Map<string, string>();
    graph.outputs.forEach((id, i) => {
      const value = this.names[id];
      const port = names.outputs?.[i] ?? `out${i}`;
      if (computed.has(value) && !renamed.has(value)) renamed.set(value, port);
      else this.nodes.push(identity(value, port));
    });
    for (const value of this.sequence.reverse()) {
      this.nodes.push({ ...identity(value, `v${this.next++}`), type: 'Size' });
    }
    names.inputs?.forEach((port, i) => {
      renamed.set(`in${i}`, port);
    });
    const rename = (value: string) => renamed.get(value) ?? value;
    const info = (value: string, id: number) =>
      valueInfoProto(value, graph.nodes[id].dtype, graph.nodes[id].shape);
    const constants = names.constants ?? new Map<number, HostTensor>();
    const used = new Set(this.nodes.flatMap((n) => n.inputs));
    const literals = [...constants].flatMap(([i, { dtype, shape, data }]) =>
      used.has(`in${i}`) ? [tensorProto(rename(`in${i}`), dtype, shape, data)] : [],
    );
    return modelProto(name, {
      nodes: this.nodes.map((n) =>
        nodeProto(n.type, n.inputs.map(rename), n.outputs.map(rename), n.attributes, n.domain),
      ),
      initializers: [...literals, ...this.initializers],
      inputs: graph.inputs.flatMap((id, i) =>
        constants.has(i) ? [] : [info(rename(`in${i}`), id)],
      ),
      outputs: graph.outputs.map((id, i) => info(names.outputs?.[i] ?? `out${i}`, id)),
      portable: this.dialect.portable,
    });
  }
}

const identity = (from: string, to: string): OnnxNode => ({
  type: 'Identity',
  inputs: [from],
  outputs: [to],
  attributes: {},
  domain: '',
});

/** Runs of at most `length` neighbours. */
function grouped<T>(values: readonly T[], length: number): T[][] {
  const step = Math.min(length, values.length);
  const count = Math.ceil(values.length / step);
  return Array.from({ length: count }, (_, i) => values.slice(i * step, (i + 1) * step));
}
