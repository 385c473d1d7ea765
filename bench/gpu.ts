import { availability } from '../src/jit/index.ts';
import type { ContestantSpec, Entry, Findings, MissingPeer, Survey, SurveyOptions } from './lib/bench.ts'; // biome-ignore format: one line
import { serveArgs, typescriptCommand } from './lib/command.ts';
import { pythonPeers } from './lib/python-peers.ts';
import type { Row } from './lib/report.ts';
import { runRounds } from './lib/rounds.ts';
import { median, pairedRatio } from './lib/statistics.ts';

/** One training step: ours by a script of `ours/`, PyTorch's by one of `peers/`. */
interface Task {
  readonly name: string;
  readonly ours: string;
  readonly peer: string;
  readonly args: readonly string[];
  readonly warmup: number;
  readonly iters: number;
}

const ncsnpp = (width: number): Task => ({
  name: `gpu-ncsnpp-${width}`,
  ours: 'ours/image-task.ts',
  peer: 'peers/ncsnpp.py',
  args: ['--task', 'step', '--width', String(width), '--batch', '32'],
  warmup: 3,
  iters: 5,
});

const TOY: Task = { name: 'gpu-toy-step', ours: 'ours/toy-step.ts', peer: 'peers/toy_step.py', args: [], warmup: 50, iters: 100 }; // biome-ignore format: one line
const NICE: Task = { name: 'gpu-nice-ddaebm', ours: 'ours/nice-step.ts', peer: 'peers/nice.py', args: ['--method', 'ddaebm'], warmup: 10, iters: 20 }; // biome-ignore format: one line
const TASKS: readonly Task[] = [TOY, NICE, ncsnpp(32), ncsnpp(64), ncsnpp(128)];

/** Of products, in both of which everything else is float32. */
const PRECISIONS = ['float32', 'float16'] as const;
type Precision = (typeof PRECISIONS)[number];

/**
 * Peaks in TFLOP/s by the makers' data sheets: of float32 without tensor cores, of float16 with them,
 * added in float32, for matrices that are not sparse.
 */
const PEAKS: readonly (readonly [RegExp, Readonly<Record<Precision, number>>])[] = [
  [/H100 PCIe/, { float32: 51, float16: 756 }],
  [/H100|H200/, { float32: 67, float16: 989 }],
  [/A100/, { float32: 19.5, float16: 312 }],
  [/V100/, { float32: 15.7, float16: 125 }],
  [/L40S/, { float32: 91.6, float16: 362 }],
  [/RTX 4090/, { float32: 82.6, float16: 165 }],
  [/RTX 3090/, { float32: 35.6, float16: 71 }],
  [/\bA10\b/, { float32: 31.2, float16: 125 }],
  [/\bL4\b/, { float32: 30.3, float16: 121 }],
  [/\bT4\b/, { float32: 8.1, float16: 65 }],
];

/**
 * Lets the bench run on a driver without a card, with peers on the processor, to see that it works; its
 * times mean nothing.
 */
const SOFTWARE = 'GIBBS_BENCH_SOFTWARE';

/** Training steps on a graphics card: ours on WebGPU and CUDA, PyTorch on the same card. */
export const gpu: Survey = {
  name: 'gpu',
  title: 'training steps on a graphics card (toy, NICE, NCSN++ at 32, 64, 128 channels)',
  rounds: 5,
  async survey(options) {
    const rehearsal = process.env[SOFTWARE] === '1';
    const found = (['webgpu', 'cuda'] as const).map((name) => ({ name, is: availability(name) }));
    const usable = found.filter(({ is }) => is.ok && (rehearsal || !is.software));
    if (usable.length === 0) {
      const reasons = found.map(({ name, is }) => `${name}: ${is.ok ? `${is.adapter} is no card` : is.reason}`); // biome-ignore format: one line
      const text = `gpu: not run, there is no graphics card here (${reasons.join('; ')})`;
      return { rows: [], text, contestants: [], complete: false };
    }
    const card = usable.map(({ is }) => (is.ok ? is.adapter : '')).at(-1) ?? '';
    const parts: Findings[] = [];
    for (const task of rehearsal ? [{ ...TOY, warmup: 1, iters: 1 }] : TASKS) {
      const devices = usable.map(({ name }) => name);
      parts.push(await measure(task, devices, card, options));
    }
    return {
      rows: parts.flatMap((part) => part.rows),
      text: [`card: ${card}`, ...parts.map((part) => part.text)].join('\n\n'),
      contestants: parts.flatMap((part) => part.contestants),
      complete: parts.every((part) => part.complete),
    };
  },
};

