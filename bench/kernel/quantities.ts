import { setTimeout as sleep } from 'node:timers/promises';
import { median } from '../lib/statistics.ts';
import { type Answer, type Launch, TimedKernel } from './client.ts';

/** One thing that is measured of every kernel; each has its line in the table. */
export interface Quantity {
  readonly name: string;
  /** Milliseconds that ours must stay below. */
  readonly target?: number;
}

export const QUANTITIES = {
  start: { name: 'cold start', target: 500 },
  first: { name: 'first result', target: undefined },
  sum: { name: '1+1', target: 8 },
  complete: { name: 'completion', target: undefined },
  tfjs: { name: 'import of tfjs', target: undefined },
  lines: { name: '100 000 lines', target: 1000 },
  stop: { name: 'Stop of a loop', target: 100 },
  stopAwait: { name: 'Stop of an await', target: 100 },
} as const satisfies Record<string, Quantity>;

export type QuantityId = keyof typeof QUANTITIES;

/** Milliseconds, or why there are none. */
export type Reading = number | string;

/** How a user meets the kernel: after the start, type checkers and caches get a moment. */
const SETTLE_MS = 3000;
/** Kernels that keep compiled code write it in this time. */
const AFTER_IMPORT_MS = 1000;
const WARM_SUMS = 50;
const LINES = 100_000;
const STOPS = 5;
/** A kernel that has not stopped after this time does not, ms. */
const STOP_LIMIT = 5000;
/** The same for one that has not ended a short cell, and for one that still prints. */
const SUM_LIMIT = 5000;
const LINES_LIMIT = 10_000;

const NAMES = [...'abcdefghijklmnopqrst'];

/** Everything that is measured of one kernel in one round. A failure costs its row only. */
export async function measureKernel(
  launch: Launch,
  counts: { readonly sums: number; readonly completions: number },
): Promise<Record<QuantityId, Reading>> {
  const readings = Object.fromEntries(
    Object.keys(QUANTITIES).map((id) => [id, 'fails: not reached']),
  ) as Record<QuantityId, Reading>;
  const take = async (id: QuantityId, measure: () => Promise<number>) => {
    try {
      readings[id] = await measure();
    } catch (error) {
      readings[id] = `fails: ${(error as Error).message}`;
    }
  };
  await withKernel(launch, async (kernel) => {
    await take('start', () => kernel.ready());
    await take('first', async () => {
      expectText(await kernel.execute('40 + 2'), '42');
      return performance.now() - kernel.started;
    });
    await sleep(SETTLE_MS);
    await take('sum', async () => {
      const times: number[] = [];
      for (let i = 0; i < WARM_SUMS + counts.sums; i++) {
        const answer = await kernel.execute('1+1', SUM_LIMIT).catch((error: Error) => {
          const before = times.length === 0 ? '' : `, ${median(times).toFixed(2)} ms before that`;
          throw new Error(`${error.message} to cell ${i + 1} in a row${before}`);
        });
        if (i === 0) expectText(answer, '2');
        if (i >= WARM_SUMS) times.push(answer.ms);
      }
      return median(times);
    });
    await take('complete', () => completions(kernel, counts.completions));
  });
  await withKernel(launch, async (kernel) => {
    await kernel.ready();
    await kernel.execute('0');
    await sleep(SETTLE_MS);
    await take('tfjs', async () => {
      const code = "import * as tf from '@tensorflow/tfjs';\ntf.tensor1d([1, 2, 3]).shape[0] + 38";
      const answer = await kernel.execute(code);
      expectText(answer, '41');
      return answer.ms;
    });
    await sleep(AFTER_IMPORT_MS);
    await take('lines', () => lines(kernel));
    await take('stopAwait', () => stops(kernel, 'await new Promise(() => {});'));
    await take('stop', () => stops(kernel, 'while (true);'));
  });
  return readings;
}

async function withKernel(launch: Launch, use: (kernel: TimedKernel) => Promise<void>) {
  const kernel = await TimedKernel.launch(launch);
  try {
    await use(kernel);
  } catch {
    // It did not start: the rows say that they were not reached.
  } finally {
    await kernel.stop();
  }
}

/** Properties of a variable of the notebook; the code differs each time, as when one types. */
async function completions(kernel: TimedKernel, count: number): Promise<number> {
  await kernel.execute('const model = { layers: [1, 2], energy: (x: number) => x * x };');
  const times: number[] = [];
  const warm = 5;
  for (let i = 0; i < warm + count; i++) {
    const { content, ms } = await kernel.complete(`const ${NAMES[i % 20]}${i} = model.`);
    const matches = Array.isArray(content['matches']) ? content['matches'].map(String) : [];
    if (!matches.some((match) => match.endsWith('energy'))) {
      throw new Error(`'energy' is not among the ${matches.length} matches`);
    }
    if (i >= warm) times.push(ms);
  }
  return median(times);
}

async function lines(kernel: TimedKernel): Promise<number> {
  const answer = await kernel.execute(
    `for (let i = 0; i < ${LINES}; i++) console.log('line ' + i);`,
    LINES_LIMIT,
  );
  const text = streamText(answer);
  const arrived = text.split('\n').length - 1;
  if (arrived !== LINES) throw new Error(`${arrived} of ${LINES} lines when the cell is over`);
  if (!text.endsWith(`line ${LINES - 1}\n`)) throw new Error('the lines are not in order');
  return answer.ms;
}

/** From Stop to the end of the cell; the kernel must be there afterwards, with its variables. */
async function stops(kernel: TimedKernel, code: string): Promise<number> {
  await kernel.execute('globalThis.kept = 40;');
  const times: number[] = [];
  for (let i = 0; i < STOPS; i++) {
    let goes: () => void = () => undefined;
    const going = new Promise<void>((resolve) => {
      goes = resolve;
    });
    const cell = kernel.execute(`console.log('going');\n${code}`, STOP_LIMIT, ({ header }) => {
      if (header.msg_type === 'stream') goes();
    });
    await Promise.race([going, cell]);
    await sleep(100);
    const pressed = performance.now();
    await kernel.interrupt();
    await cell;
    times.push(performance.now() - pressed);
  }
  expectText(await kernel.execute('globalThis.kept + 2', STOP_LIMIT), '42');
  return median(times);
}

function streamText({ published }: Answer): string {
  return published
    .filter((message) => message.header.msg_type === 'stream')
    .map((message) => message.content['text'])
    .join('');
}

/** The value of a cell, wherever a kernel shows it: tslab prints results. */
function expectText(answer: Answer, wanted: string): void {
  if (answer.content['status'] !== 'ok') {
    const { ename, evalue } = answer.content;
    throw new Error([ename, evalue].filter(Boolean).join(': ') || 'the cell ended with an error');
  }
  const results = answer.published
    .filter((message) => message.header.msg_type === 'execute_result')
    .map((message) => (message.content['data'] as Record<string, string>)['text/plain']);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: Deno colours its results.
  const shown = `${results.join('')}${streamText(answer)}`.replace(/\x1b\[\d+m/g, '');
  if (!shown.split('\n').includes(wanted)) throw new Error(`${wanted} is not shown`);
}
