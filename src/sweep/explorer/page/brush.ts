/** A stretch of an axis; both ends in 0 .. 1. No DOM: used by tests as well. */
export interface Brush {
  readonly low: number;
  readonly high: number;
}

/** How far a key moves a brush, as a share of the axis. */
const KEY_STEP = 0.05;

/** What of a brush lies at a place. */
export function gripOf(
  brush: Brush | undefined,
  place: number,
  edge: number,
): 'low' | 'high' | 'inside' | 'outside' {
  if (!brush) return 'outside';
  if (Math.abs(place - brush.low) < edge) return 'low';
  if (Math.abs(place - brush.high) < edge) return 'high';
  return place > brush.low && place < brush.high ? 'inside' : 'outside';
}

/** The brush after a key. */
export function brushAfter(
  brush: Brush | undefined,
  { key, shiftKey }: { readonly key: string; readonly shiftKey: boolean },
): Brush | undefined | 'unchanged' {
  if (key === 'Escape') return undefined;
  if (key === 'Enter') return brush ?? { low: 0.25, high: 0.75 };
  const by = { ArrowUp: KEY_STEP, ArrowDown: -KEY_STEP }[key];
  if (by === undefined || !brush) return 'unchanged';
  if (!shiftKey) return shifted(brush, by);
  const wider = { low: Math.max(0, brush.low - by), high: Math.min(1, brush.high + by) };
  return wider.low < wider.high ? wider : brush;
}

/** Moved along the axis, but not off its end. */
export function shifted({ low, high }: Brush, by: number): Brush {
  const allowed = Math.max(-low, Math.min(1 - high, by));
  return { low: low + allowed, high: high + allowed };
}
