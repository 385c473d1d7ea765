type Rgb = readonly [number, number, number];

const MOST = 128;

/**
 * The pixels of a drawing with few colours as indices into a palette of at most 128: its most
 * frequent colours, kept exactly. The others, shades at the edges of lines and letters, take the
 * nearest of them.
 * @param rgba four bytes a pixel, opaque.
 */
export function reduceColours(rgba: Uint8Array): { indices: Uint8Array; palette: Rgb[] } {
  const counts = new Map<number, number>();
  const codes = Uint32Array.from({ length: rgba.length / 4 }, (_, i) => {
    const code = (rgba[4 * i] << 16) | (rgba[4 * i + 1] << 8) | rgba[4 * i + 2];
    counts.set(code, (counts.get(code) ?? 0) + 1);
    return code;
  });
  // Equally frequent colours in the order of their codes: the same picture, the same palette.
  const byCount = [...counts].toSorted(([a, m], [b, n]) => n - m || a - b);
  const palette = byCount.slice(0, MOST).map(([code]) => colourOf(code));
  const index = new Map(byCount.map(([code]) => [code, nearest(colourOf(code), palette)]));
  return { indices: Uint8Array.from(codes, (code) => index.get(code) as number), palette };
}

function colourOf(code: number): Rgb {
  return [code >> 16, (code >> 8) & 255, code & 255];
}

function nearest([r, g, b]: Rgb, palette: readonly Rgb[]): number {
  let best = 0;
  let least = Number.POSITIVE_INFINITY;
  palette.forEach(([pr, pg, pb], i) => {
    const distance = (r - pr) ** 2 + (g - pg) ** 2 + (b - pb) ** 2;
    if (distance < least) [best, least] = [i, distance];
  });
  return best;
}
