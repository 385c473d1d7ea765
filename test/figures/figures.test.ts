import { inflateSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { ConfigError, DataError, NumericError, ShapeError } from '../../src/core/errors.ts';
import { type DensityFigure, densityPanels } from '../../src/figures/density-panels.ts';
import { textWidth, wrapText } from '../../src/figures/font.ts';
import { cellMasses, densityPicture, viridis } from '../../src/figures/heat-map.ts';
import { encodeIndexedPng, sizeOfPng, textsOf, withText } from '../../src/figures/png.ts';
import { provenanceOf, rendererVersions, renderPng, renderSvg } from '../../src/figures/render.ts';

const SIZE = 21;
/** Log-density of a Gaussian at (1, 2), deviation 0.5, on [-4, 4]^2. */
const logDensity = Array.from({ length: SIZE * SIZE }, (_, i) => {
  const [row, column] = [Math.floor(i / SIZE), i % SIZE];
  const [x, y] = [-4 + (8 * column) / (SIZE - 1), -4 + (8 * row) / (SIZE - 1)];
  return -((x - 1) ** 2 + (y - 2) ** 2) / (2 * 0.25);
});

const figure: DensityFigure = {
  title: 'Toy densities & samples',
  caption: 'DDAEBM at the smoke preset: T = 4, β 0.01 to 0.1, 12 iterations <seed 0>. '.repeat(3),
  panel: 90,
  rows: ['one', 'two'].map((title) => ({
    title,
    data: [0, 0, 1, 2, -3.5, 3.5, 9, 9],
    methods: [
      { method: 'DDAEBM', logDensity, gridSize: SIZE, samples: [1, 2], samplesNote: '1 mode' },
      { method: 'MEG', logDensity, gridSize: SIZE, samples: [1, 2, 3, 4] },
    ],
  })),
};
const provenance = { preset: 'smoke', seed: 0, note: 'a < b & c > "d"' };

describe('PNG', () => {
  const png = encodeIndexedPng(3, 2, Uint8Array.of(0, 1, 2, 2, 1, 0), [
    [255, 0, 0],
    [0, 255, 0],
    [0, 0, 255],
  ]);

  it('holds the palette indices row by row', () => {
    expect(sizeOfPng(png)).toEqual({ width: 3, height: 2 });
    const idat = Buffer.from(png).indexOf('IDAT');
    const length = Buffer.from(png).readUInt32BE(idat - 4);
    const rows = inflateSync(png.subarray(idat + 4, idat + 4 + length));
    expect([...rows]).toEqual([0, 0, 1, 2, 0, 2, 1, 0]);
  });

  it('carries UTF-8 texts', () => {
    const marked = withText(withText(png, 'Software', 'Gibbs'), 'gibbs', '{"β":"0,1 → 2"}');
    expect(textsOf(marked)).toEqual({ Software: 'Gibbs', gibbs: '{"β":"0,1 → 2"}' });
  });

  it('names what is no PNG', () => {
    expect(() => textsOf(Uint8Array.of(1, 2, 3))).toThrow(DataError);
    expect(() => textsOf(png.subarray(0, png.length - 1))).toThrow(/not a whole PNG/);
  });
});

describe('the heat map', () => {
  it('turns log-densities into masses of sum one, whatever the constant', () => {
    const mass = cellMasses(logDensity.map((v) => v + 5000));
    expect(mass.reduce((a, b) => a + b, 0)).toBeCloseTo(1, 12);
    const cells = SIZE * SIZE;
    const direct = logDensity.map((v) => Math.exp(v));
    const total = direct.reduce((a, b) => a + b, 0);
    for (let i = 0; i < cells; i += 17) expect(mass[i]).toBeCloseTo(direct[i] / total, 12);
  });

  it('puts the peak where it is: x to the right, y upwards', () => {
    const url = densityPicture(logDensity, SIZE);
    const png = Buffer.from(url.slice(url.indexOf(',') + 1), 'base64');
    const idat = png.indexOf('IDAT');
    const rows = inflateSync(png.subarray(idat + 4, idat + 4 + png.readUInt32BE(idat - 4)));
    const at = rows.indexOf(255);
    const [row, column] = [Math.floor(at / (SIZE + 1)), (at % (SIZE + 1)) - 1];
    // Cells are 0.4 wide: (1, 2) lies between columns 12 and 13, in row 15 from below.
    expect([12, 13]).toContain(column);
    expect(row).toBe(SIZE - 1 - 15);
  });

  it('uses viridis, which rises in lightness', () => {
    const light = viridis().map(([r, g, b]) => 0.2126 * r + 0.7152 * g + 0.0722 * b);
    expect(viridis()[0]).toEqual([68, 1, 84]);
    for (let i = 8; i < 256; i += 8) expect(light[i]).toBeGreaterThan(light[i - 8]);
  });

  it('refuses what cannot be drawn', () => {
    expect(() => densityPicture(logDensity, 20)).toThrow(ShapeError);
    expect(() => cellMasses([0, Number.NaN])).toThrow(NumericError);
    expect(() => cellMasses([-Infinity])).toThrow(/zero everywhere/);
  });
});

describe('the bundled font', () => {
  it('measures as the rasteriser draws', () => {
    // Digits of Source Sans are all equally wide; a wide letter is wider than a narrow one.
    expect(textWidth('0123456789', 10)).toBeCloseTo(10 * textWidth('7', 10), 9);
    expect(textWidth('W', 10)).toBeGreaterThan(2 * textWidth('i', 10));
    expect(textWidth('bold', 10, 600)).toBeGreaterThan(textWidth('bold', 10));
  });

  it('has every character that captions use', () => {
    const missing = textWidth('\u{e000}', 1000);
    expect(missing).toBeGreaterThan(0);
    for (const c of 'βσγλθφψαε∞−·×→≤≥‖²⁻⁴ …–') expect(textWidth(c, 1000)).not.toBe(missing);
  });

  it('breaks lines at spaces and never loses a word', () => {
    const text = 'one two three four five six seven incomprehensibilities eight';
    const lines = wrapText(text, 60, 12);
    expect(lines.join(' ')).toBe(text);
    expect(lines.length).toBeGreaterThan(4);
    for (const line of lines) {
      if (line.includes(' ')) expect(textWidth(line, 12)).toBeLessThanOrEqual(60);
    }
  });
});

describe('density panels', () => {
  const spec = densityPanels(figure) as {
    columns: number;
    concat: { data: { values: string }; width: number; height: number; title?: object }[];
  };

  it('have one row per data set and two columns per method beside the data', () => {
    expect(spec.columns).toBe(5);
    expect(spec.concat).toHaveLength(10);
    for (const panel of spec.concat) expect(panel.width).toBe(panel.height);
    expect(spec.concat.map((panel) => panel.title !== undefined)).toEqual([
      ...new Array(5).fill(true),
      ...new Array(5).fill(false),
    ]);
  });

  it('leave out points beyond the limits', () => {
    expect(spec.concat[0].data.values.split('\n')).toHaveLength(1 + 3);
  });
});

describe('rendering', () => {
  it('gives the same SVG and PNG bytes each time', async () => {
    const a = await renderSvg(densityPanels(figure), provenance);
    const b = await renderSvg(densityPanels(figure), provenance);
    expect(a === b).toBe(true);
    expect(Buffer.from(renderPng(a)).equals(Buffer.from(renderPng(b)))).toBe(true);
  });

  it('keeps the provenance in both', async () => {
    const svg = await renderSvg(densityPanels(figure), provenance);
    expect(provenanceOf(svg)).toEqual(provenance);
    expect(JSON.parse(textsOf(renderPng(svg))['gibbs'])).toEqual(provenance);
  });

  it('scales the PNG and stays within the width of the panels', async () => {
    const svg = await renderSvg(densityPanels(figure), provenance);
    const [one, two] = [sizeOfPng(renderPng(svg, 1)), sizeOfPng(renderPng(svg, 2))];
    expect(two.width).toBe(2 * one.width);
    // Five panels and four gaps, plus labels and padding: no text sticks out.
    expect(one.width).toBeLessThan(5 * 90 + 4 * 24 + 90);
  });

  it('draws text in the bundled font, without the fonts of the system', async () => {
    const svg = await renderSvg(densityPanels(figure), provenance);
    const without = svg.replaceAll(/<text[^>]*>[^<]*<\/text>/g, '');
    expect(Buffer.from(renderPng(svg)).equals(Buffer.from(renderPng(without)))).toBe(false);
  });

  it('names a specification that does not compile', async () => {
    await expect(renderSvg({ mark: 'nonsense' }, {})).rejects.toThrow(ConfigError);
  });

  it('knows the versions that decide the bytes', () => {
    expect(rendererVersions()).toMatchObject({
      vega: expect.stringMatching(/^\d+\./),
      'vega-lite': expect.stringMatching(/^\d+\./),
      '@resvg/resvg-js': expect.stringMatching(/^\d+\./),
    });
  });
});
