import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';

it('5000 toy iterations leave resident memory flat after warm-up', async () => {
  const script = join(import.meta.dirname, 'memory-loop.ts');
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ['--expose-gc', '--import', 'tsx', script, '5000'],
    { timeout: 580_000 },
  );
  const [, warm, ...later] = JSON.parse(stdout.trim().split('\n').at(-1)!) as number[];
  for (const reading of later) {
    expect(reading / warm).toBeGreaterThan(0.95);
    expect(reading / warm).toBeLessThan(1.05);
  }
});
