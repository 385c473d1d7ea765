import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { Findings, Survey, SurveyOptions } from './lib/bench.ts';
import { typescriptCommand } from './lib/command.ts';
import { type Row, round } from './lib/report.ts';
import { summarise } from './lib/statistics.ts';

const RANKS = [1, 2];
const execute = promisify(execFile);

type Found = Readonly<Record<string, number>>;

/** Runs the program of one measurement, under mpirun where it needs ranks. */
async function measure(task: string, ranks: number | undefined, iters: number): Promise<Found> {
  const { command, args } = typescriptCommand(new URL('ours/mpi.ts', import.meta.url));
  const program = [command, ...args, '--task', task, '--iters', String(iters)];
  const job = ['--allow-run-as-root', '--oversubscribe', '--bind-to', 'none', '-n', String(ranks)];
  const [file, ...rest] = ranks === undefined ? program : ['mpirun', ...job, ...program];
  const { stdout } = await execute(file, rest, { maxBuffer: 1e8 });
  return JSON.parse(stdout.trim().split('\n').at(-1) ?? '{}') as Found;
}

interface Quantity {
  readonly name: string;
  readonly unit: Row['unit'];
  readonly values: number[];
}

async function survey(options: SurveyOptions): Promise<Findings> {
  const quantities = new Map<string, Quantity>();
  const add = (name: string, unit: Row['unit'], microseconds: number) => {
    const known = quantities.get(name) ?? { name, unit, values: [] };
    known.values.push(microseconds / 1000);
    quantities.set(name, known);
  };
  const iters = options.quick ? 5 : 30;
  const { count, bytes } = await measure('vectors', undefined, 1);
  for (let r = 0; r < options.rounds; r++) {
    options.onProgress(`mpi: round ${r + 1} of ${options.rounds}`);
    add('toy step, one call', 'wall-ms/iteration', (await measure('alone', undefined, iters)).step);
    for (const n of RANKS) {
      const ranks = `${n} rank${n === 1 ? '' : 's'}`;
      const plain = await measure('steps', n, iters);
      add(`toy step, ${ranks}`, 'wall-ms/iteration', plain.step);
      add(`  of which sums, ${ranks}`, 'wall-ms/iteration', plain.sums);
      const overlap = await measure('overlap', n, iters);
      add(`toy step, ${ranks}, draws in waits`, 'wall-ms/iteration', overlap.step);
    }
    for (const [size, time] of Object.entries(await measure('sums', 2, iters))) {
      add(`sum of ${size} bytes, 2 ranks`, 'wall-ms', time);
    }
  }
  const found = [...quantities.values()];
  const lines = found.map(({ name, values }) => {
    const { median, min, max } = summarise(values);
    const text = [median, min, max].map((v) => v.toPrecision(3));
    return `  ${name.padEnd(38)} ${text[0].padStart(8)} ms  (${text[1]} to ${text[2]})`;
  });
  const head = `mpi: DDAEBM's toy step shared by ranks: ${count} sums of ${bytes} bytes in all, per iteration`;
  return {
    rows: found.map(({ name, unit, values }) => ({
      ...{ name: `mpi: ${name.trim()}`, unit, threads: 1, ours: round(summarise(values).median) },
      ...{ peer: null, peerName: '', ratio: null },
    })),
    text: [head, ...lines, ''].join('\n'),
    contestants: [{ label: 'ours', vectors: { count, bytes }, quantities: found }],
    complete: true,
  };
}

/** Needs `mpirun` of Open MPI. */
export const mpi: Survey = {
  name: 'mpi',
  title: 'training on several processes: a step on 1 and 2 ranks, sums over ranks by size',
  rounds: 5,
  survey,
};
