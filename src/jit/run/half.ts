import { DeviceError } from '../../core/errors.ts';
import { notify } from '../native/notify.ts';
import { type Availability, availability } from './availability.ts';
import type { Provider } from './provider.ts';

/**
 * That products in float16 run on a provider. The processor has no kernels for them: it rounds as a
 * device does, which takes longer than float32 and is said once.
 * @throws DeviceError where the adapter lacks float16.
 */
export function needHalf(
  provider: Provider,
  probe: (provider: Provider) => Availability = availability,
): void {
  if (provider === 'cpu') {
    notify(
      "precision 'float16' on the processor rounds as a graphics card does, and is slower than float32",
    );
    return;
  }
  const found = probe(provider);
  if (!found.ok || found.half === true) return;
  const feature = provider === 'webgpu' ? 'the WebGPU feature shader-f16' : 'float16';
  throw new DeviceError(
    `device '${provider}': precision 'float16' needs ${feature}, which ${found.adapter} lacks; use ` +
      "precision 'float32', or another graphics card or driver",
  );
}
