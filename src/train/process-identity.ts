import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';

/** A process, so that a later look can tell whether it still lives. */
export interface ProcessIdentity {
  readonly pid: number;
  readonly host: string;
  /** The process's start in clock ticks since boot: tells a reused pid. Empty where unknown. */
  readonly start: string;
}

export function thisProcess(): ProcessIdentity {
  return { pid: process.pid, host: hostname(), start: startOf(process.pid) };
}

/** Whether a process lives; one of another machine cannot be asked and counts as alive. */
export function isAlive(owner: ProcessIdentity): boolean {
  if (owner.host !== hostname()) return true;
  try {
    process.kill(owner.pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
  return owner.start === startOf(owner.pid);
}

/** ` on HOST` for a process of another machine. */
export function elsewhere(owner: ProcessIdentity): string {
  return owner.host === hostname() ? '' : ` on ${owner.host}`;
}

/** Fields 3 (state) and 22 (start) of /proc/pid/stat; the command before them may hold anything. */
function startOf(pid: number): string {
  let stat: string;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  } catch {
    return '';
  }
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const killedButNotYetReaped = fields[0] === 'Z';
  return killedButNotYetReaped ? 'ended' : (fields[19] ?? '');
}
