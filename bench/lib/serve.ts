import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import type { Introduction, Timing } from './bench.ts';

/** What a contestant written in TypeScript provides. */
export interface Program<Noise> {
  readonly name: string;
  readonly versions: Readonly<Record<string, string>>;
  /** Data and noise of the next iteration. */
  draw(): Noise;
  step(noise: Noise): void;
  /** Waits until a device has done what the steps began. */
  finish?(): void;
  /** Floating-point operations of one step, if they were counted. */
  readonly flops?: number;
}

export interface ServeOptions {
  readonly threads: number;
  /** Values of further `--name value` options. */
  readonly rest: Readonly<Record<string, string | undefined>>;
}

/**
 * Runs a contestant: with `--serve` by the line protocol of `Contestant`, without it once, printing
 * one line. The counterpart of peers/driver.py.
 * @param further names of options of its own
 */
export async function serve<Noise>(
  build: (options: ServeOptions) => Program<Noise> | Promise<Program<Noise>>,
  further: readonly string[] = [],
): Promise<void> {
  const { values } = parseArgs({
    options: {
      serve: { type: 'boolean' },
      json: { type: 'boolean' },
      iters: { type: 'string', default: '200' },
      warmup: { type: 'string', default: '20' },
      threads: { type: 'string', default: '1' },
      ...Object.fromEntries(further.map((name) => [name, { type: 'string' as const }])),
    },
  });
  const threads = Number(values.threads);
  const begin = performance.now();
  const rest = values as unknown as Record<string, string | undefined>;
  const program = await build({ threads, rest });
  for (let i = 0; i < Math.max(1, Number(values.warmup)); i++) program.step(program.draw());
  program.finish?.();
  const me: Introduction = {
    name: program.name,
    versions: program.versions,
    threads,
    warmupWallMs: performance.now() - begin,
    ...(program.flops !== undefined && { flops: program.flops }),
  };
  if (!values.serve) {
    const timing = timed(program, Number(values.iters));
    reply(values.json ? { ...me, ...timing } : `${me.name}: ${JSON.stringify(timing)}`);
    return;
  }
  reply(me);
  for await (const line of createInterface({ input: process.stdin })) {
    const [, iters] = /^run (\d+)$/.exec(line.trim()) ?? [];
    if (iters === undefined) {
      if (line.trim() === 'quit') break;
      throw new Error(`expected 'run N' or 'quit', got '${line}'`);
    }
    reply(timed(program, Number(iters)));
  }
  process.exit(0); // worker pools must not keep a finished contestant alive
}

function timed<Noise>(program: Program<Noise>, iters: number): Timing {
  let drawn = 0;
  const cpu = cpuMs();
  const wall = performance.now();
  for (let i = 0; i < iters; i++) {
    const before = cpuMs();
    const noise = program.draw();
    drawn += cpuMs() - before;
    program.step(noise);
  }
  program.finish?.();
  return {
    iters,
    cpuMs: (cpuMs() - cpu) / iters,
    wallMs: (performance.now() - wall) / iters,
    drawCpuMs: drawn / iters,
    peakMb: process.resourceUsage().maxRSS / 1024,
  };
}

/** User and system time of all threads of this process. */
function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

function reply(value: unknown): void {
  process.stdout.write(`${typeof value === 'string' ? value : JSON.stringify(value)}\n`);
}
