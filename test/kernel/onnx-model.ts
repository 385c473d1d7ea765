/** A field of a protocol buffer: a varint (0) or bytes (2). */
function field(number: number, value: number | Buffer | string): Buffer {
  const varint = (n: number): number[] => (n < 128 ? [n] : [(n & 127) | 128, ...varint(n >>> 7)]);
  if (typeof value === 'number') return Buffer.from([...varint(number << 3), ...varint(value)]);
  const bytes = Buffer.from(value as string);
  return Buffer.concat([
    Buffer.from([...varint((number << 3) | 2), ...varint(bytes.length)]),
    bytes,
  ]);
}

const message = (...fields: Buffer[]): Buffer => Buffer.concat(fields);

/** An ONNX model with input `x` and output `y`, both float32 [n,n]: y = x·x. */
export function matMulModel(n: number): Buffer {
  const shape = message(...[n, n].map((d) => field(1, field(1, d))));
  const type = field(1, message(field(1, 1), field(2, shape)));
  const value = (name: string) => message(field(1, name), field(2, type));
  const node = message(field(1, 'x'), field(1, 'x'), field(2, 'y'), field(4, 'MatMul'));
  const graph = message(
    field(1, node),
    field(2, 'g'),
    field(11, value('x')),
    field(12, value('y')),
  );
  const opset = message(field(1, ''), field(2, 13));
  return message(field(1, 8), field(7, graph), field(8, opset));
}
