import type { Bench, Entry, MissingPeer } from './bench.ts';
import { pairedRatio, type Summary, summarise } from './statistics.ts';

/** One comparison; `ratio` = how many times faster ours is than the peer. */
export interface Row {
  readonly name: string;
  readonly unit: 'CPU-ms/iteration' | 'wall-ms/iteration' | 'wall-ms';
  readonly threads: number;
  /** null where ours, or the peer, failed: `fails` says how. `peer` also where a bench has none. */
  readonly ours: number | null;
  readonly peer: number | null;
  readonly peerName: string;
  readonly ratio: number | null;
  readonly fails?: string;
}

const CLOCKS = [
  ['CPU-ms/iteration', 'cpuMs'],
  ['wall-ms/iteration', 'wallMs'],
] as const;

type Clock = (typeof CLOCKS)[number][1] | 'drawCpuMs';

const samples = (entry: Entry, clock: Clock) => entry.timings.map((t) => t?.[clock]);

const summaryOf = (entry: Entry, clock: Clock) =>
  summarise(samples(entry, clock).filter((v) => v !== undefined));

const finished = (entry: Entry) => entry.error === undefined && entry.introduction !== undefined;

/**
 * Every peer that ran against ours, on both clocks, or ours alone in a bench without peers; empty
 * when ours did not run.
 */
export function rows(bench: Bench, entries: readonly Entry[], threads: number): Row[] {
  const ours = entries.find((e) => e.spec.role === 'ours');
  if (!ours || !finished(ours)) return [];
  const peers = entries.filter((e) => e.spec.role === 'peer' && finished(e));
  const alone = { peer: null, peerName: '', ratio: null };
  if (entries.every((e) => e.spec.role === 'ours')) {
    return CLOCKS.map(([unit, clock]) => {
      const median = round(summaryOf(ours, clock).median);
      return { name: bench.name, unit, threads, ours: median, ...alone };
    });
  }
  return CLOCKS.flatMap(([unit, clock]) =>
    peers.map((peer) => ({
      name: bench.name,
      unit,
      threads,
      ours: round(summaryOf(ours, clock).median),
      peer: round(summaryOf(peer, clock).median),
      peerName: peer.introduction!.name,
      ratio: round(pairedRatio(samples(ours, clock), samples(peer, clock)).median),
    })),
  );
}

/** The table for people: one line per contestant, then what is missing. */
export function table(
  bench: Bench,
  entries: readonly Entry[],
  missing: readonly MissingPeer[],
  threads: number,
): string {
  const ours = entries.find((e) => e.spec.role === 'ours' && finished(e));
  const head = [
    '',
    'CPU-ms/iteration',
    'wall-ms/iteration',
    'of which drawing',
    'start-up',
    'peak memory',
    'we are faster by (CPU)',
    '(wall)',
  ];
  const body = entries.map((entry) => {
    const { spec, introduction, error } = entry;
    const name = introduction?.name ?? spec.label;
    if (error !== undefined || !introduction) return [name, `did not run: ${error}`];
    const against = (clock: Clock) =>
      ours && entry !== ours
        ? withSpread(pairedRatio(samples(ours, clock), samples(entry, clock)), '×')
        : '';
    return [
      `${spec.role === 'ours' ? '* ' : '  '}${name}`,
      withSpread(summaryOf(entry, 'cpuMs')),
      withSpread(summaryOf(entry, 'wallMs')),
      short(summaryOf(entry, 'drawCpuMs').median),
      `${(introduction.warmupWallMs / 1000).toFixed(1)} s`,
      peakOf(entry),
      against('cpuMs'),
      against('wallMs'),
    ];
  });
  return [
    `${bench.name}: ${bench.title}, ${threads} thread${threads === 1 ? '' : 's'}`,
    ...aligned([head, ...body]),
    ...missing.map((m) => `  ${m.label}: ${m.hint}`),
    '',
  ].join('\n');
}

/** Of the whole process, the libraries and the compilation of the graph included. */
function peakOf({ timings }: Entry): string {
  const peaks = timings.map((t) => t?.peakMb).filter((v) => v !== undefined);
  return peaks.length === 0 ? '' : `${Math.max(...peaks).toFixed(0)} MiB`;
}

/** Columns padded to the widest cell; a line with fewer cells may run over. */
export function aligned(lines: readonly (readonly string[])[]): string[] {
  const full = lines.filter((l) => l.length === lines[0].length);
  const widths = lines[0].map((_, c) =>
    Math.max(...(c === 0 ? lines : full).map((l) => l[c].length)),
  );
  return lines.map((l) =>
    l
      .map((cell, c) => (c === 0 ? cell.padEnd(widths[c]) : cell.padStart(widths[c])))
      .join('  ')
      .trimEnd(),
  );
}

export function withSpread(s: Summary, unit = ''): string {
  if (Number.isNaN(s.median)) return '';
  return `${short(s.median)}${unit} (${short(s.min)}–${short(s.max)})`;
}

export function short(value: number): string {
  return value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2);
}

export function round(value: number): number {
  return Number(value.toPrecision(4));
}
