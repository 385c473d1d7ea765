type Rgb = readonly [number, number, number];

/**
 * The pixels of a drawing with few colours as indices into a palette of at most 256. Channels are
 * rounded to multiples of 17 first (white and black stay what they are); of what remains, the rarest
 * colours take the nearest of the others.
 * @param rgba four bytes a pixel, opaque.
 */
export function reduceColours(rgba: Uint8Array): { indices: Uint8Array; palette: Rgb[] } {
  const pixels = rgba.length / 4;
  const codes = new Uint16Array(pixels);
  const counts = new Uint32Array(4096);
  for (let i = 0; i < pixels; i++) {
    const level = (channel: number) => Math.round(rgba[4 * i + channel] / 17);
    codes[i] = (level(0) << 8) | (level(1) << 4) | level(2);
    counts[codes[i]]++;
  }
  const used = Array.from(counts.keys()).filter((code) => counts[code] > 0);
  // Equally frequent colours in the order of their codes: the same picture, the same palette.
  const kept = used.toSorted((a, b) => counts[b] - counts[a] || a - b).slice(0, 256);
  const palette = kept.map(colourOf);
  const index = new Uint8Array(4096);
  for (const code of used) index[code] = nearest(colourOf(code), palette);
  return { indices: Uint8Array.from(codes, (code) => index[code]), palette };
}

function colourOf(code: number): Rgb {
  return [17 * (code >> 8), 17 * ((code >> 4) & 15), 17 * (code & 15)];
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
