import { inflateSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { densityPanels } from '../../src/figures/density-panels.ts';
import { viridis } from '../../src/figures/heat-map.ts';
import { reduceColours } from '../../src/figures/palette.ts';
import { sizeOfPng } from '../../src/figures/png.ts';
import { renderPng, renderSvg } from '../../src/figures/render.ts';

type Rgb = readonly [number, number, number];

const distance = (a: readonly number[], b: readonly number[]) =>
  Math.hypot(a[0] - b[0], a[1] - b[1], a[2] - b[2]);

const pixels = (colours: readonly (readonly number[])[]) =>
  Uint8Array.from(colours.flatMap(([r, g, b]) => [r, g, b, 255]));

const repeat = (colour: Rgb, n: number) => Array.from({ length: n }, () => colour);

/** Every pixel of a palette PNG. */
function decode(png: Uint8Array): Rgb[] {
  const bytes = Buffer.from(png);
  const chunk = (type: string) => {
    const at = bytes.indexOf(type);
    return bytes.subarray(at + 4, at + 4 + bytes.readUInt32BE(at - 4));
  };
  const [palette, rows] = [chunk('PLTE'), inflateSync(chunk('IDAT'))];
  const { width } = sizeOfPng(png);
  const inside = [...rows].filter((_, i) => i % (width + 1) > 0);
  return inside.map((i) => [palette[3 * i], palette[3 * i + 1], palette[3 * i + 2]]);
}

describe('the palette of a picture', () => {
  const paper = repeat([255, 255, 255], 5000);
  // A few pixels of each colour of a scale, beside hundreds of shades in larger numbers.
  const scale = viridis().flatMap((colour) => repeat(colour, 2));
  const shades = Array.from({ length: 255 }, (_, i) => repeat([i, i, i], 9)).flat();
  const rust = Array.from({ length: 255 }, (_, i) => repeat([i, i >> 1, 0], 9)).flat();
  const picture = [...paper, ...scale, ...shades, ...rust];
  const { indices, palette } = reduceColours(pixels(picture));

  it('has at most 256 colours and begins with the most frequent, kept exactly', () => {
    expect(palette.length).toBeLessThanOrEqual(256);
    expect(palette[0]).toEqual([255, 255, 255]);
    for (let i = 0; i < paper.length; i += 97) expect(indices[i]).toBe(0);
  });

  it('gives every pixel the nearest of its colours', () => {
    for (let i = 0; i < picture.length; i += 31) {
      const least = Math.min(...palette.map((colour) => distance(colour, picture[i])));
      expect(distance(palette[indices[i]], picture[i])).toBe(least);
    }
  });

  it('is far from no pixel, however rare: 767 colours within 8 of 255', () => {
    const worst = picture.reduce(
      (most, c, i) => Math.max(most, distance(palette[indices[i]], c)),
      0,
    );
    expect(worst).toBeLessThan(8);
  });

  it('keeps a drawing of few colours exactly', () => {
    const few = [...repeat([1, 2, 3], 5), ...repeat([200, 0, 9], 3), ...repeat([0, 90, 0], 1)];
    const { indices: at, palette: own } = reduceColours(pixels(few));
    expect(few.map((_, i) => own[at[i]])).toEqual(few);
  });
});

describe('a rendered density', () => {
  it('reaches from the dark end of viridis to the yellow one', async () => {
    // One narrow peak: yellow is a few pixels of tens of thousands.
    const size = 61;
    const logDensity = Array.from({ length: size * size }, (_, i) => {
      const [x, y] = [(i % size) - 30, Math.floor(i / size) - 30];
      return -(x * x + y * y) / 18;
    });
    const methods = [{ method: 'm', logDensity, gridSize: size, samples: [0, 0, 1, 1] }];
    const spec = densityPanels({
      title: 'A peak',
      caption: 'One.',
      rows: [{ title: 'row', data: [0, 0], methods }],
    });
    const colours = decode(renderPng(await renderSvg(spec, {}), 1));
    for (const end of [viridis()[0], viridis()[255]]) {
      // Smoothing between the cells of the grid takes 10 off the top.
      expect(colours.some((colour) => distance(colour, end) < 12)).toBe(true);
    }
  });
});
