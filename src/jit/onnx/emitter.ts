import { createHash } from 'node:crypto';
import type { Graph, Node } from '../ir/ops.ts';
import {
  type Attribute,
  type Message,
  modelProto,
  nodeProto,
  type OnnxType,
  tensorProto,
  valueInfoProto,
} from './proto.ts';

/** Collects ONNX nodes and initialisers; equal literals are stored once. */
export class Emitter {
  readonly graph: Graph;
  private readonly nodes: Message[] = [];
  private readonly initializers: Message[] = [];
  private readonly literalNames = new Map<string, string>();
  /** The ONNX value that holds each IR node. */
  private readonly names: string[] = [];
  private next = 0;
  nodeCount = 0;

  constructor(graph: Graph) {
    this.graph = graph;
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
    this.nodes.push(nodeProto(type, inputs, outputs, attributes, domain));
    this.nodeCount++;
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

  reshape(x: string, shape: readonly number[]): string {
    return this.op('Reshape', [x, this.ints(shape)], shape.includes(0) ? { allowzero: 1 } : {});
  }

  finish(name: string): Uint8Array {
    const { graph } = this;
    const outputs = graph.outputs.map((id, i) => {
      const { dtype, shape } = graph.nodes[id];
      // A value may be given out once only, and not an input or literal: each gets a name here.
      this.nodes.push(nodeProto('Identity', [this.names[id]], [`out${i}`], {}, ''));
      return valueInfoProto(`out${i}`, dtype, shape);
    });
    const inputs = graph.inputs.map((id, i) => {
      const { dtype, shape } = graph.nodes[id];
      return valueInfoProto(`in${i}`, dtype, shape);
    });
    return modelProto(name, {
      nodes: this.nodes,
      initializers: this.initializers,
      inputs,
      outputs,
    });
  }
}
