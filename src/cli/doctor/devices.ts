import type { Availability, Provider } from '../../jit/index.ts';
import type { Finding } from './finding.ts';

/** Which devices can be used here, and which one is, and why. */
export async function devices(): Promise<Finding[]> {
  const { availability, device, PROVIDERS } = await import('../../jit/index.ts');
  const asked = process.env['GIBBS_DEVICE'] ?? '';
  const why = asked === '' ? 'the default' : `GIBBS_DEVICE=${asked}`;
  return [
    used(device, why),
    ...PROVIDERS.filter((p) => p !== 'cpu').map((p) => described(p, availability(p))),
  ];
}

function used(device: () => Provider, why: string): Finding {
  const name = 'device';
  try {
    return { name, found: `${device()} (${why})`, state: 'ok' };
  } catch (error) {
    return { name, found: `${why}: ${(error as Error).message}`, state: 'broken' };
  }
}

function described(name: string, found: Availability): Finding {
  if (!found.ok) return { name, found: found.reason, state: 'missing', advice: found.remedy };
  const kind = found.software ? ', a program on the processor: for tests only' : '';
  const half = found.half ? '' : ', without float16';
  return { name, found: `${found.adapter}${half}${kind}`, state: 'ok' };
}
