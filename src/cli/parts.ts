import { ConfigError } from '../core/errors.ts';
import type { Arguments } from './command.ts';

/**
 * The value of `--parts`; nothing for `auto`, which leaves the choice to the experiment.
 * @throws ConfigError for anything but a number of parts.
 */
export function partsOf(args: Pick<Arguments, 'text'>): number | undefined {
  const text = args.text('parts');
  if (text === undefined || text === 'auto') return undefined;
  const parts = Number(text);
  if (/^\d+$/.test(text) && Number.isSafeInteger(parts) && parts > 0) return parts;
  throw new ConfigError(`--parts must be a whole number of at least 1, or auto, got '${text}'`);
}
