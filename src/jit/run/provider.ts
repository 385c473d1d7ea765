import { DeviceError, unknownName } from '../../core/errors.ts';
import { type Availability, availability } from './availability.ts';

/** What runs a compiled graph: an execution provider of ONNX Runtime. */
export const PROVIDERS = ['cpu', 'webgpu', 'cuda'] as const;
export type Provider = (typeof PROVIDERS)[number];

/** What may be asked for. `auto`: CUDA, else WebGPU on a graphics card, else the processor. */
export const DEVICES = [...PROVIDERS, 'auto'] as const;
export type Device = (typeof DEVICES)[number];

/** The choice of this process, once made; until then `GIBBS_DEVICE`, or the processor. */
let chosen: Device | undefined;
const resolved = new Map<Device, Provider>();

/**
 * Chooses where jitted functions run from now on, and says where that is; without an argument, only
 * says it. What was compiled before for another device stays good for that.
 *
 * @throws ConfigError for an unknown name; DeviceError when the device cannot be used: says why and
 * what to do. `auto` falls back to the processor instead, with one notice.
 */
export function device(name?: Device): Provider {
  if (name !== undefined) {
    const provider = providerOf(name);
    chosen = name;
    return provider;
  }
  return providerOf(chosen ?? deviceOfEnvironment());
}

function deviceOfEnvironment(): Device {
  const name = process.env['GIBBS_DEVICE'] ?? '';
  return name === '' ? 'cpu' : (name as Device);
}

/** The provider that stands for a device here. @throws as `device`. */
export function providerOf(name: Device): Provider {
  if (name === 'cpu') return name;
  let provider = resolved.get(name);
  if (provider === undefined) {
    if (!DEVICES.includes(name)) throw unknownName('device', name, DEVICES);
    provider = choose(name, availability, (text) => process.stderr.write(`note: ${text}\n`));
    resolved.set(name, provider);
  }
  return provider;
}

/** As `providerOf`, by what `probe` says of each provider. */
export function choose(
  name: Device,
  probe: (provider: Provider) => Availability,
  notify: (text: string) => void,
): Provider {
  if (name !== 'auto') {
    const found = probe(name);
    if (!found.ok) throw new DeviceError(`device '${name}': ${found.reason}; ${found.remedy}`);
    return name;
  }
  const reasons: string[] = [];
  for (const provider of ['cuda', 'webgpu'] as const) {
    const found = probe(provider);
    if (found.ok && !found.software) return provider;
    reasons.push(
      `${provider}: ${found.ok ? `${found.adapter} is no graphics card` : found.reason}`,
    );
  }
  notify(`no graphics card can be used (${reasons.join('; ')}); running on the processor`);
  return 'cpu';
}
