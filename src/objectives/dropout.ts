import type { NetworkSpec } from '../models/network.ts';
import type { DropoutDraws } from '../nn/dropout.ts';
import type { Noise, NoiseSpecs } from './objective.ts';

const nameOf = (pass: string, block = '') => `dropout/${pass}/${block}`;

/** The draws of one pass of a network over a batch; none without dropout. */
export function dropoutNoise(pass: string, network: NetworkSpec, batch: number): NoiseSpecs {
  const shapes = network.dropoutShapes?.(batch) ?? {};
  return Object.fromEntries(
    Object.entries(shapes).map(([block, shape]) => [
      nameOf(pass, block),
      { kind: 'uniform', shape } as const,
    ]),
  );
}

/** What `dropoutNoise` asked for, by block; `undefined` where there is none. */
export function dropoutOf(noise: Noise, pass: string): DropoutDraws | undefined {
  const prefix = nameOf(pass);
  const own = Object.keys(noise).filter((name) => name.startsWith(prefix));
  if (own.length === 0) return undefined;
  return Object.fromEntries(own.map((name) => [name.slice(prefix.length), noise[name]]));
}
