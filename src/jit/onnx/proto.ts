/*
 * The part of ONNX' protobuf schema (onnx.proto, IR version 10) that a static graph needs,
 * written field by field. Field numbers are those of the schema.
 */

/** A growing protobuf message. */
export class Message {
  private readonly chunks: Uint8Array[] = [];
  private length = 0;

  private push(bytes: Uint8Array): void {
    this.chunks.push(bytes);
    this.length += bytes.length;
  }

  private varint(value: bigint): void {
    const bytes: number[] = [];
    let rest = BigInt.asUintN(64, value);
    do {
      const low = Number(rest & 0x7fn);
      rest >>= 7n;
      bytes.push(rest > 0n ? low | 0x80 : low);
    } while (rest > 0n);
    this.push(Uint8Array.from(bytes));
  }

  int(field: number, value: number | bigint): this {
    this.varint(BigInt(field << 3));
    this.varint(BigInt(value));
    return this;
  }

  float(field: number, value: number): this {
    this.varint(BigInt((field << 3) | 5));
    this.push(new Uint8Array(Float32Array.of(value).buffer));
    return this;
  }

  bytes(field: number, value: Uint8Array): this {
    this.varint(BigInt((field << 3) | 2));
    this.varint(BigInt(value.length));
    this.push(value);
    return this;
  }

  string(field: number, value: string): this {
    return this.bytes(field, new TextEncoder().encode(value));
  }

  message(field: number, value: Message): this {
    return this.bytes(field, value.finish());
  }

  finish(): Uint8Array {
    const out = new Uint8Array(this.length);
    let at = 0;
    for (const chunk of this.chunks) {
      out.set(chunk, at);
      at += chunk.length;
    }
    return out;
  }
}

/** TensorProto.DataType */
export const ONNX_TYPE = { float32: 1, int32: 6, int64: 7, bool: 9, float16: 10 } as const;
export type OnnxType = keyof typeof ONNX_TYPE;

export type Attribute = number | string | readonly number[] | { readonly float: number };

export function attributeProto(name: string, value: Attribute): Message {
  const m = new Message().string(1, name);
  if (typeof value === 'number') return m.int(3, value).int(20, 2);
  if (typeof value === 'string') return m.string(4, value).int(20, 3);
  if ('float' in value) return m.float(2, value.float).int(20, 1);
  for (const v of value) m.int(8, v);
  return m.int(20, 7);
}

export function nodeProto(
  type: string,
  inputs: readonly string[],
  outputs: readonly string[],
  attributes: Readonly<Record<string, Attribute>>,
  domain: string,
): Message {
  const m = new Message();
  for (const i of inputs) m.string(1, i);
  for (const o of outputs) m.string(2, o);
  m.string(3, `${type}_${outputs[0]}`).string(4, type);
  for (const [name, value] of Object.entries(attributes)) {
    m.message(5, attributeProto(name, value));
  }
  return domain === '' ? m : m.string(7, domain);
}

export function tensorProto(
  name: string,
  type: OnnxType,
  shape: readonly number[],
  data: ArrayBufferView,
): Message {
  const m = new Message();
  for (const d of shape) m.int(1, d);
  return m
    .int(2, ONNX_TYPE[type])
    .string(8, name)
    .bytes(9, new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
}

/** Without a shape: of any. */
export function valueInfoProto(name: string, type: OnnxType, shape?: readonly number[]): Message {
  const tensor = new Message().int(1, ONNX_TYPE[type]);
  if (shape !== undefined) {
    const dims = new Message();
    for (const d of shape) dims.message(1, new Message().int(1, d));
    tensor.message(2, dims);
  }
  return new Message().string(1, name).message(2, new Message().message(1, tensor));
}

export interface ModelParts {
  readonly nodes: readonly Message[];
  readonly initializers: readonly Message[];
  readonly inputs: readonly Message[];
  readonly outputs: readonly Message[];
  /** Whether the model uses operators of the standard only. Default false. */
  readonly portable?: boolean;
}

export const OPSET = 21;

export function modelProto(name: string, parts: ModelParts): Uint8Array {
  const graph = new Message().string(2, name);
  for (const n of parts.nodes) graph.message(1, n);
  for (const t of parts.initializers) graph.message(5, t);
  for (const i of parts.inputs) graph.message(11, i);
  for (const o of parts.outputs) graph.message(12, o);
  const opset = (domain: string, version: number) =>
    new Message().string(1, domain).int(2, version);
  const model = new Message()
    .int(1, 10)
    .string(2, 'gibbs')
    .message(7, graph)
    .message(8, opset('', OPSET));
  return (parts.portable ? model : model.message(8, opset('com.microsoft', 1))).finish();
}

/** A model that gives back its one argument, whatever its shape. */
export function identityModel(type: OnnxType): Uint8Array {
  return modelProto('identity', {
    nodes: [nodeProto('Identity', ['in0'], ['out0'], {}, '')],
    initializers: [],
    inputs: [valueInfoProto('in0', type)],
    outputs: [valueInfoProto('out0', type)],
    portable: true,
  });
}
