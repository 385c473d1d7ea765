import { timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';

/** A request that passed, without the token. */
export interface Admitted {
  /** e.g. `api/runs`; empty for the page itself. */
  readonly path: string;
  readonly query: URLSearchParams;
}

export interface Refused {
  readonly status: number;
  /** One line, shown as it is. */
  readonly reason: string;
}

/** Names under which a browser on this machine, or behind an SSH tunnel, asks for the page. */
const HOSTS: readonly string[] = ['127.0.0.1', 'localhost', '[::1]'];

/**
 * Whether a request may be answered. The first part of its path must be the token, which only who
 * was given the address knows. The host it names must be this machine: a page of another site whose
 * name is made to point here (DNS rebinding) names its own. The port may be any, for SSH tunnels.
 */
export function admit(request: IncomingMessage, token: string): Admitted | Refused {
  const host = request.headers.host ?? '';
  if (!HOSTS.includes(host.replace(/:\d+$/, ''))) {
    return refused(403, `this server answers to ${HOSTS[0]} and ${HOSTS[1]}, not to '${host}'`);
  }
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    return refused(405, `${request.method} is not understood: the explorer only reads`);
  }
  const url = parsed(request.url ?? '/');
  if (!url) return refused(400, 'the address of the request is malformed');
  const [, given = '', ...rest] = url.pathname.split('/');
  if (!sameText(given, token)) {
    return refused(
      403,
      'the token in the address is missing or wrong; open the address that gibbs view printed',
    );
  }
  if (rest.length === 0) {
    return refused(404, 'the address ends with a slash; open it as gibbs view printed it');
  }
  return { path: rest.join('/'), query: url.searchParams };
}

function refused(status: number, reason: string): Refused {
  return { status, reason };
}

function parsed(url: string): URL | undefined {
  try {
    return new URL(url, 'http://localhost');
  } catch {
    return undefined;
  }
}

function sameText(a: string, b: string): boolean {
  const [x, y] = [Buffer.from(a), Buffer.from(b)];
  return x.length === y.length && timingSafeEqual(x, y);
}
