import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { ConfigError, DataError, GibbsError } from '../../core/errors.ts';
import { toReadError } from '../../core/files.ts';
import type { HostTensor } from '../../core/host-tensor.ts';
import { gibbsVersion } from '../../core/versions.ts';
import { parseCondition } from '../../train/store/query.ts';
import type { RunRecord } from '../../train/store/record.ts';
import type { RunStore } from '../../train/store/run-store.ts';
import { comparison, detailsOf, summaryOf } from '../../train/store/summary.ts';
import type { Catalogue } from './catalogue.ts';
import { type CellKind, cellCode, isCellKind } from './cell-code.ts';
import type {
  WireArray,
  WireCell,
  WireComparison,
  WireDetails,
  WireFile,
  WireFilter,
  WireRuns,
  WireSeries,
} from './wire.ts';

/** A file's or an array's bytes. */
export interface Bytes {
  readonly type: string;
  readonly body: Uint8Array;
}

/** Answers a question about the store: plain JSON, or bytes. */
type Route = (catalogue: Catalogue, query: URLSearchParams) => Promise<object> | object | Bytes;

/** There is nothing of that name. */
export class NotFoundError extends GibbsError {
  constructor(message: string) {
    super('not-found', message);
  }
}

/** More at once would be more curves than eyes can follow. */
const MOST_COMPARED = 64;

/** By address, below `api/`. */
export const ROUTES: Readonly<Record<string, Route>> = {
  runs: (catalogue): WireRuns => ({
    place: catalogue.place,
    exists: catalogue.store !== undefined,
    runs: catalogue.records().map(summaryOf),
    problems: catalogue.problems,
    version: gibbsVersion(),
  }),

  filter: (catalogue, query): WireFilter => {
    const where = query.getAll('where').map(parseCondition);
    return { keys: catalogue.filter(where).map(({ key }) => key) };
  },

  run: (catalogue, query): WireDetails => {
    const { store, record } = asked(catalogue, query);
    const { arrays, problem } = arraysOf(store, record);
    const details = detailsOf(store, record, false);
    return {
      ...details,
      best: details.best ?? null,
      files: Object.entries(record.files).map(([name, { bytes }]) => ({ name, bytes })),
      checkpoints: sized(store.folder(record), details.checkpoints),
      arrays: Object.entries(arrays).map(([name, { shape }]): WireArray => ({ name, shape })),
      arraysProblem: problem,
    };
  },

  series: (catalogue, query): WireSeries => {
    const { store, record } = asked(catalogue, query);
    const after = Number(query.get('after') ?? -1);
    if (!Number.isInteger(after)) throw new ConfigError('after must be an iteration');
    return { rows: store.metrics(record.key, after) };
  },

  array: (catalogue, query): Bytes => {
    const { store, record } = asked(catalogue, query);
    const name = query.get('name') ?? '';
    const arrays = store.arrays(record.key);
    if (!Object.hasOwn(arrays, name)) {
      throw new NotFoundError(`run ${record.key} has no array '${name}'`);
    }
    const { buffer, byteOffset, byteLength } = Float32Array.from(arrays[name].data);
    return {
      type: 'application/octet-stream',
      body: new Uint8Array(buffer, byteOffset, byteLength),
    };
  },

  picture: (catalogue, query): Bytes => {
    const { store, record } = asked(catalogue, query);
    const name = query.get('name') ?? '';
    const extension = /\.(png|svg)$/.exec(name)?.[1];
    if (extension === undefined || !Object.hasOwn(record.files, name)) {
      throw new NotFoundError(`run ${record.key} has no picture '${name}'`);
    }
    const path = join(store.folder(record), name);
    const type = extension === 'png' ? 'image/png' : 'image/svg+xml';
    try {
      return { type, body: readFileSync(path) };
    } catch (error) {
      throw toReadError(error, path);
    }
  },

  compare: (catalogue, query): WireComparison => {
    const { store, records } = askedFor(catalogue, query);
    return { rows: comparison(store, records) };
  },

  cell: (catalogue, query): Promise<WireCell> => {
    const kind = query.get('kind') ?? '';
    if (!isCellKind(kind)) throw new ConfigError(`kind must be open or rerun, got '${kind}'`);
    const { store, records } = askedFor(catalogue, query);
    return cellCode(kind satisfies CellKind, store.place, records);
  },
};

function asked(catalogue: Catalogue, query: URLSearchParams) {
  const key = query.get('key');
  if (key === null) throw new ConfigError('key is missing');
  const { store } = catalogue;
  const record = catalogue.get(key);
  if (!store || !record) {
    throw new NotFoundError(`there is no run '${key}' in ${catalogue.place} (any more)`);
  }
  return { store, record };
}

function askedFor(catalogue: Catalogue, query: URLSearchParams) {
  const keys = query.getAll('key');
  if (keys.length === 0) throw new ConfigError('key is missing');
  if (keys.length > MOST_COMPARED) {
    throw new ConfigError(`at most ${MOST_COMPARED} runs at once, got ${keys.length}`);
  }
  const found = keys.map((key) => asked(catalogue, new URLSearchParams({ key })));
  return { store: found[0].store, records: found.map(({ record }) => record) };
}

function arraysOf(
  store: RunStore,
  record: RunRecord,
): { arrays: Readonly<Record<string, HostTensor>>; problem: string | null } {
  try {
    return { arrays: store.arrays(record.key), problem: null };
  } catch (error) {
    if (!(error instanceof DataError)) throw error;
    return { arrays: {}, problem: error.message };
  }
}

function sized(folder: string, names: readonly string[]): WireFile[] {
  return names.flatMap((name) => {
    const path = join(folder, name);
    // It may be removed by the run's own process at any moment.
    const found = existsSync(path) && statSync(path, { throwIfNoEntry: false });
    return found ? [{ name, bytes: found.size }] : [];
  });
}
