import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';

it.each([
  ['5000 toy iterations', 'memory-loop.ts', '5000'],
  ['2000 iterations on images', 'image-memory-loop.ts', '2000'],
])('%s leave resident memory flat after warm-up', async (_, file, steps) => {
  const script = join(import.meta.dirname, file);
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ['--expose-gc', '--import', 'tsx', script, steps],
    { timeout: 580_000 },
  );
  const readings = JSON.parse(stdout.trim().split('\n').at(-1)!) as number[];
  // A single reading jumps by a few per cent with what the allocator happens to hold on to.
  const [, warm, ...later] = chunks(readings, 4).map(median);
  for (const reading of later) {
    expect(reading / warm).toBeGreaterThan(0.95);
    expect(reading / warm).toBeLessThan(1.05);
  }
});

function chunks<T>(all: readonly T[], size: number): T[][] {
  return Array.from({ length: all.length / size }, (_, i) => all.slice(i * size, (i + 1) * size));
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = (sorted.length - 1) / 2;
  return (sorted[Math.floor(middle)] + sorted[Math.ceil(middle)]) / 2;
}
