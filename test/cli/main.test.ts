import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { gibbsVersion } from '../../src/core/versions.ts';
import { gibbs } from './gibbs.ts';

let root: string;
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'gibbs-cli-'));
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

describe('gibbs', () => {
  it('shows version and help on stdout', async () => {
    const [version, help, runHelp] = await Promise.all([
      gibbs(['--version']),
      gibbs(['--help']),
      gibbs(['help', 'run']),
    ]);
    expect(version).toMatchObject({ code: 0, stdout: `${gibbsVersion()}\n`, stderr: '' });
    for (const name of ['run', 'figure', 'doctor']) expect(help.stdout).toContain(`\n  ${name} `);
    expect(runHelp).toMatchObject({ code: 0, stderr: '' });
    expect(runHelp.stdout).toMatch(/^Usage: gibbs run EXPERIMENT/);
  });

  it('answers wrong arguments with one line on stderr and exit code 2', async () => {
    const cases: [string[], RegExp][] = [
      [[], /no command given/],
      [['rnu'], /unknown command 'rnu'; did you mean 'run'\?/],
      [['--verson'], /unknown option '--verson'; did you mean '--version'\?/],
      [['run'], /EXPERIMENT is missing/],
      [['run', 'tox'], /unknown experiment 'tox'/],
      [['run', 'toy', '--dataset', 'pinwhel'], /'pinwhel'; did you mean 'pinwheel'\?/],
      [['run', 'toy', '--preset', 'fast'], /unknown preset 'fast' \(known: smoke, quick, paper\)/],
      [['run', 'toy', '--set', 'diffusion.betamax=2'], /did you mean 'diffusion.betaMax'/],
      [['run', 'toy', '--set', 'diffusion.T'], /written key=value/],
      [['run', 'toy', '--resume', '--preset', 'smoke', '--out', root], /nothing to resume/],
      [['run', 'toy', '--parts', 'two'], /--parts must be a whole number.*'two'/],
      [['run', 'toy', '--device', 'gpu'], /unknown device 'gpu'.*cpu, webgpu, cuda, auto/],
      [
        ['run', 'toy', '--precision', 'half'],
        /unknown precision 'half'.*float32, bfloat16, float16/,
      ],
      [
        ['run', 'toy', '--precision', 'float16'],
        /'float16' is not for executor 'native'; use 'onnx'/,
      ],
      [['figure', '99'], /unknown figure '99'/],
    ];
    const results = await Promise.all(
      cases.map(([args]) =>
        gibbs(args, args.includes('float16') ? { GIBBS_EXECUTOR: 'native' } : {}),
      ),
    );
    results.forEach((result, i) => {
      const [args, message] = cases[i];
      expect(result.code, args.join(' ')).toBe(2);
      expect(result.stderr).toMatch(message);
      expect(result.stderr).toMatch(/^gibbs: [^\n]+\n$/);
      expect(result.stdout).toBe('');
    });
  });

  it('says in one line that a folder cannot be written, with exit code 1', async () => {
    const file = join(root, 'a-file');
    writeFileSync(file, '');
    const result = await gibbs(['run', 'toy', '--preset', 'smoke', '--out', file]);
    expect(result.code).toBe(1);
    expect(result.stderr).toMatch(/^gibbs: cannot (create|write) [^\n]*a-file[^\n]*\n$/);
  });

  it('ends quietly when its reader has gone', async () => {
    const main = resolve(import.meta.dirname, '../../src/cli/main.ts');
    const command = `"${process.execPath}" --import tsx "${main}" run --help | true; exit \${PIPESTATUS[0]}`;
    const { code, stderr } = await new Promise<{ code: unknown; stderr: string }>((done) => {
      execFile('bash', ['-c', command], (error, _out, err) =>
        done({ code: error?.code ?? 0, stderr: err }),
      );
    });
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  });

  it('examines the machine', async () => {
    const { code, stdout } = await gibbs(['doctor', '--json']);
    const report = JSON.parse(stdout) as { ok: boolean; findings: Record<string, string>[] };
    expect(code).toBe(report.ok ? 0 : 1);
    const byName = Object.fromEntries(report.findings.map((finding) => [finding['name'], finding]));
    expect(byName['engine']).toMatchObject({ state: 'ok' });
    expect(byName['engine']['found']).toMatch(/onnxruntime-node \d.*self-test passed/);
    expect(byName['node']['found']).toContain(process.version);
    expect(Object.keys(byName)).toEqual(
      expect.arrayContaining(['processor', 'memory', 'tfjs', 'runs', 'python', 'jupyter']),
    );
  });
});
