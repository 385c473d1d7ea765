import { parseArgs } from 'node:util';
import { EXECUTORS, type ExecutorName } from './executor.ts';
import { loadRegistry, type Registry } from './registry.ts';
import { type Row, runFolder } from './runner.ts';

const HELP = `usage: npm run golden -- --dir DIR [--only PATTERN] [--executor NAME] [--json]

Compares Gibbs with reference numbers: runs the case for every *.safetensors and subfolder of DIR.

  --dir DIR       folder with the reference files
  --only PATTERN  only names that contain PATTERN, or match it when it holds a *
  --executor NAME how training steps run: onnx (default), native (compiled C) or eager (op by op)
  --json          one JSON object with all rows instead of the table
  --help          this text

Columns: file; tensors compared; largest error as a share of its tolerance, with the tensor and the
tolerance; outcome. A file without a case is listed and does not fail.
Exit code: 0 all within tolerance, 1 a mismatch or a crash, 2 a wrong argument or folder.
`;

/** Runs the command line; returns the exit code. */
export async function main(
  argv: readonly string[],
  out: (text: string) => void,
  err: (text: string) => void,
  registryOf: () => Promise<Registry> = loadRegistry,
): Promise<number> {
  let options: {
    dir?: string;
    only?: string;
    executor?: string;
    json?: boolean;
    help?: boolean;
  };
  try {
    options = parseArgs({
      args: [...argv],
      options: {
        dir: { type: 'string' },
        only: { type: 'string' },
        executor: { type: 'string' },
        json: { type: 'boolean' },
        help: { type: 'boolean' },
      },
    }).values;
  } catch (error) {
    err(`golden: ${(error as Error).message.split('\n')[0]}\n`);
    return 2;
  }
  if (options.help) {
    out(HELP);
    return 0;
  }
  if (!options.dir) {
    err('golden: --dir DIR is needed (see --help)\n');
    return 2;
  }
  if (options.executor !== undefined) {
    if (!EXECUTORS.includes(options.executor as ExecutorName)) {
      err(`golden: --executor must be one of ${EXECUTORS.join(', ')}, got '${options.executor}'\n`);
      return 2;
    }
    process.env['GIBBS_GOLDEN_EXECUTOR'] = options.executor;
  }
  const registry = await registryOf();
  const rows: Row[] = [];
  try {
    for await (const row of runFolder(options.dir, registry, options.only)) {
      rows.push(row);
      if (!options.json) out(`${line(row)}\n`);
    }
  } catch (error) {
    err(`golden: ${(error as Error).message}\n`);
    return 2;
  }
  out(options.json ? `${JSON.stringify({ rows: rows.map(plain) }, null, 1)}\n` : summary(rows));
  return rows.some((r) => r.status === 'MISMATCH' || r.status === 'CRASH') ? 1 : 0;
}

const SHOWN_FAILURES = 8;

function line(row: Row): string {
  const name = row.file.padEnd(44);
  if (row.status === 'not implemented yet') return `${name} not implemented yet`;
  if (row.error !== undefined) return `${name} CRASH ${row.error}`;
  const worst = row.worst;
  const left = row.missing.length > 0 ? ` (${row.missing.length} left out)` : '';
  const text = [
    name,
    `${row.compared} compared${left}`.padEnd(28),
    worst ? `worst ${percent(worst.share)} of ${worst.tolerance} at ${worst.name}`.padEnd(76) : '',
    row.status,
  ].join(' ');
  const more = row.failures.length - SHOWN_FAILURES;
  return [
    text,
    ...row.failures
      .slice(0, SHOWN_FAILURES)
      .map((f) => `    ${f.name}: ${percent(f.share)} of the tolerance; ${f.detail}`),
    ...(more > 0 ? [`    and ${more} more`] : []),
  ].join('\n');
}

function percent(share: number): string {
  return Number.isFinite(share) ? `${Number((100 * share).toPrecision(3))}%` : 'beyond any share';
}

function summary(rows: readonly Row[]): string {
  const count = (s: Row['status']) => rows.filter((r) => r.status === s).length;
  return `${count('ok')} ok, ${count('MISMATCH')} mismatch, ${count('CRASH')} crash, ${count('not implemented yet')} not implemented yet\n`;
}

/** JSON has no infinity. */
function plain(row: Row): unknown {
  const finite = (share: number) => (Number.isFinite(share) ? share : null);
  return {
    ...row,
    worst: row.worst && { ...row.worst, share: finite(row.worst.share) },
    failures: row.failures.map((f) => ({ ...f, share: finite(f.share) })),
  };
}

if (process.argv[1] === import.meta.filename) {
  process.exitCode = await main(
    process.argv.slice(2),
    (t) => process.stdout.write(t),
    (t) => process.stderr.write(t),
  );
}
