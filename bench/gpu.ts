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
  /** Whether the peer takes --compile. */
  readonly compiles: boolean;
  readonly warmup: number;
  readonly iters: number;
}

const ncsnpp = (width: number): Task => ({
  name: `gpu-ncsnpp-${width}`,
  ours: 'ours/image-task.ts',
  peer: 'peers/ncsnpp.py',
  args: ['--task', 'step', '--width', String(width), '--batch', '32'],
  compiles: false,
  warmup: 3,
  iters: 5,
});

const TOY: Task = { name: 'gpu-toy-step', ours: 'ours/toy-step.ts', peer: 'peers/toy_step.py', args: [], compiles: true, warmup: 50, iters: 100 }; // biome-ignore format: one line
const NICE: Task = { name: 'gpu-nice-ddaebm', ours: 'ours/nice-step.ts', peer: 'peers/nice.py', args: ['--method', 'ddaebm'], compiles: false, warmup: 10, iters: 20 }; // biome-ignore format: one line
const TASKS: readonly Task[] = [TOY, NICE, ncsnpp(32), ncsnpp(64), ncsnpp(128)];

/** Peak of float32 arithmetic without tensor cores, in TFLOP/s, by the makers' data sheets. */
const PEAKS: readonly (readonly [RegExp, number])[] = [
  [/H100 PCIe/, 51],
  [/H100|H200/, 67],
  [/A100/, 19.5],
  [/V100/, 15.7],
  [/L40S/, 91.6],
  [/RTX 4090/, 82.6],
  [/RTX 3090/, 35.6],
  [/\bA10\b/, 31.2],
  [/\bL4\b/, 30.3],
  [/\bT4\b/, 8.1],
];

/** Lets the bench run on a driver without a card, to see that it works; its times mean nothing. */
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
  const peers = await pythonPeers(
    {
      torch: new URL(task.peer, import.meta.url),
      compile: task.compiles,
      args: [...task.args, '--device', 'cuda'],
      warmup: task.warmup,
    },
    options,
  );
  const mine = devices.map(
    (device): ContestantSpec => ({
      label: `ours on ${device}`,
      role: 'ours',
      command: ours.command,
      args: [...ours.args, ...serveArgs(options.threads, task.warmup), ...task.args],
      env: { GIBBS_DEVICE: device, GIBBS_EXECUTOR: 'onnx' },
    }),
  );
  const specs = [...mine, ...peers.specs.filter(({ label }) => options.wanted(label))];
  const iters = options.quick ? Math.ceil(task.iters / 2) : task.iters;
  const { rounds, onProgress } = options;
  const entries = await runRounds(specs, { rounds, iters, onProgress });
  return {
    rows: rowsOf(task, entries, options.threads),
    text: tableOf(task, entries, peers.missing, card),
    contestants: entries.map(({ spec, introduction, timings, error }) => ({
      ...{ task: task.name, card, label: spec.label, role: spec.role, ...introduction, error },
      rounds: timings.map((timing) => timing ?? null),
    })),
    complete: entries.some(({ spec, error }) => spec.role === 'ours' && error === undefined),
  };
}

const wallsOf = ({ timings }: Entry) => timings.map((timing) => timing?.wallMs);
const wallOf = (entry: Entry) => median(wallsOf(entry).filter((wall) => wall !== undefined));
const ran = ({ error, introduction }: Entry) => error === undefined && introduction !== undefined;

/** Every way of ours against every peer, by elapsed time: the card's own. */
function rowsOf(task: Task, entries: readonly Entry[], threads: number): Row[] {
  const unit = 'wall-ms/iteration';
  return entries
    .filter((entry) => ran(entry) && entry.spec.role === 'ours')
    .flatMap((ours): Row[] => {
      const same = { name: `${task.name} (${ours.spec.label})`, unit, threads, ours: wallOf(ours) } as const; // biome-ignore format: one line
      const peers = entries.filter((entry) => ran(entry) && entry.spec.role === 'peer');
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
  const peak = PEAKS.find(([name]) => name.test(card))?.[1];
  const lines = entries.map((entry) => {
    if (!ran(entry)) return `  ${entry.spec.label}: ${entry.error ?? 'did not start'}`;
    const wall = wallOf(entry);
    const speed = flops === undefined ? undefined : flops / wall / 1e9;
    const share = speed === undefined || peak === undefined ? '' : `, ${((100 * speed) / peak).toFixed(1)} % of ${peak}`; // biome-ignore format: one line
    const rate = speed === undefined ? '' : `, ${speed.toPrecision(3)} TFLOP/s${share}`;
    return `  ${entry.spec.label}: ${wall.toPrecision(4)} wall-ms${rate}`;
  });
  const absent = missing.map(({ label, hint }) => `  ${label}: ${hint}`);
  return [task.name, ...lines, ...absent].join('\n');
}
