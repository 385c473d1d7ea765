import { encodePng } from '../../core/png.ts';

/** The energy of a double well and a ball in one of its minima, drawn in a unit square. */
const BLUE = [49, 120, 198] as const;
const WHITE = [255, 255, 255] as const;
const GOLD = [255, 200, 60] as const;
const RADIUS = 0.16;
const LINE = 0.045;
const BALL = { x: 0.705, y: 0.6, r: 0.085 };

/** Height of the curve at `x`, both in the unit square with y downwards. */
function well(x: number): number {
  const u = (x - 0.5) / 0.2;
  return 0.72 - 0.13 * (u * u - 1) ** 2;
}

function insideSquare(x: number, y: number): boolean {
  const dx = Math.max(RADIUS - x, x - 1 + RADIUS, 0);
  const dy = Math.max(RADIUS - y, y - 1 + RADIUS, 0);
  return Math.hypot(dx, dy) <= RADIUS;
}

function colorAt(x: number, y: number): readonly [number, number, number] | undefined {
  if (!insideSquare(x, y)) return undefined;
  if (Math.hypot(x - BALL.x, y - BALL.y) <= BALL.r) return GOLD;
  const slope = (well(x + 1e-3) - well(x - 1e-3)) / 2e-3;
  const distance = Math.abs(y - well(x)) / Math.hypot(1, slope);
  return x > 0.1 && x < 0.9 && y > 0.12 && distance <= LINE ? WHITE : BLUE;
}

/** The logo as a PNG of `size`×`size` pixels. */
export function logoPng(size: number): Buffer {
  const samples = 4;
  const data = new Uint8Array(size * size * 4);
  for (let y = 0; y < size; y++) {
    for (let x = 0; x < size; x++) {
      const sum = [0, 0, 0, 0];
      for (let k = 0; k < samples * samples; k++) {
        const sx = (x + ((k % samples) + 0.5) / samples) / size;
        const sy = (y + (Math.floor(k / samples) + 0.5) / samples) / size;
        const color = colorAt(sx, sy);
        if (color === undefined) continue;
        for (let c = 0; c < 3; c++) sum[c] += color[c];
        sum[3]++;
      }
      const at = (y * size + x) * 4;
      for (let c = 0; c < 3; c++) data[at + c] = sum[3] === 0 ? 0 : Math.round(sum[c] / sum[3]);
      data[at + 3] = Math.round((255 * sum[3]) / (samples * samples));
    }
  }
  return encodePng({ width: size, height: size, channels: 4, data });
}

/** The logo as SVG. */
export function logoSvg(): string {
  const points = Array.from({ length: 65 }, (_, i) => {
    const x = 0.14 + (0.72 * i) / 64;
    return `${(100 * x).toFixed(1)},${(100 * well(x)).toFixed(1)}`;
  });
  return [
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 100 100">',
    `<rect width="100" height="100" rx="${100 * RADIUS}" fill="rgb(${BLUE.join(',')})"/>`,
    `<polyline points="${points.join(' ')}" fill="none" stroke="#fff" stroke-width="${200 * LINE}"/>`,
    `<circle cx="${100 * BALL.x}" cy="${100 * BALL.y}" r="${100 * BALL.r}" fill="rgb(${GOLD.join(',')})"/>`,
    '</svg>\n',
  ].join('');
}
