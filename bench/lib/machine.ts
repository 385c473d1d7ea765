import { execFileSync } from 'node:child_process';
import { arch, cpus, loadavg, platform, release, totalmem } from 'node:os';

export interface Machine {
  readonly cpu: string;
  readonly cpus: number;
  /** Vector extensions that decide how fast matrix products can be. */
  readonly vectors: readonly string[];
  readonly memoryGiB: number;
  readonly platform: string;
  readonly node: string;
  /** Of the last minute, before the bench: above 0 others are using the machine. */
  readonly load: number;
}

export function describeMachine(): Machine {
  return {
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cpus: cpus().length,
    vectors: vectorExtensions(),
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    platform: `${platform()} ${release()} ${arch()}`,
    node: process.version,
    load: Number(loadavg()[0].toFixed(2)),
  };
}

function vectorExtensions(): string[] {
  try {
    const flags = execFileSync('lscpu', { encoding: 'utf8' }).match(/^Flags:\s*(.*)$/m)?.[1] ?? '';
    const known = ['avx2', 'fma', 'avx512f', 'avx512_bf16', 'amx_tile'];
    return flags.split(/\s+/).filter((flag) => known.includes(flag));
  } catch {
    return [];
  }
}
