import { describe, expect, it } from 'vitest';
import { apart, toyTraining } from './shared-training.ts';

describe('a training by several ranks', () => {
  it('gives the losses of one process, bit for bit when there is one rank', async () => {
    const alone = await toyTraining('ddaebm', 'alone', 3);
    const cut = await toyTraining('ddaebm', 1, 3);
    expect(cut.rows).toEqual(alone.rows);
  });

  it('gives them to rounding when there are more, and the same state on all', async () => {
    const alone = await toyTraining('ddaebm', 'alone', 3);
    const two = await toyTraining('ddaebm', 2, 3);
    expect(two.results[0].checksum).toBe(two.results[1].checksum);
    expect(apart(alone.rows.slice(0, 1), two.rows.slice(0, 1))).toBeLessThan(1e-5);
    // Adam's first step is a sign: where a gradient is zero but for rounding it goes either way.
    expect(apart(alone.rows, two.rows)).toBeLessThan(1e-3);
  });

  it('refuses a batch that does not divide', async () => {
    await expect(toyTraining('drl', 5, 1)).rejects.toThrow('a batch of 24 does not divide by 5');
  });
});
