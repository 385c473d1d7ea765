import { inflateSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { ConfigError, ShapeError } from '../../src/core/errors.ts';
import { encodePng } from '../../src/core/png.ts';
import { createDisplay } from '../../src/kernel/display/display.ts';
import { inspectText, type MimeBundle, render } from '../../src/kernel/display/render.ts';
import { tableBundle } from '../../src/kernel/display/table.ts';
import { tensorText } from '../../src/kernel/display/tensor.ts';
import { tileImages } from '../../src/kernel/display/tiles.ts';
import type { CommManager } from '../../src/kernel/user/comms.ts';

/** Width, height and raw bytes of each row of a PNG without filters. */
function decodePng(png: Buffer): { width: number; height: number; rows: number[][] } {
  const [width, height] = [png.readUInt32BE(16), png.readUInt32BE(20)];
  const at = png.indexOf('IDAT');
  const raw = inflateSync(png.subarray(at + 4, at + 4 + png.readUInt32BE(at - 4)));
  const size = raw.length / height;
  const rows = Array.from({ length: height }, (_, y) => [
    ...raw.subarray(y * size + 1, (y + 1) * size),
  ]);
  return { width, height, rows };
}

describe('PNG', () => {
  it('holds the pixels', () => {
    const png = encodePng({
      width: 2,
      height: 2,
      channels: 1,
      data: new Uint8Array([0, 64, 128, 255]),
    });
    expect(decodePng(png)).toEqual({
      width: 2,
      height: 2,
      rows: [
        [0, 64],
        [128, 255],
      ],
    });
    expect(() => encodePng({ width: 2, height: 2, channels: 3, data: new Uint8Array(4) })).toThrow(
      ShapeError,
    );
  });

  it('tiles images in rows, either layout of channels', () => {
    const first = tileImages([-1, 1, 0, -1], {
      count: 4,
      channels: 1,
      height: 1,
      width: 1,
      channelsFirst: true,
      gap: 1,
    });
    expect([first.width, first.height]).toEqual([3, 3]);
    // Black, gap, white; a row of gap; middle grey, gap, black.
    expect([...first.data]).toEqual([0, 255, 255, 255, 255, 255, 128, 255, 0]);
    const planes = tileImages(
      [1, 2, 3, 4, 5, 6].map((v) => v * 40),
      {
        count: 1,
        channels: 3,
        height: 1,
        width: 2,
        channelsFirst: true,
      },
    );
    const pixels = tileImages(
      [1, 3, 5, 2, 4, 6].map((v) => v * 40),
      {
        count: 1,
        channels: 3,
        height: 1,
        width: 2,
        channelsFirst: false,
      },
    );
    expect([...planes.data]).toEqual([...pixels.data]);
  });
});

describe('tensors', () => {
  it('are summarised with shape, range, moments and corners', () => {
    const data = Float32Array.from({ length: 40 }, (_, i) => i);
    const text = tensorText({ shape: [20, 2], dtype: 'float32', data });
    expect(text).toMatch(
      /^Tensor\[20,2\] float32\n {2}min 0 {2}max 39 {2}mean 19\.5 {2}std 11\.54\n/,
    );
    expect(text).toContain('[0, 1]');
    expect(text).toContain('…');
    expect(text).toContain('[38, 39]]');
    expect(text.split('\n').length).toBeLessThan(10);
  });

  it('say when values are not finite, and when they are gone', () => {
    const data = new Float32Array([1, Number.NaN, Number.POSITIVE_INFINITY]);
    expect(tensorText({ shape: [3], dtype: 'float32', data })).toContain('not finite: 2');
    expect(tensorText({ shape: [3], dtype: 'float32', isDisposed: true })).toContain('disposed');
    expect(tensorText({ shape: [], dtype: 'float32', data: new Float32Array([5]) })).toContain(
      '\n5',
    );
  });

  it('of images are pictures too', async () => {
    const images = { shape: [3, 8, 8, 1], dtype: 'float32', data: new Float32Array(192) };
    expect(Object.keys(await render(images))).toEqual(['image/png', 'text/plain']);
    const matrix = { shape: [8, 8], dtype: 'float32', data: new Float32Array(64) };
    expect(Object.keys(await render(matrix))).toEqual(['text/plain']);
  });
});

describe('values', () => {
  it('are text, a table, a chart, or what they say', async () => {
    expect(await render(5)).toEqual({ 'text/plain': '5' });
    expect(await render(null)).toEqual({ 'text/plain': 'null' });
    const chart = { $schema: 'https://vega.github.io/schema/vega-lite/v6.json', mark: 'bar' };
    expect((await render(chart))['application/vnd.vegalite.v5+json']).toBe(chart);
    const table = { toHTML: () => '<table></table>', numRows: () => 0 };
    expect((await render(table))['text/html']).toBe('<table></table>');
    const own = { [Symbol.for('Jupyter.display')]: () => ({ 'text/latex': '$x$' }) };
    expect(await render(own)).toEqual({ 'text/latex': '$x$' });
  });

  it('are shown without running getters, whatever they are', async () => {
    let ran = false;
    const value = {
      get danger() {
        ran = true;
        return 1;
      },
    };
    expect(inspectText(value)).toContain('danger');
    expect(ran).toBe(false);
    const hostile = {
      [Symbol.for('nodejs.util.inspect.custom')]() {
        throw new Error('boom');
      },
    };
    expect(inspectText(hostile)).toContain('boom');
    expect(inspectText('x'.repeat(1e6)).length).toBeLessThan(20_000);
  });

  it('in tables are escaped, and rows beyond the limit counted', () => {
    const rows = Array.from({ length: 60 }, (_, i) => ({ name: `<b>${i}</b>`, value: i / 3 }));
    const bundle = tableBundle(rows, {});
    expect(bundle['text/html']).toContain('&lt;b&gt;0&lt;/b&gt;');
    expect(bundle['text/html']).not.toContain('<b>');
    expect(bundle['text/plain']).toContain('10 more rows');
    expect(tableBundle({ x: [1, 2], y: Float32Array.of(3, 4) }, {})['text/plain']).toBe(
      'x  y\n1  3\n2  4',
    );
    expect(() => tableBundle(5, {})).toThrow(ConfigError);
  });
});

describe('display', () => {
  const shown: { bundle: MimeBundle; id?: string; update: boolean }[] = [];
  const display = createDisplay(
    {
      show: (bundle, { id, update }) => shown.push({ bundle, id, update }),
      clear: () => undefined,
    },
    undefined as unknown as CommManager,
  );

  it('refuses what it cannot show, and says what it expected', () => {
    expect(() => display.html(5 as unknown as string)).toThrow(/takes a string, got number/);
    expect(() => display.progress(-1)).toThrow(ConfigError);
    expect(() => display.progress(Number.NaN)).toThrow(ConfigError);
    const flat = { shape: [4, 8], dtype: 'float32', data: new Float32Array(32) };
    expect(() => display.imageGrid(flat)).toThrow(/expected \[n,c,h,w\].*got \[4,8\]/);
  });

  it('updates a bar in place and ends it as one line, whatever comes after', () => {
    shown.length = 0;
    const bar = display.progress(3, { label: 'work', interval: 0 });
    bar.step();
    bar.update(3, 'loss 1');
    bar.step();
    bar.finish('ignored');
    expect(new Set(shown.map(({ id }) => id)).size).toBe(1);
    expect(shown.map(({ update }) => update)).toEqual([false, true, true]);
    expect(shown.at(-1)?.bundle['text/plain']).toMatch(/^work {2}3\/3 {2}.* {2}loss 1$/);
  });

  it('scales the pixels of a grid', () => {
    shown.length = 0;
    display.imageGrid(
      { shape: [1, 1, 1, 2], dtype: 'float32', data: new Float32Array([0, 1]) },
      { scale: 2, range: [0, 1] },
    );
    const png = Buffer.from(String(shown[0].bundle['image/png']), 'base64');
    expect(decodePng(png).rows).toEqual([
      [0, 0, 255, 255],
      [0, 0, 255, 255],
    ]);
  });
});
