import { describe, expect, it } from 'vitest';
import { InterruptedError } from '../../../src/core/errors.ts';
import type { Progress } from '../../../src/train/loop.ts';
import { apart, toyTraining } from './shared-training.ts';

describe('a training in parts', () => {
  it.each([
    ['ddaebm', 2],
    ['ddaebm', 4],
    ['drl', 3],
  ] as const)(
    'gives the losses of the whole batch to rounding: %s in %i parts',
    async (method, parts) => {
      const whole = await toyTraining(method, 'alone', 3);
      const { rows } = await toyTraining(method, 'alone', 3, { parts });
      expect(apart(whole.rows.slice(0, 1), rows.slice(0, 1))).toBeLessThan(1e-5);
      // Adam's first step is a sign: where a gradient is zero but for rounding it goes either way.
      expect(apart(whole.rows, rows)).toBeLessThan(1e-3);
    },
  );

  it('is the same bits each time', async () => {
    const [a, b] = [
      await toyTraining('ddaebm', 'alone', 2, { parts: 3 }),
      await toyTraining('ddaebm', 'alone', 2, { parts: 3 }),
    ];
    expect(a.results[0].checksum).toBe(b.results[0].checksum);
  });

  it('is shared by ranks as well', async () => {
    const whole = await toyTraining('drl', 'alone', 3);
    const two = await toyTraining('drl', 2, 3, { parts: 2 });
    expect(two.results[0].checksum).toBe(two.results[1].checksum);
    expect(apart(whole.rows, two.rows)).toBeLessThan(1e-4);
  });

  it('goes on in another number of parts', async () => {
    const whole = await toyTraining('drl', 'alone', 4);
    const begun = await toyTraining('drl', 'alone', 2, { parts: 2 });
    const { state } = begun.results[0];
    const from = { step: 2, state, seconds: 0, window: { count: 0, sums: {} } };
    for (const parts of [1, 4]) {
      const rest = await toyTraining('drl', 'alone', 4, { parts, from });
      expect(rest.results[0].resumedFrom).toBe(2);
      expect(apart(whole.rows, [...begun.rows, ...rest.rows])).toBeLessThan(1e-4);
    }
  });

  it('gives an iteration up when it is stopped within', async () => {
    let asked = 0;
    const signal = {
      get aborted() {
        // Before the first iteration, at its begin, and after its first part.
        return ++asked > 3;
      },
    } as AbortSignal;
    const saved: number[] = [];
    const training = toyTraining('drl', 'alone', 3, {
      parts: 4,
      signal,
      onSave: ({ step }) => saved.push(step),
    });
    await expect(training).rejects.toThrow(InterruptedError);
    await expect(training).rejects.toThrow('training stopped at iteration 0');
    expect(saved).toEqual([0]);
  });

  it('tells how far an iteration is', async () => {
    const shares: number[] = [];
    const onProgress = ({ step, share }: Progress) => {
      if (step === 1 && share !== undefined) shares.push(share);
    };
    await toyTraining('drl', 'alone', 2, { parts: 4, onProgress });
    expect(shares).toEqual([0.25, 0.5, 0.75]);
  });

  it.each([
    [5, 'alone', 'parts must divide the batch of 24, got 5 parts;'],
    [0, 'alone', 'parts must divide the batch of 24, got 0;'],
    [1.5, 'alone', 'got 1.5; use another number of parts (--parts) or another batch'],
    [8, 2, 'got 8 parts on each of 2 ranks'],
  ] as const)('refuses %s parts that do not divide the batch', async (parts, ranks, message) => {
    await expect(toyTraining('drl', ranks, 1, { parts })).rejects.toThrow(message);
  });
});
