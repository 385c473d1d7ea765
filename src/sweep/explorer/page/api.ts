import type {
  WireArray,
  WireCell,
  WireChange,
  WireComparison,
  WireDetails,
  WireError,
  WireFilter,
  WireRuns,
  WireSeries,
} from '../wire.ts';

/** Questions to the server. Addresses are relative, and so carry the token. */

/** The server said no, and why. */
export class ServerError extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

async function ask(name: string, query: readonly (readonly [string, string])[]): Promise<Response> {
  const search = new URLSearchParams(query.map(([key, value]) => [key, value]));
  let response: Response;
  try {
    response = await fetch(`api/${name}?${search}`);
  } catch {
    throw new ServerError(0, 'gibbs view does not answer; was it stopped?');
  }
  if (response.ok) return response;
  const body = (await response.json().catch(() => ({}))) as Partial<WireError>;
  throw new ServerError(response.status, body.error ?? `the server answered ${response.status}`);
}

async function json<T>(
  name: string,
  query: readonly (readonly [string, string])[] = [],
): Promise<T> {
  return (await ask(name, query)).json() as Promise<T>;
}

const keyed = (keys: readonly string[]) => keys.map((key) => ['key', key] as const);

export const api = {
  runs: () => json<WireRuns>('runs'),
  filter: (where: readonly string[]) =>
    json<WireFilter>(
      'filter',
      where.map((condition) => ['where', condition] as const),
    ),
  run: (key: string) => json<WireDetails>('run', keyed([key])),
  series: (key: string, after: number) =>
    json<WireSeries>('series', [
      ['key', key],
      ['after', String(after)],
    ]),
  compare: (keys: readonly string[]) => json<WireComparison>('compare', keyed(keys)),
  cell: (kind: 'open' | 'rerun', keys: readonly string[]) =>
    json<WireCell>('cell', [['kind', kind], ...keyed(keys)]),
  array: async (key: string, { name }: WireArray): Promise<Float32Array> => {
    const response = await ask('array', [
      ['key', key],
      ['name', name],
    ]);
    return new Float32Array(await response.arrayBuffer());
  },
  pictureUrl: (key: string, name: string) => `api/picture?${new URLSearchParams({ key, name })}`,
};

export interface Followed {
  onHello(): void;
  onChange(change: WireChange): void;
  onTrouble(message: string): void;
  /** The server ended on purpose. */
  onBye(): void;
  /** The connection is lost; the browser tries again on its own. */
  onLost(): void;
}

/** Follows the store for as long as the page lives; a hidden page lets go meanwhile. */
export function follow(told: Followed): void {
  let source: EventSource | undefined;
  let ended = false;
  const start = () => {
    if (source || ended) return;
    source = new EventSource('api/events');
    const on = (name: string, listen: (data: string) => void) =>
      source?.addEventListener(name, (event) => listen((event as MessageEvent<string>).data));
    on('hello', () => told.onHello());
    on('runs', (data) => told.onChange(JSON.parse(data) as WireChange));
    on('trouble', (data) => told.onTrouble((JSON.parse(data) as WireError).error));
    on('bye', () => {
      ended = true;
      stop();
      told.onBye();
    });
    source.addEventListener('error', () => {
      if (!ended) told.onLost();
      // The browser gives up on an answer that is no stream, e.g. from another server on this port.
      if (source?.readyState === EventSource.CLOSED) {
        source = undefined;
        setTimeout(start, 2000);
      }
    });
  };
  const stop = () => {
    source?.close();
    source = undefined;
  };
  // Browsers allow six connections to a server: pages in the background leave them to the others.
  document.addEventListener('visibilitychange', () => (document.hidden ? stop() : start()));
  start();
}
