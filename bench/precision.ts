import { execFile } from 'node:child_process';
import { loadavg } from 'node:os';
import { promisify } from 'node:util';
import type { Findings, Survey, SurveyOptions } from './lib/bench.ts';
import { typescriptCommand } from './lib/command.ts';
import { aligned, type Row, round, withSpread } from './lib/report.ts';
import { median, pairedRatio } from './lib/statistics.ts';

const execute = promisify(execFile);
/** What trains in each precision. Without a graphics card float16 is rounding only, and takes longer. */
const EXECUTORS = { float32: 'native', bfloat16: 'native', float16: 'onnx' } as const;
type Precision = keyof typeof EXECUTORS;
const PRECISIONS = Object.keys(EXECUTORS) as Precision[];

const TASKS = [
  { task: 'toy', steps: 3000, title: "DDAEBM on 25 Gaussians, 'quick' in 3000 iterations" },
  { task: 'nice', steps: 300, title: "NICE on MNIST by likelihood, 'quick', 300 iterations" },
] as const;

/** A training in one precision; `load` of the machine when it ended. */
interface Trained {
  readonly task: string;
  readonly precision: Precision;
  readonly seed: number;
  readonly steps: number;
  readonly cpuMs: number;
  readonly checksum: string;
  readonly numbers: Readonly<Record<string, number>>;
  readonly load: number;
}

async function trainOnce(
  task: string,
  steps: number,
  precision: Precision,
  seed: number,
): Promise<Trained> {
  const { command, args } = typescriptCommand(new URL('ours/precision.ts', import.meta.url));
  const chosen = ['--task', task, '--steps', String(steps), '--seed', String(seed)];
  const env = { ...process.env, GIBBS_EXECUTOR: EXECUTORS[precision], GIBBS_PRECISION: precision };
  const { stdout } = await execute(command, [...args, ...chosen], { env, maxBuffer: 1e8 });
  const found = JSON.parse(stdout.trim().split('\n').at(-1) ?? '{}');
  return { task, precision, seed, steps, ...found, load: loadavg()[0] };
}

/** The numbers of all trainings of one task, a column each. */
function tableOf(title: string, trained: readonly Trained[]): string {
  const names = Object.keys(trained[0].numbers);
  const head = ['', ...trained.map(({ precision, seed }) => `${precision}, seed ${seed}`)];
  const body = names.map((name) => [
    name,
    ...trained.map(({ numbers }) => numbers[name]?.toPrecision(5) ?? ''),
  ]);
  const time = [
    'CPU-ms/iteration',
    ...trained.map(({ precision, cpuMs }) => (precision === 'float16' ? '' : cpuMs.toFixed(2))),
  ];
  return [title, ...aligned([head, ...body, time])].join('\n');
}

/** The line of a failed process that names the error. */
function whyOf({ message }: Error): string {
  const lines = message.trim().split('\n');
  return lines.find((line) => /^\w*Error\b/.test(line)) ?? lines[0];
}

const timesOf = (trained: readonly Trained[], precision: Precision) =>
  trained.filter((t) => t.precision === precision).map(({ cpuMs }) => cpuMs);

async function survey(options: SurveyOptions): Promise<Findings> {
  const all: Trained[] = [];
  const rows: Row[] = [];
  const text: string[] = [];
  let complete = true;
  for (const { task, steps, title } of TASKS) {
    const trained: Trained[] = [];
    try {
      for (let seed = 0; seed < options.rounds; seed++) {
        // Each goes first in turn: the second one finds the machine warmer.
        for (const precision of seed % 2 === 0 ? PRECISIONS : PRECISIONS.toReversed()) {
          options.onProgress(`${task}, ${precision}, seed ${seed}`);
          trained.push(await trainOnce(task, options.quick ? steps / 10 : steps, precision, seed));
        }
      }
    } catch (error) {
      complete = false;
      text.push(`${title}: not run: ${whyOf(error as Error)}`);
      continue;
    }
    const [exact, rounded] = [timesOf(trained, 'float32'), timesOf(trained, 'bfloat16')];
    const ratio = pairedRatio(rounded, exact);
    rows.push({
      ...{ name: `precision-${task}`, unit: 'CPU-ms/iteration', threads: 1 },
      ...{ ours: round(median(rounded)), peer: round(median(exact)), peerName: 'float32' },
      ratio: round(ratio.median),
    });
    text.push(
      tableOf(title, trained),
      `bfloat16 is faster than float32 by ${withSpread(ratio, '×')}`,
    );
    all.push(...trained);
  }
  return { rows, text: `${text.join('\n')}\n`, contestants: all, complete };
}

/** What precisions do to results and time. A round is a seed, trained in each of them. */
export const precision: Survey = {
  name: 'precision',
  title: 'short trainings with products in float32, bfloat16 and float16: results and time',
  rounds: 2,
  survey,
};
