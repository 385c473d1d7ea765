type Rgb = readonly [number, number, number];

const MOST = 256;

/** No pixel may be farther than this from its colour once the palette is chosen, where 256 suffice. */
const NEAR = 3;

/**
 * The pixels of a drawing as indices into a palette of at most 256 of its own colours. The most
 * frequent colour comes first; each further one is that which the palette so far serves worst,
 * squared distance times the root of the number of pixels: large areas get their exact colour, and
 * the rare ends of a colour scale are not traded for one more shade of the edges of letters. The
 * others take the nearest.
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
  const known = [...counts].toSorted(([a, m], [b, n]) => n - m || a - b);
  const colours = known.map(([code]) => colourOf(code));
  const weights = known.map(([, count]) => Math.sqrt(count));
  const distances = new Float64Array(known.length).fill(Number.POSITIVE_INFINITY);
  const nearest = new Uint8Array(known.length);
  const palette: Rgb[] = [];
  let worst = 0;
  while (palette.length < MOST && worst >= 0) {
    const [r, g, b] = colours[worst];
    const added = palette.push(colours[worst]) - 1;
    worst = -1;
    let most = 0;
    colours.forEach(([cr, cg, cb], i) => {
      const distance = (r - cr) ** 2 + (g - cg) ** 2 + (b - cb) ** 2;
      if (distance < distances[i]) [distances[i], nearest[i]] = [distance, added];
      const loss = distances[i] > NEAR ** 2 ? distances[i] * weights[i] : 0;
      if (loss > most) [most, worst] = [loss, i];
    });
  }
  const index = new Map(known.map(([code], i) => [code, nearest[i]]));
  return { indices: Uint8Array.from(codes, (code) => index.get(code) as number), palette };
}

function colourOf(code: number): Rgb {
  return [code >> 16, (code >> 8) & 255, code & 255];
}
