import { createHash } from 'node:crypto';
import type { Graph } from './ops.ts';

/** sha256 over operations, attributes (literal data included), wiring and outputs. */
export function hashGraph(graph: Graph): string {
  const hash = createHash('sha256');
  for (const node of graph.nodes) {
    if (node.op === 'const') {
      const { data, shape, dtype } = node.attrs;
      hash.update(`const ${dtype}[${shape}]`);
      hash.update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
    } else {
      hash.update(`${node.op} ${node.inputs} ${describeAttrs(node.attrs)};`);
    }
  }
  hash.update(`outputs ${graph.outputs}`);
  return hash.digest('hex');
}

/** JSON, with the values that JSON would lose spelled out. */
export function describeAttrs(attrs: object): string {
  return JSON.stringify(attrs, (_, v) =>
    typeof v === 'number' && (!Number.isFinite(v) || Object.is(v, -0))
      ? `${1 / v < 0 ? '-' : ''}${v}`
      : v,
  );
}
