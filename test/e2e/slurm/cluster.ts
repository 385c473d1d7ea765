import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { hostname, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

/** Slurm of this test alone: one controller and one node of two cores, on this machine. */
export interface Cluster {
  /** For every command of Slurm. */
  readonly env: Readonly<Record<string, string>>;
  stop(): Promise<void>;
}

/** Why there can be no cluster here; undefined when there can be one. */
export function missingSlurm(): string | undefined {
  if (process.platform !== 'linux') return 'Slurm runs on Linux only';
  if (process.getuid?.() !== 0) return 'slurmd must be started as root';
  const script = resolve(import.meta.dirname, 'install.sh');
  const { status, stderr } = spawnSync('bash', [script], { encoding: 'utf8', timeout: 300_000 });
  if (status === 0) return undefined;
  const [why = ''] = stderr.trim().split('\n').slice(-1);
  return `install Slurm first: apt-get install slurmctld slurmd slurm-client munge (${why})`;
}

/** Starts Munge, slurmctld and slurmd with files and ports of their own, and waits for the node. */
export async function startCluster(): Promise<Cluster> {
  const folder = mkdtempSync(join(tmpdir(), 'gibbs-slurm-'));
  for (const name of ['state', 'spool']) mkdirSync(join(folder, name));
  const key = join(folder, 'munge.key');
  writeFileSync(key, randomBytes(1024), { mode: 0o600 });
  const conf = join(folder, 'slurm.conf');
  writeFileSync(conf, configuration(folder, await freePort(), await freePort()));
  const env = { SLURM_CONF: conf };
  const children: ChildProcess[] = [];
  const start = (command: string, ...args: string[]) => {
    const log = openSync(join(folder, `${command}.log`), 'w');
    const child = spawn(command, args, {
      env: { ...process.env, ...env },
      stdio: ['ignore', log, log],
    });
    closeSync(log);
    children.push(child);
  };
  const socket = join(folder, 'munge.socket');
  const munge = ['log', 'pid', 'seed'].map(
    (name) => `--${name}-file=${join(folder, `munge.${name}`)}`,
  );
  start('munged', '--foreground', '--force', `--socket=${socket}`, `--key-file=${key}`, ...munge);
  start('slurmctld', '-D', '-f', conf);
  start('slurmd', '-D', '-f', conf);
  const stop = async () => {
    for (const child of children.reverse()) {
      const ended = new Promise((done) => child.on('close', done));
      if (child.exitCode === null && child.kill('SIGTERM')) await ended;
    }
    rmSync(folder, { recursive: true, force: true });
  };
  for (let tries = 0; tries < 240; tries++) {
    const { stdout } = spawnSync('sinfo', ['--noheader', '--format=%T'], {
      env: { ...process.env, ...env },
      encoding: 'utf8',
    });
    if (stdout.trim() === 'idle') return { env, stop };
    await new Promise((done) => setTimeout(done, 500));
  }
  const said = readFileSync(join(folder, 'slurmctld.log'), 'utf8').slice(-2000);
  await stop();
  throw new Error(`the node did not become idle; slurmctld says:\n${said}`);
}

function configuration(folder: string, controller: number, node: number): string {
  const host = hostname().split('.')[0];
  return [
    'ClusterName=gibbs',
    `SlurmctldHost=${host}(127.0.0.1)`,
    'SlurmUser=root',
    `SlurmctldPort=${controller}`,
    `SlurmdPort=${node}`,
    'AuthType=auth/munge',
    `AuthInfo=socket=${join(folder, 'munge.socket')}`,
    `StateSaveLocation=${join(folder, 'state')}`,
    `SlurmdSpoolDir=${join(folder, 'spool')}`,
    `SlurmctldPidFile=${join(folder, 'slurmctld.pid')}`,
    `SlurmdPidFile=${join(folder, 'slurmd.pid')}`,
    'ProctrackType=proctrack/linuxproc',
    'TaskPlugin=task/none',
    'SelectType=select/cons_tres',
    'SelectTypeParameters=CR_Core',
    'AccountingStorageType=accounting_storage/none',
    'JobAcctGatherType=jobacct_gather/none',
    'MpiDefault=none',
    'ReturnToService=2',
    'SchedulerParameters=batch_sched_delay=0,sched_interval=2',
    `NodeName=${host} NodeAddr=127.0.0.1 CPUs=2 RealMemory=6000 State=UNKNOWN`,
    'PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP',
    '',
  ].join('\n');
}

function freePort(): Promise<number> {
  return new Promise((done) => {
    const server = createServer();
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number };
      server.close(() => done(port));
    });
  });
}
