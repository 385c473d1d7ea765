import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { writeSafetensorsFile } from '../../src/core/safetensors.ts';
import { type Comparison, shareOfTolerance } from './golden-case.ts';
import { main } from './main.ts';
import { caseFor, loadRegistry, type Registry } from './registry.ts';

const f64 = (...values: number[]) =>
  ({ dtype: 'F64', shape: [values.length], data: Float64Array.from(values) }) as const;

/** Squares `in:x`; the fixture decides whether that is what the file expects. */
const REGISTRY: Registry = {
  cases: [
    {
      prefix: '90_square',
      run: (file) => [
        {
          name: 'out:y',
          actual: file.numbers('in:x').map((x) => x * x),
          expected: file.numbers('out:y'),
          tolerance: { kind: 'rel-to-max', value: 1e-6 },
        },
      ],
    },
    {
      prefix: '90_square_given',
      given: /^out:o/,
      run: (file) => [{ name: 'out:y', pass: file.has('out:y') }],
    },
    {
      prefix: '90_square_crash',
      run: (file) => [{ name: 'n', pass: file.scalar('in:absent') === 0 }],
    },
    { prefix: '91_empty', run: () => [] },
  ],
  folders: [{ folder: 'words', run: () => [{ name: 'a', pass: false, detail: 'no a' }] }],
};

function fixture(files: Record<string, number[]>): string {
  const dir = mkdtempSync(join(tmpdir(), 'gibbs-golden-'));
  for (const [name, y] of Object.entries(files)) {
    writeSafetensorsFile(join(dir, `${name}.safetensors`), {
      'in:x': f64(1, 2, 3),
      'out:y': f64(...y),
      'out:other': f64(0),
    });
  }
  return dir;
}

async function run(...argv: string[]) {
  let out = '';
  let err = '';
  const code = await main(
    argv,
    (t) => {
      out += t;
    },
    (t) => {
      err += t;
    },
    async () => REGISTRY,
  );
  return { code, out, err };
}

describe('golden runner', () => {
  it('passes right values, counts the outputs left out, lists files without a case', async () => {
    const dir = fixture({ '90_square_a': [1, 4, 9], '99_unknown': [0, 0, 0] });
    const { code, out } = await run('--dir', dir);
    expect(code).toBe(0);
    expect(out).toMatch(/90_square_a\.safetensors +1 compared \(1 left out\).* ok\n/);
    expect(out).toMatch(/99_unknown\.safetensors +not implemented yet/);
  });

  it('does not count outputs that the case declares as given', async () => {
    const { code, out } = await run('--dir', fixture({ '90_square_given': [0, 0, 0] }));
    expect(code).toBe(0);
    expect(out).toMatch(/1 compared +worst 0% of exact at out:y +ok/);
  });

  it('exits with 1 for a wrong value and names the tensor', async () => {
    const dir = fixture({ '90_square_a': [1, 4, 9.001] });
    const { code, out } = await run('--dir', dir);
    expect(code).toBe(1);
    expect(out).toMatch(/worst 11100% of rel-to-max 1e-6 at out:y.*MISMATCH/);
  });

  it('goes on after a crash and after a damaged file, and exits with 1', async () => {
    const dir = fixture({ '90_square_crash': [1, 4, 9], '90_square_z': [1, 4, 9] });
    writeFileSync(join(dir, '90_square_b.safetensors'), 'rubbish');
    const { code, out } = await run('--dir', dir);
    expect(code).toBe(1);
    expect(out).toMatch(/90_square_b\.safetensors +CRASH DataError/);
    expect(out).toMatch(/90_square_crash\.safetensors +CRASH DataError: .*in:absent/);
    expect(out).toMatch(/90_square_z\.safetensors .* ok\n/);
    expect(out).toContain('1 ok, 0 mismatch, 2 crash');
  });

  it('fails a case that compares nothing', async () => {
    expect((await run('--dir', fixture({ '91_empty': [] }))).code).toBe(1);
  });

  it('runs folder cases', async () => {
    const dir = fixture({});
    mkdirSync(join(dir, 'words'));
    mkdirSync(join(dir, 'others'));
    const { code, out } = await run('--dir', dir);
    expect(code).toBe(1);
    expect(out).toContain('a: beyond any share of the tolerance; no a');
    expect(out).toMatch(/others\/ +not implemented yet/);
  });

  it('selects with --only and answers in JSON', async () => {
    const dir = fixture({ '90_square_a': [1, 4, 9], '90_square_b': [0, 0, 0] });
    const { code, out } = await run('--dir', dir, '--only', '90*_a', '--json');
    expect(code).toBe(0);
    const { rows } = JSON.parse(out);
    expect(rows).toHaveLength(1);
    expect(rows[0]).toMatchObject({ status: 'ok', compared: 1, missing: ['out:other'] });
  });

  it('refuses wrong arguments with one line and code 2', async () => {
    const dir = fixture({ '90_square_a': [1, 4, 9] });
    for (const argv of [
      [],
      ['--dir'],
      ['--dir', join(dir, 'absent')],
      ['--dir', join(dir, '90_square_a.safetensors')],
      ['--dir', fixture({})],
      ['--dir', dir, '--only', 'nothing'],
      ['--dir', dir, '--frobnicate'],
    ]) {
      const { code, out, err } = await run(...argv);
      expect(code, argv.join(' ')).toBe(2);
      expect(out).toBe('');
      expect(err).toMatch(/^golden: [^\n]+\n$/);
    }
  });

  it('explains itself', async () => {
    const { code, out } = await run('--help');
    expect(code).toBe(0);
    expect(out).toContain('--only');
  });
});

