import { ConfigError, unknownName } from '../core/errors.ts';
import { type HostTensor, hostTensor, sizeOf } from '../core/host-tensor.ts';
import { encodeSafetensors } from '../core/safetensors.ts';
import { exportOnnx, type Tensor } from '../jit/index.ts';
import type { HostState, NoiseSpec, Objective } from '../objectives/objective.ts';

/** A trained method: what `runObjective` and `lastState` give. */
export interface TrainedMethod {
  readonly objective: Objective;
  readonly state: HostState;
}

export interface NetworkExport {
  /** One of them, with its keys as PyTorch has them; default all, as `network.key`. */
  readonly network?: string;
  /** The moving averages where the method keeps them. Default true. */
  readonly average?: boolean;
  /** What the file says of itself. */
  readonly about?: Readonly<Record<string, string>>;
}

/** The networks of a run in safetensors. @throws ConfigError for an unknown network. */
export function exportNetworks(
  { objective, state }: TrainedMethod,
  { network, average = true, about = {} }: NetworkExport = {},
): Uint8Array[] {
  if (!objective.exportNetworks) {
    throw new ConfigError(`${objective.name} has no networks to export`);
  }
  const dicts = objective.exportNetworks(state, average);
  if (network !== undefined && !Object.hasOwn(dicts, network)) {
    throw unknownName('network', network, Object.keys(dicts));
  }
  const tensors: Record<string, HostTensor> = {};
  for (const [name, dict] of Object.entries(dicts)) {
    if (network !== undefined && name !== network) continue;
    for (const [key, tensor] of Object.entries(dict)) {
      tensors[network === undefined ? `${name}.${key}` : key] = tensor;
    }
  }
  return encodeSafetensors(tensors, about);
}

/**
 * The sampler of a run as an ONNX model: inputs are the noise of a batch of samples, by name, each
 * drawn from N(0, I) or U[0, 1) by whoever runs it; the output is `samples` [n, …].
 * @throws ConfigError when the method has no sampler, or `samples` is not a positive number.
 */
export function exportSampler({ objective, state }: TrainedMethod, samples: number): Uint8Array {
  const { sample, sampleNoise } = objective;
  if (!sample || !sampleNoise) {
    throw new ConfigError(
      `${objective.name} has no sampler of its own; export its networks to safetensors`,
    );
  }
  if (!Number.isInteger(samples) || samples < 1) {
    throw new ConfigError(`exportSampler: samples must be a positive number, got ${samples}`);
  }
  const inputs = Object.fromEntries(
    Object.entries(sampleNoise(samples)).map(([name, spec]) => [name, exampleOf(spec)]),
  );
  return exportOnnx((s, noise) => ({ samples: sample(s, noise) }), averagesOnly(state), {
    name: `${objective.name}-sampler`,
    inputs,
  });
}

/** The energy of a run as an ONNX model: input `x` [n, …], output `energy` [n], high on data. */
export function exportEnergy({ objective, state }: TrainedMethod, batch: number): Uint8Array {
  const { energy } = objective;
  if (!energy) throw new ConfigError(`${objective.name} has no energy`);
  const shape = [batch, ...objective.batchShape.slice(1)];
  const x = hostTensor(new Float32Array(sizeOf(shape)), shape);
  return exportOnnx(
    (s, inputs: Readonly<Record<string, Tensor>>) => ({ energy: energy(s, inputs['x'], 0) }),
    averagesOnly(state),
    { name: `${objective.name}-energy`, inputs: { x } },
  );
}

interface PlayerWithAverage {
  readonly params: HostTensor;
  readonly ema?: { readonly started: HostTensor; readonly average: HostTensor };
}

/** The state with the averages in place of the parameters, so that a model holds one of them. */
function averagesOnly(state: HostState): HostState {
  const entries = Object.entries(state as unknown as Record<string, PlayerWithAverage>);
  return Object.fromEntries(
    entries.map(([name, part]) => {
      if (part.ema === undefined) return [name, part];
      const { ema, ...rest } = part;
      return [name, ema.started.data[0] > 0 ? { ...rest, params: ema.average } : rest];
    }),
  ) as unknown as HostState;
}

function exampleOf({ kind, shape }: NoiseSpec): HostTensor {
  const size = sizeOf(shape);
  return hostTensor(kind === 'integers' ? new Int32Array(size) : new Float32Array(size), shape);
}
