import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { unknownName } from '../src/core/errors.ts';
import type { Bench, Entry, Findings, Survey } from './lib/bench.ts';
import { describeMachine } from './lib/machine.ts';
import { type Row, rows, table } from './lib/report.ts';
import { runRounds } from './lib/rounds.ts';
import { BENCHES } from './registry.ts';

const HELP = `usage: npm run bench -- NAME... [options]

Times ours and its peers in turn, in processes of their own, and prints medians and ratios.

${BENCHES.map((b) => `  ${b.name.padEnd(14)} ${b.title}`).join('\n')}

  --threads N    threads each contestant may use (default 1)
  --iters N      iterations per round (default: about a second's worth)
  --rounds N     rounds (default: that of the bench)
  --quick        3 short rounds, without the slow and the compiled peers
  --peers LIST   only peers whose label contains one of these, e.g. --peers jax,torch
  --json         an array of { name, unit, threads, ours, peer, peerName, ratio } instead of tables
  --save FILE    also write machine, versions, every round and the rows to FILE
  --help         this text

ratio = how many times faster we are. Exit code: 0, 1 when ours did not run, 2 for a wrong argument.
`;

interface Options {
  readonly benches: readonly (Bench | Survey)[];
  readonly threads: number;
  readonly iters?: number;
  readonly rounds?: number;
  readonly quick: boolean;
  readonly peers?: readonly string[];
  readonly json: boolean;
  readonly save?: string;
}

function readOptions(argv: readonly string[]): Options | 'help' {
  const { values, positionals } = parseArgs({
    args: [...argv],
    allowPositionals: true,
    options: {
      threads: { type: 'string', default: '1' },
      iters: { type: 'string' },
      rounds: { type: 'string' },
      quick: { type: 'boolean', default: false },
      peers: { type: 'string' },
      json: { type: 'boolean', default: false },
      save: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) return 'help';
  const count = (name: 'threads' | 'iters' | 'rounds') => {
    const text = values[name];
    if (text === undefined) return undefined;
    if (!/^[1-9]\d*$/.test(text)) {
      throw new TypeError(`--${name} takes a positive whole number, got '${text}'`);
    }
    return Number(text);
  };
  const names = BENCHES.map((b) => b.name);
  if (positionals.length === 0) throw new TypeError(`which bench? (${names.join(', ')})`);
  // A name stands for itself, or for all whose names it begins: store for store-append and so on.
  const benches = positionals.flatMap((name) => {
    const found = BENCHES.filter((b) => b.name === name || b.name.startsWith(`${name}-`));
    if (found.length === 0) throw unknownName('bench', name, names);
    return found;
  });
  return {
    benches,
    threads: count('threads') ?? 1,
    iters: count('iters'),
    rounds: count('rounds'),
    quick: values.quick,
    peers: values.peers?.toLowerCase().split(',').filter(Boolean),
    json: values.json,
    save: values.save,
  };
}

async function measure(bench: Bench | Survey, options: Options): Promise<Findings> {
  const { threads, quick, peers } = options;
  const wanted = (label: string) =>
    peers === undefined || peers.some((p) => label.toLowerCase().includes(p));
  if ('survey' in bench) {
    const rounds = options.rounds ?? (quick ? 3 : bench.rounds);
    const findings = await bench.survey({ threads, quick, rounds, wanted, onProgress: progress });
    progress('');
    return findings;
  }
  const field = await bench.field({ threads, quick });
  const entries = await runRounds(
    field.specs.filter((s) => s.role === 'ours' || wanted(s.label)),
    {
      rounds: options.rounds ?? (quick ? 3 : bench.rounds),
      iters: options.iters ?? (quick ? Math.ceil(bench.iters / 2) : bench.iters),
      onProgress: progress,
    },
  );
  progress('');
  const missing = field.missing.filter((m) => wanted(m.label));
  return {
    rows: rows(bench, entries, threads),
    text: table(bench, entries, missing, threads),
    contestants: entries.map(plain),
    complete: entries.some((e) => e.spec.role === 'ours' && e.error === undefined),
  };
}

/** One line that overwrites itself, on a terminal only. */
function progress(what: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${what}`);
}

async function main(argv: readonly string[]): Promise<number> {
  let options: Options | 'help';
  try {
    options = readOptions(argv);
  } catch (error) {
    process.stderr.write(`bench: ${(error as Error).message.split('\n')[0]}\n`);
    return 2;
  }
  if (options === 'help') {
    process.stdout.write(HELP);
    return 0;
  }
  const machine = describeMachine();
  const all: Row[] = [];
  const saved: unknown[] = [];
  let complete = true;
  for (const bench of options.benches) {
    const { text, ...found } = await measure(bench, options);
    complete &&= found.complete;
    all.push(...found.rows);
    const { name, title } = bench;
    saved.push({ name, title, contestants: found.contestants, rows: found.rows });
    (options.json ? process.stderr : process.stdout).write(`${text}\n`);
  }
  if (options.json) process.stdout.write(`${JSON.stringify(all, null, 1)}\n`);
  if (options.save) {
    const file = { machine, threads: options.threads, benches: saved };
    const digits = (_: string, v: unknown) =>
      typeof v === 'number' ? Number(v.toPrecision(5)) : v;
    writeFileSync(options.save, `${JSON.stringify(file, digits, 1)}\n`);
  }
  return complete ? 0 : 1;
}

/** What is worth keeping of a contestant: no paths of this machine. */
function plain({ spec, introduction, timings, error }: Entry) {
  const { label, role } = spec;
  return { label, role, ...introduction, error, rounds: timings.map((t) => t ?? null) };
}

process.exitCode = await main(process.argv.slice(2));
