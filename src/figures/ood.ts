import type { Spec } from './density-panels.ts';
import { type Curve, derivationPanels, HUES, type Note } from './derivation-panels.ts';

/** What the figure needs of energies of images. */
export interface OodPicture {
  readonly rows: readonly { readonly name: string; readonly title: string }[];
  /** E(x, 0) by kind of image, never positive. */
  readonly energies: Readonly<Record<string, { readonly data: ArrayLike<number> }>>;
}

const BINS = 36;
/** Share of the energies that may lie beyond the ends of the axis. */
const TAIL = 0.005;
/** Smallest −E shown. */
const LEAST = 1e-2;
/** Height of the highest bar, in units of the distance between two lines. */
const PEAK = 0.82;

type Kind = readonly [name: string, title: string];

/** Kinds of Figure 4. */
const FIGURE_4: readonly Kind[] = [
  ['generated', 'generated'],
  ['noise 0.01', 'noise 0.01'],
  ['noise 0.1', 'noise 0.1'],
  ['noise 0.5', 'noise 0.5'],
];

/**
 * Histograms of −E(x, 0) on a logarithmic axis, test images behind each kind of other image: on the
 * left generated and noisy images (paper, Figure 4), on the right other sets (Table 4).
 */
export function oodFigure({ rows, energies }: OodPicture): Spec {
  const known = (kinds: readonly Kind[]) => kinds.filter(([name]) => name in energies);
  const sets = known(rows.map(({ name, title }) => [name, title] as const));
  const noisy = known(FIGURE_4);
  const cost = (name: string) =>
    Float64Array.from(energies[name].data, (v) => Math.log10(Math.max(-v, LEAST)));
  const all = ['inside', ...noisy.map(([n]) => n), ...sets.map(([n]) => n)].map(cost);
  const ends = all.map((values) => {
    const sorted = values.toSorted();
    const at = (share: number) => sorted[Math.round(share * (sorted.length - 1))];
    return [at(TAIL), at(1 - TAIL)];
  });
  const low = Math.min(...ends.map((e) => e[0]));
  const high = Math.max(...ends.map((e) => e[1]));
  const margin = 0.04 * (high - low || 1);
  const axis: readonly [number, number] = [low - margin, high + margin];
  const panel = (title: string, kinds: readonly Kind[], width: number) => ({
    title,
    width,
    height: 46 * Math.max(kinds.length, 4) + 20,
    x: {
      title: '−E(x, 0): to the left is likely',
      domain: [10 ** axis[0], 10 ** axis[1]] as const,
      ticks: powersWithin(axis),
      log: 10 as const,
    },
    y: { domain: [0, kinds.length + 0.1] as const, bare: true },
    ...ridges(
      kinds.map(([name, text]) => ({ text, values: cost(name) })),
      cost('inside'),
      axis,
    ),
  });
  return derivationPanels({
    title: 'What the energy takes for CIFAR-10',
    caption:
      'Shares of images by −E(x, 0), an energy at noise level 0: test images of CIFAR-10 dark ' +
      'behind each kind of other image. A detector by energy rejects what lies to the right; it ' +
      'fails where the two lie on each other, or the others to the left.',
    panels: [
      panel('Generated images, and test images with noise', noisy, 360),
      panel('Other images', sets, 420),
    ],
  });
}

/** One line per kind, the first on top, both histograms on it. */
function ridges(
  kinds: readonly { readonly text: string; readonly values: Float64Array }[],
  inside: Float64Array,
  axis: readonly [number, number],
): { curves: Curve[]; notes: Note[] } {
  const curves: Curve[] = [];
  const notes: Note[] = [];
  kinds.forEach(({ text, values }, i) => {
    const base = kinds.length - 1 - i;
    const [ours, theirs] = [outline(inside, axis), outline(values, axis)];
    const scale = PEAK / Math.max(...ours.y, ...theirs.y);
    for (const [{ x, y }, colour] of [
      [ours, HUES.data],
      [theirs, HUES.warm],
    ] as const) {
      curves.push({ x, y: y.map((v) => v * scale), base, colour, filled: true, width: 1.2 });
    }
    const left = axis[0] + 0.015 * (axis[1] - axis[0]);
    notes.push({ x: 10 ** left, y: base + 0.78, text, align: 'left' });
  });
  return { curves, notes };
}

/** Powers of ten on the axis. */
function powersWithin([from, to]: readonly [number, number]): number[] {
  const first = Math.ceil(from);
  return Array.from(
    { length: Math.max(0, Math.floor(to) - first + 1) },
    (_, i) => 10 ** (first + i),
  );
}

/** Shares of the values per bin, at the middles of the bins. */
function outline(values: Float64Array, [from, to]: readonly [number, number]) {
  const counts = new Float64Array(BINS);
  const size = (to - from) / BINS;
  for (const v of values) {
    const bin = Math.floor((v - from) / size);
    if (bin >= 0 && bin < BINS) counts[bin] += 1 / values.length;
  }
  const middles = Array.from(counts, (_, bin) => 10 ** (from + (bin + 0.5) * size));
  return { x: [10 ** from, ...middles, 10 ** to], y: [0, ...counts, 0] };
}
