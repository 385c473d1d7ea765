import { type Brush, brushAfter, gripOf, shifted } from './brush.ts';

/** In pixels: how near to an end of a brush the pointer takes hold of that end. */
const EDGE = 7;
/** Less is a click. */
const DRAG = 2;

/** An axis to brush on. */
export interface Brushed {
  /** The brush as it is. */
  brush(): Brush | undefined;
  /** The place on the axis under the pointer, 0 .. 1 within it. */
  placeOf(event: PointerEvent): number;
  /** Of the axis, in pixels. */
  length(): number;
  onBrush(brush: Brush | undefined): void;
}

/**
 * Brushes an axis with the pointer (a drag makes, moves or resizes a brush, a click clears it) and
 * with the keyboard (Enter makes one, arrows move it, with Shift they widen it, Escape clears it).
 */
export function brushWith(strip: HTMLElement, axis: Brushed): void {
  strip.addEventListener('pointerdown', (down) => drag(strip, axis, down));
  strip.addEventListener('keydown', (event) => {
    const next = brushAfter(axis.brush(), event);
    if (next === 'unchanged') return;
    event.preventDefault();
    axis.onBrush(next);
  });
}

function drag(strip: HTMLElement, axis: Brushed, down: PointerEvent): void {
  if (down.button !== 0) return;
  strip.setPointerCapture(down.pointerId);
  const placeOf = (event: PointerEvent) => Math.max(0, Math.min(1, axis.placeOf(event)));
  const from = placeOf(down);
  const before = axis.brush();
  const grip = gripOf(before, from, EDGE / axis.length());
  let moved = false;
  const onMove = (event: PointerEvent) => {
    moved ||= Math.abs(event.clientY - down.clientY) > DRAG;
    if (!moved) return;
    const to = placeOf(event);
    if (grip === 'inside' && before) axis.onBrush(shifted(before, to - from));
    else {
      const fixed = (grip === 'low' ? before?.high : grip === 'high' ? before?.low : from) ?? from;
      axis.onBrush({ low: Math.min(fixed, to), high: Math.max(fixed, to) });
    }
  };
  const end = () => {
    strip.removeEventListener('pointermove', onMove);
    strip.removeEventListener('pointerup', onUp);
    strip.removeEventListener('pointercancel', end);
  };
  const onUp = () => {
    end();
    if (!moved) axis.onBrush(undefined);
  };
  strip.addEventListener('pointermove', onMove);
  strip.addEventListener('pointerup', onUp);
  strip.addEventListener('pointercancel', end);
}
