import { sizeOf } from '../core/host-tensor.ts';
import { type Tensor, tf } from '../jit/tf.ts';
import { trace } from '../jit/trace/tracer.ts';
import { type LayerRecord, recordLayers } from '../nn/layer-log.ts';
import { countParams, type Params } from '../nn/params.ts';
import type { EncoderNetwork, EnergyNetwork, GeneratorNetwork, NetworkSpec } from './network.ts';

/** One layer in the order in which it runs. */
export interface LayerRow extends LayerRecord {
  /** Scalars that are trained; 0 where the layer runs again. */
  readonly parameters: number;
  /** float32 bytes of its output, which a backward pass has to find again. */
  readonly activationBytes: number;
}

export interface NetworkSummary {
  readonly layers: readonly LayerRow[];
  readonly parameters: number;
  /** Floating-point operations of one forward pass of the whole batch. */
  readonly operations: number;
  readonly activationBytes: number;
  /** The table as text. */
  toString(): string;
}

/**
 * Layers, parameters, operations and activation memory of a forward pass. `run` is the pass over
 * inputs of the given shapes; it is traced, not computed, so any size is quick.
 */
export function summarise(
  network: NetworkSpec,
  inputs: readonly (readonly number[])[],
  run: (params: Params, ...inputs: Tensor[]) => unknown,
): NetworkSummary {
  const keys = Object.keys(network.params);
  const specs = [...keys.map((k) => network.params[k].shape), ...inputs];
  const records = recordLayers(() => {
    trace(
      specs.map((shape) => ({ shape, dtype: 'float32' as const })),
      (tensors) => {
        const params = Object.fromEntries(keys.map((k, i) => [k, tensors[i]]));
        run(params, ...tensors.slice(keys.length));
        return [];
      },
    );
  });
  const sizes = new Map<string, number>();
  for (const key of keys) {
    const name = key.slice(0, Math.max(0, key.lastIndexOf('.')));
    sizes.set(name, (sizes.get(name) ?? 0) + sizeOf(network.params[key].shape));
  }
  const layers = records.map((record) => {
    const parameters = sizes.get(record.name) ?? 0;
    sizes.delete(record.name);
    return { ...record, parameters, activationBytes: 4 * sizeOf(record.shape) };
  });
  const total = (pick: (row: LayerRow) => number) => layers.reduce((s, row) => s + pick(row), 0);
  const totals = {
    parameters: countParams(network.params),
    operations: total((row) => row.operations),
    activationBytes: total((row) => row.activationBytes),
  };
  return { layers, ...totals, toString: () => table(layers, totals) };
}

/** Of E(x, t) for images of `shape` [C, H, W]. */
export function summariseEnergy(
  network: EnergyNetwork,
  shape: readonly number[],
  batch = 1,
): NetworkSummary {
  return summarise(network, [[batch, ...shape]], (p, x) => network.bind(p, { levels: [0] })(x));
}

/** Of G(x, z, t) for images of `shape` and a latent of dimension `latent`. */
export function summariseGenerator(
  network: GeneratorNetwork,
  shape: readonly number[],
  latent: number,
  batch = 1,
): NetworkSummary {
  const inputs = [
    [batch, ...shape],
    [batch, latent],
  ];
  return summarise(network, inputs, (p, x, z) =>
    network.bind(p, { levels: [0] })(x, z, { kind: 'batch' }),
  );
}

/** Of q(z | x, x') for images of `shape`. */
export function summariseEncoder(
  network: EncoderNetwork,
  shape: readonly number[],
  batch = 1,
): NetworkSummary {
  return summarise(network, [[batch, ...shape]], (p, x) =>
    network.bind(p, { levels: [0] })(x, tf.zerosLike(x), { kind: 'batch' }),
  );
}

const HEADER = ['layer', 'kind', 'output', 'parameters', 'MFLOP', 'kB'];

function table(
  layers: readonly LayerRow[],
  totals: Pick<NetworkSummary, 'parameters' | 'operations' | 'activationBytes'>,
): string {
  const numbers = (row: typeof totals) => [
    row.parameters.toLocaleString('en-US'),
    (row.operations / 1e6).toFixed(2),
    (row.activationBytes / 1e3).toFixed(1),
  ];
  const rows = [
    HEADER,
    ...layers.map((row) => [row.name, row.kind, `[${row.shape.join(', ')}]`, ...numbers(row)]),
    ['total', '', '', ...numbers(totals)],
  ];
  const widths = HEADER.map((_, i) => Math.max(...rows.map((row) => row[i].length)));
  const line = (row: readonly string[]) =>
    row.map((cell, i) => (i < 3 ? cell.padEnd(widths[i]) : cell.padStart(widths[i]))).join('  ');
  return rows.map(line).join('\n');
}
