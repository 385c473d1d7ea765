import { aurocOnGrid } from '../metrics/grid-auroc.ts';
import { dataLogDensity, hasDensity } from './toy-evaluation.ts';
import type { ToyCommon } from './toy-settings.ts';

/**
 * How well the energy of a toy model tells data from uniform noise on the square of its grid
 * (`aurocOnGrid`): the counterpart of detecting images of another set. Undefined for data whose
 * density is not known.
 * @param logDensity energies on the grid of the configuration, `[gridSize²]`.
 */
export function noiseAuroc(config: ToyCommon, logDensity: ArrayLike<number>): number | undefined {
  if (!hasDensity(config.dataset)) return undefined;
  const { gridSize: size, limit } = config.evaluation;
  const truth = dataLogDensity(config as Parameters<typeof dataLogDensity>[0]);
  return aurocOnGrid(truth, logDensity, { low: -limit, high: limit, size });
}
