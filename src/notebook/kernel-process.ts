import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { StoreError } from '../core/errors.ts';
import { programFile } from '../kernel/program.ts';
import type { ConnectionInfo } from '../kernel/protocol/connection.ts';

/** A kernel process of our own, and how to reach it. */
export interface KernelProcess {
  readonly connection: ConnectionInfo;
  /** Resolves with the reason when the process has ended. */
  readonly ended: Promise<string>;
  /** Ends the process by force if it still runs, and removes its connection file. */
  dispose(): Promise<void>;
}

/** Longer paths of sockets the operating systems refuse (104 bytes on macOS, with the port). */
const MAX_SOCKET_PATH = 96;

/** The end of what a kernel wrote to stderr, kept for the report of its death. */
const STDERR_TAIL = 4000;

/** Starts a kernel on a fresh connection file, which only this user can read. */
export async function startKernelProcess(
  cwd: string,
  command: readonly string[] = kernelCommand(),
): Promise<KernelProcess> {
  const folder = mkdtempSync(join(tmpdir(), 'gibbs-run-'));
  const connection = await freshConnection(folder);
  const file = join(folder, 'connection.json');
  writeFileSync(file, JSON.stringify(connection), { mode: 0o600 });
  const [program, ...args] = command.map((part) => (part === CONNECTION_FILE ? file : part));
  // Kernels watch this process, as under Jupyter, and end when it is gone.
  const env = { ...process.env, JPY_PARENT_PID: String(process.pid) };
  const child = spawn(program, args, { cwd, env, stdio: ['ignore', 'ignore', 'pipe'] });
  let stderr = '';
  child.stderr?.setEncoding('utf8').on('data', (chunk: string) => {
    stderr = (stderr + chunk).slice(-STDERR_TAIL);
  });
  const ended = new Promise<string>((resolve) => {
    child.once('error', (error) => resolve(`it could not be started: ${error.message}`));
    child.once('close', (code, signal) => {
      const how = signal ? `it was ended by ${signal}` : `it exited with code ${code}`;
      const said = stderr.trim();
      resolve(said === '' ? how : `${how}, its last words:\n${said}`);
    });
  });
  const dispose = async () => {
    await kill(child, ended);
    rmSync(folder, { recursive: true, force: true });
  };
  return { connection, ended, dispose };
}

/** Stands for the path of the connection file in a kernel command, as in a kernelspec. */
export const CONNECTION_FILE = '{connection_file}';

/**
 * The command line of this package's own kernel, as it is built: its threads need JavaScript.
 * @throws StoreError when it is not built.
 */
export function kernelCommand(): string[] {
  const here = import.meta.url;
  const built = here.endsWith('.ts') ? new URL('../../dist/notebook/', here).href : here;
  const main = programFile('../kernel/main', built);
  if (existsSync(main)) return [process.execPath, main, CONNECTION_FILE];
  throw new StoreError(`notebook run: ${main} is missing; build it first with \`npm run build\``);
}

async function kill(child: ChildProcess, ended: Promise<string>): Promise<void> {
  if (child.exitCode === null && child.signalCode === null && child.pid !== undefined) {
    child.kill('SIGKILL');
    await ended;
  }
}

async function freshConnection(folder: string): Promise<ConnectionInfo> {
  const key = randomBytes(32).toString('hex');
  const base = { key, signature_scheme: 'hmac-sha256' };
  const ip = join(folder, 'socket');
  if (process.platform !== 'win32' && ip.length < MAX_SOCKET_PATH) {
    // Sockets in a folder of our own: no port that someone else may take in the meantime.
    return { ...base, transport: 'ipc', ip, ...ports([1, 2, 3, 4, 5]) };
  }
  return { ...base, transport: 'tcp', ip: '127.0.0.1', ...ports(await freePorts(5)) };
}

function ports(five: readonly number[]) {
  const [shell_port, control_port, iopub_port, stdin_port, hb_port] = five;
  return { shell_port, control_port, iopub_port, stdin_port, hb_port };
}

/** Ports that nobody listens on, all held at once so that they differ. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer());
  const listening = (server: Server) =>
    new Promise<number>((resolve, reject) => {
      server.once('error', reject);
      server.listen(0, '127.0.0.1', () => {
        const address = server.address();
        resolve(typeof address === 'object' && address !== null ? address.port : 0);
      });
    });
  const found = await Promise.all(servers.map(listening));
  await Promise.all(servers.map((s) => new Promise((resolve) => s.close(resolve))));
  return found;
}
