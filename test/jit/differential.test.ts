import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { TRACE_RULES } from '../../src/jit/trace/rules.ts';
import { Tracer } from '../../src/jit/trace/tracer.ts';
import { check } from './check.ts';
import { OPS } from './ops.ts';

/** Samples per entry; set higher for a longer search. */
const SAMPLES = Number(process.env['GIBBS_SAMPLES'] ?? 4);
const SEED = Number(process.env['GIBBS_SAMPLES_SEED'] ?? 2024);

describe('eager and jitted agree', () => {
  const kernels = new Set<string>();

  beforeAll(() => {
    const original = Tracer.prototype.kernel;
    vi.spyOn(Tracer.prototype, 'kernel').mockImplementation(function (this: Tracer, name, ...rest) {
      kernels.add(name);
      return original.call(this, name, ...rest);
    });
  });
  afterAll(() => {
    vi.restoreAllMocks();
  });

  it.each(OPS.map((entry) => [entry.name, entry] as const))('%s', (_, entry) => {
    for (const sample of fc.sample(entry.samples, { seed: SEED, numRuns: SAMPLES })) {
      try {
        const worst = check(entry, sample);
        if (process.env['GIBBS_SHOW'] !== undefined) console.log(entry.name, worst);
      } catch (error) {
        (error as Error).message = `${sample.text}\n${(error as Error).message}`;
        throw error;
      }
    }
  });

  it('has an entry for every kernel that can be traced', () => {
    const missing = Object.keys(TRACE_RULES).filter((name) => !kernels.has(name));
    expect(missing).toEqual([]);
  });
});
