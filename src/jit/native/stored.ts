import { gunzipSync, gzipSync } from 'node:zlib';
import type { DType, HostData } from '../../core/host-tensor.ts';
import type { Graph } from '../ir/ops.ts';
import { optimise } from '../passes/index.ts';
import { readCache, writeCache } from '../run/cache.ts';
import { lowerToC } from './compile.ts';
import type { CSource } from './emit/program.ts';
import { detectIsa } from './gemm/isa.ts';
import type { Precision } from './precision.ts';

/** What stands before the arrays and the text of a stored source. */
interface Header {
  readonly arenaBytes: number;
  readonly scratchBytes: number;
  readonly constants: readonly { readonly dtype: DType; readonly length: number }[];
}

const ARRAYS = { float32: Float32Array, int32: Int32Array, bool: Uint8Array } as const;

const dtypeOf = (data: HostData): DType =>
  data instanceof Float32Array ? 'float32' : data instanceof Int32Array ? 'int32' : 'bool';

/** A recorded graph in C, from the disk where an earlier process has left it. */
export function sourceOf(recorded: Graph, hash: string, precision: Precision): CSource {
  // The text is made for the vectors of this processor.
  const kind = `c-${detectIsa().name}-${precision}`;
  const stored = readCache(hash, kind);
  if (stored !== undefined) return unpack(gunzipSync(stored.bytes), stored.nodeCount);
  const made = lowerToC(optimise(recorded), precision);
  writeCache(hash, kind, { bytes: gzipSync(pack(made), { level: 1 }), nodeCount: made.calls });
  return made;
}

function pack({ source, arenaBytes, scratchBytes, constants }: CSource): Buffer {
  const header: Header = {
    arenaBytes,
    scratchBytes,
    constants: constants.map((data) => ({ dtype: dtypeOf(data), length: data.length })),
  };
  const head = Buffer.from(JSON.stringify(header));
  const size = Buffer.alloc(4);
  size.writeUInt32LE(head.length);
  const arrays = constants.map((c) => Buffer.from(c.buffer, c.byteOffset, c.byteLength));
  return Buffer.concat([size, head, ...arrays, Buffer.from(source)]);
}

function unpack(body: Buffer, calls: number): CSource {
  let at = 4 + body.readUInt32LE(0);
  const { arenaBytes, scratchBytes, constants } = JSON.parse(
    body.toString('utf8', 4, at),
  ) as Header;
  const arrays = constants.map(({ dtype, length }): HostData => {
    const bytes = length * ARRAYS[dtype].BYTES_PER_ELEMENT;
    const copy = Uint8Array.from(body.subarray(at, at + bytes));
    at += bytes;
    return new ARRAYS[dtype](copy.buffer);
  });
  return { source: body.toString('utf8', at), arenaBytes, scratchBytes, constants: arrays, calls };
}