async function measure(
  task: Task,
  devices: readonly string[],
  card: string,
  options: SurveyOptions,
): Promise<Findings> {
  const ours = typescriptCommand(new URL(task.ours, import.meta.url));
  const where = process.env[SOFTWARE] === '1' ? 'cpu' : 'cuda';
  const specs: ContestantSpec[] = [];
  let missing: readonly MissingPeer[] = [];
  for (const precision of PRECISIONS) {
    const titled = (label: string) => `${label}, ${precision}`;
    for (const device of devices) {
      specs.push({
        label: titled(`ours on ${device}`),
        role: 'ours',
        command: ours.command,
        args: [...ours.args, ...serveArgs(options.threads, task.warmup), ...task.args],
        env: { GIBBS_DEVICE: device, GIBBS_EXECUTOR: 'onnx', GIBBS_PRECISION: precision },
      });
    }
    const peers = await pythonPeers(
      {
        torch: new URL(task.peer, import.meta.url),
        compile: true,
        args: [...task.args, '--device', where, '--precision', precision],
        warmup: task.warmup,
      },
      options,
    );
    const named = peers.specs.map((spec) => ({ ...spec, label: titled(spec.label) }));
    specs.push(...named.filter(({ label }) => options.wanted(label)));
    missing = peers.missing;
  }
  const iters = options.quick ? Math.ceil(task.iters / 2) : task.iters;
  const { rounds, onProgress } = options;
  const entries = await runRounds(specs, { rounds, iters, onProgress });
  return {
    rows: rowsOf(task, entries, options.threads),
    text: tableOf(task, entries, missing, card),
    contestants: entries.map(({ spec, introduction, timings, error }) => ({
      ...{ task: task.name, card, label: spec.label, role: spec.role, ...introduction, error },
      rounds: timings.map((timing) => timing ?? null),
    })),
    complete: entries.some(({ spec, error }) => spec.role === 'ours' && error === undefined),
  };
}

const wallsOf = ({ timings }: Entry) => timings.map((timing) => timing?.wallMs);
const wallOf = (entry: Entry) => median(wallsOf(entry).filter((wall) => wall !== undefined));
/** By the label, as `measure` has made it. */
const precisionOf = ({ spec }: Entry): Precision =>
  PRECISIONS.find((name) => spec.label.endsWith(name)) ?? 'float32';
const ran = ({ error, introduction }: Entry) => error === undefined && introduction !== undefined;

/** Every way of ours against every peer of its precision, by elapsed time: the card's own. */
function rowsOf(task: Task, entries: readonly Entry[], threads: number): Row[] {
  const unit = 'wall-ms/iteration';
  return entries
    .filter((entry) => ran(entry) && entry.spec.role === 'ours')
    .flatMap((ours): Row[] => {
      const same = { name: `${task.name} (${ours.spec.label})`, unit, threads, ours: wallOf(ours) } as const; // biome-ignore format: one line
      const peers = entries.filter(
        (entry) =>
          ran(entry) && entry.spec.role === 'peer' && precisionOf(entry) === precisionOf(ours),
      );
      if (peers.length === 0) return [{ ...same, peer: null, peerName: '', ratio: null }];
      return peers.map((peer) => ({
        ...same,
        peer: wallOf(peer),
        peerName: peer.introduction!.name,
        ratio: pairedRatio(wallsOf(ours), wallsOf(peer)).median,
      }));
    });
}

/** Times, and what share of the card's peak our count of operations makes them. */
function tableOf(
  task: Task,
  entries: readonly Entry[],
  missing: readonly MissingPeer[],
  card: string,
): string {
  const flops = entries.map(({ introduction }) => introduction?.flops).find((n) => n !== undefined);
  const peaks = PEAKS.find(([name]) => name.test(card))?.[1];
  const lines = entries.map((entry) => {
    if (!ran(entry)) return `  ${entry.spec.label}: ${entry.error ?? 'did not start'}`;
    const wall = wallOf(entry);
    const peak = peaks?.[precisionOf(entry)];
    const speed = flops === undefined ? undefined : flops / wall / 1e9;
    const share = speed === undefined || peak === undefined ? '' : `, ${((100 * speed) / peak).toFixed(1)} % of ${peak}`; // biome-ignore format: one line
    const rate = speed === undefined ? '' : `, ${speed.toPrecision(3)} TFLOP/s${share}`;
    return `  ${entry.spec.label}: ${wall.toPrecision(4)} wall-ms${rate}`;
  });
  const absent = missing.map(({ label, hint }) => `  ${label}: ${hint}`);
  return [task.name, ...lines, ...absent].join('\n');
}
