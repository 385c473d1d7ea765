import { GibbsError } from '../../core/errors.ts';
import type { Provider } from './provider.ts';

/** ONNX Runtime's option that makes an operation which a provider lacks an error. */
export const NO_FALLBACK = 'session.disable_cpu_ep_fallback';

const said = new Set<Provider>();

/**
 * Opens a session with nothing left to the processor; where the provider lacks an operation, with
 * that operation on the processor, said once.
 */
export function openOnDevice<T>(
  provider: Provider,
  open: () => T,
  allowFallback: (allowed: boolean) => void,
  notify: (text: string) => void = (text) => process.stderr.write(`note: ${text}\n`),
): T {
  allowFallback(false);
  try {
    return open();
  } catch (error) {
    if (!(error instanceof GibbsError) || !/fallback/i.test(error.message)) throw error;
  }
  allowFallback(true);
  const session = open();
  if (!said.has(provider)) {
    said.add(provider);
    notify(
      `device '${provider}' lacks some operations of a function; they run on the processor, and their ` +
        'operands are copied each time',
    );
  }
  return session;
}
