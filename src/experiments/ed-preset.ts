import { unknownName } from '../core/errors.ts';

/** `smoke`: seconds, proves that all works; `quick`: minutes on two cores; `paper`: as published. */
export const ED_PRESETS = ['smoke', 'quick', 'paper'] as const;

export type EdPreset = (typeof ED_PRESETS)[number];

/** @throws ConfigError listing the presets, for any other name. */
export function edPreset(name: string): EdPreset {
  if ((ED_PRESETS as readonly string[]).includes(name)) return name as EdPreset;
  throw unknownName('preset', name, ED_PRESETS);
}
