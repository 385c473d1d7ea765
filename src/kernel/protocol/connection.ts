import { readFileSync } from 'node:fs';
import { DataError } from '../../core/errors.ts';

/** The connection file that Jupyter writes and hands to the kernel. */
export interface ConnectionInfo {
  readonly transport: 'tcp' | 'ipc';
  readonly ip: string;
  readonly key: string;
  readonly signature_scheme: string;
  readonly shell_port: number;
  readonly control_port: number;
  readonly iopub_port: number;
  readonly stdin_port: number;
  readonly hb_port: number;
}

const PORTS = ['shell_port', 'control_port', 'iopub_port', 'stdin_port', 'hb_port'] as const;

/** @throws DataError when the file is missing, is not JSON or lacks a port. */
export function readConnectionFile(path: string): ConnectionInfo {
  let info: Record<string, unknown>;
  try {
    info = JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    throw new DataError(
      `kernel: cannot read the connection file ${path}: ${(error as Error).message}. ` +
        'Jupyter passes it; by hand, start `jupyter console --kernel gibbs` instead.',
    );
  }
  for (const port of PORTS) {
    if (typeof info[port] !== 'number') {
      throw new DataError(`kernel: connection file ${path} has no number '${port}'`);
    }
  }
  return {
    transport: info['transport'] === 'ipc' ? 'ipc' : 'tcp',
    ip: typeof info['ip'] === 'string' ? info['ip'] : '127.0.0.1',
    key: typeof info['key'] === 'string' ? info['key'] : '',
    signature_scheme:
      typeof info['signature_scheme'] === 'string' ? info['signature_scheme'] : 'hmac-sha256',
    ...(Object.fromEntries(PORTS.map((port) => [port, info[port]])) as Record<
      (typeof PORTS)[number],
      number
    >),
  };
}

/** The ZeroMQ address of one of the ports. */
export function addressOf(info: ConnectionInfo, port: number): string {
  return info.transport === 'ipc' ? `ipc://${info.ip}-${port}` : `tcp://${info.ip}:${port}`;
}
