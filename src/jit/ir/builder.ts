import { GibbsError } from '../../core/errors.ts';
import type { DType, HostData } from '../../core/host-tensor.ts';
import type { Graph, Node, Op, OpAttrs } from './ops.ts';
import { Malformed, SPEC } from './spec.ts';

/** Appends nodes; shapes and types come from the table of the IR. */
export class GraphBuilder {
  readonly nodes: Node[] = [];
  readonly inputs: number[] = [];

  add<K extends Op>(op: K, inputs: readonly number[], attrs: OpAttrs[K]): number {
    const id = this.nodes.length;
    const operands = inputs.map((i) => this.nodes[i]);
    try {
      const spec = SPEC[op];
      if (spec.arity >= 0 ? inputs.length !== spec.arity : inputs.length === 0) {
        throw new Malformed(`${inputs.length} operands, expected ${spec.arity}`);
      }
      const { shape, dtype } = spec.infer(operands, attrs as never);
      this.nodes.push({ id, op, inputs, attrs, shape, dtype } as unknown as Node);
    } catch (error) {
      if (!(error instanceof Malformed)) throw error;
      throw new GibbsError('internal', `IR: malformed ${op}: ${error.message}`, { cause: error });
    }
    return id;
  }

  input(shape: readonly number[], dtype: DType): number {
    const id = this.add('input', [], { index: this.inputs.length, shape, dtype });
    this.inputs.push(id);
    return id;
  }

  splat(value: number, shape: readonly number[] = [], dtype: DType = 'float32'): number {
    return this.add('splat', [], { value, shape, dtype });
  }

  const(data: HostData, shape: readonly number[], dtype: DType): number {
    return this.add('const', [], { data, shape, dtype });
  }

  shape(id: number): readonly number[] {
    return this.nodes[id].shape;
  }

  finish(outputs: readonly number[]): Graph {
    return { nodes: this.nodes, inputs: this.inputs, outputs };
  }
}