describe('shareOfTolerance', () => {
  const share = (
    actual: number[],
    expected: number[],
    tolerance: Extract<Comparison, { actual: unknown }>['tolerance'],
  ) => shareOfTolerance({ name: 'x', actual, expected, tolerance });

  it('measures each kind in its own scale', () => {
    expect(share([1, 11], [1, 10], { kind: 'abs', value: 2 })).toBe(0.5);
    expect(share([2, 10], [1, 10], { kind: 'rel-to-max', value: 0.2 })).toBeCloseTo(0.5);
    expect(share([2, 10], [1, 10], { kind: 'rel', value: 4 })).toBe(0.25);
    expect(share([0, 0, 0, 9], [0, 0, 0, 0], { kind: 'quantile', q: 0.5, value: 1 })).toBe(0);
    expect(share([0, 0, 0, 9], [0, 0, 0, 0], { kind: 'quantile', q: 0.99, value: 1 })).toBe(9);
  });

  it('lets NaN, infinities and lengths match only themselves', () => {
    const abs = { kind: 'abs', value: 1e9 } as const;
    expect(share([Number.NaN, Infinity], [Number.NaN, Infinity], abs)).toBe(0);
    expect(share([0], [Number.NaN], abs)).toBe(Infinity);
    expect(share([Number.NaN], [0], abs)).toBe(Infinity);
    expect(share([-Infinity], [Infinity], abs)).toBe(Infinity);
    expect(share([1, 1], [1], abs)).toBe(Infinity);
    expect(share([1e-300], [0], { kind: 'rel', value: 1 })).toBe(Infinity);
  });
});

describe('the registry', () => {
  it('prefers the longest prefix', () => {
    expect(caseFor(REGISTRY, '90_square_crash_2')?.prefix).toBe('90_square_crash');
    expect(caseFor(REGISTRY, '90_square_2')?.prefix).toBe('90_square');
    expect(caseFor(REGISTRY, '89')).toBeUndefined();
  });

  it('finds the modules of cases/, no prefix twice', async () => {
    const { cases, folders } = await loadRegistry();
    const prefixes = [...cases.map((c) => c.prefix), ...folders.map((f) => f.folder)];
    expect(new Set(prefixes).size).toBe(prefixes.length);
  });
});
