import { describe, expect, it } from 'vitest';
import { TOY_METHODS, type ToyMethod } from '../../../src/experiments/toy-methods.ts';
import { apart, toyTraining } from '../../train/parallel/shared-training.ts';

/** VERA divides by σ² = 1e-4, which raises its rounding errors. */
const FIRST: Partial<Record<ToyMethod, number>> = { vera: 1e-3 };

const near = (method: ToyMethod) => [FIRST[method] ?? 1e-4, FIRST[method] ? 1e-2 : 1e-3] as const;

describe('every toy method in three parts', () => {
  it.each(TOY_METHODS)('%s has the losses of the whole', async (method) => {
    const whole = await toyTraining(method, 'alone', 5);
    const parts = await toyTraining(method, 'alone', 5, { parts: 3 });
    const [first, all] = near(method);
    expect(apart(whole.rows.slice(0, 1), parts.rows.slice(0, 1))).toBeLessThan(first);
    expect(apart(whole.rows, parts.rows)).toBeLessThan(all);
  });
});

describe('every toy method on three ranks', () => {
  it.each(TOY_METHODS)('%s has the losses of one process', async (method) => {
    const alone = await toyTraining(method, 'alone', 5);
    const three = await toyTraining(method, 3, 5);
    const [once, all] = near(method);
    expect(apart(alone.rows.slice(0, 1), three.rows.slice(0, 1))).toBeLessThan(once);
    expect(apart(alone.rows, three.rows)).toBeLessThan(all);
    const [first, ...others] = three.results;
    expect(others.map(({ checksum }) => checksum)).toEqual([first.checksum, first.checksum]);
  });
});
