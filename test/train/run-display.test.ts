import { describe, expect, it } from 'vitest';
import { render } from '../../src/kernel/display/render.ts';
import { shownAsRun } from '../../src/train/run-display.ts';

const run = () => ({ key: 'toy/1-s0', state: [1, 2, 3], metrics: { mmd: 0.012345678, note: 'x' } });
const shown = (losses: Record<string, number[]> = {}) =>
  shownAsRun(run(), ({ key, metrics }) => ({
    title: `${key} <new>`,
    steps: 40,
    seconds: 3.21,
    settings: { 'objective.gamma': 0.02 },
    numbers: metrics,
    losses,
  }));

/** The points of the only drawn line. */
function pointsOf(html: unknown): [number, number][] {
  const [, points] = /points="([^"]*)"/.exec(String(html)) ?? [];
  return points.split(' ').map((point) => point.split(',').map(Number) as [number, number]);
}

describe('a run as the value of a cell', () => {
  it('is shown by what it is, its settings and its numbers', async () => {
    const bundle = await render(shown({ energyLoss: [3, 2, 1.5] }));
    expect(bundle['text/plain']).toBe(
      [
        'toy/1-s0 <new>: 40 iterations in 3.2 s',
        '  objective.gamma  0.02',
        '  mmd              0.012346',
        '  energyLoss       1.5',
      ].join('\n'),
    );
    expect(bundle['text/html']).toContain('toy/1-s0 &lt;new&gt;');
    expect(bundle['text/html']).not.toContain('note');
  });

  it('has curves that fall where the loss falls, whatever its scale, without what is no number', async () => {
    for (const scale of [1e-6, 1, 1e9]) {
      const series = [4, 3, Number.NaN, 2, 1].map((v) => v * scale);
      const points = pointsOf((await render(shown({ loss: series })))['text/html']);
      const ys = points.map(([, y]) => y);
      expect(ys).toEqual(ys.toSorted((a, b) => a - b));
      expect(points.map(([x]) => x)).toEqual([0, 40, 80, 120]);
      expect(points.flat().every(Number.isFinite)).toBe(true);
    }
    const flat = pointsOf((await render(shown({ loss: [2, 2] })))['text/html']);
    expect(flat.flat().every(Number.isFinite)).toBe(true);
    const html = (await render(shown({ loss: [2] })))['text/html'];
    expect(html).not.toContain('polyline');
  });

  it('is otherwise what it was', () => {
    expect(shown()).toEqual(run());
    expect(Object.keys(shown())).toEqual(Object.keys(run()));
    expect(structuredClone(shown())).toEqual(run());
  });
});
