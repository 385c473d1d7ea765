import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Explorer } from '../../../src/sweep/explorer/server.ts';
import type {
  WireChange,
  WireComparison,
  WireDetails,
  WireRuns,
} from '../../../src/sweep/explorer/wire.ts';
import { RunStore } from '../../../src/train/store/run-store.ts';
import { StoreRun } from '../../../src/train/store/store-run.ts';
import { identityOf, lossOf, sampleRun } from '../../train/store/sample.ts';
import { ask, Events, json } from './client.ts';
import { syntheticRuns } from './synthetic.ts';

let place: string;
let store: RunStore;
let keys: string[];
let explorer: Explorer;
beforeAll(async () => {
  place = mkdtempSync(join(tmpdir(), 'gibbs-view-'));
  store = RunStore.open(place);
  keys = ['kl', 'jeffreys'].map(
    (divergence, seed) => sampleRun(store, seed, { config: { objective: { divergence } } }).key,
  );
  explorer = await Explorer.start({ place });
});
afterAll(async () => {
  await explorer.close();
  await store.database.close();
  rmSync(place, { recursive: true, force: true });
});

const at = (path: string) => `${explorer.url}${path}`;
const withKey = (path: string, key: string) => at(`${path}?key=${encodeURIComponent(key)}`);

describe('who may ask', () => {
  it('listens on this machine only, at an address with a token of its own', async () => {
    const { hostname, pathname } = new URL(explorer.url);
    expect(hostname).toBe('127.0.0.1');
    expect(pathname).toMatch(/^\/[\w-]{22}\/$/);
    const other = await Explorer.start({ place });
    expect(new URL(other.url).pathname).not.toBe(pathname);
    await other.close();
  });

  it.each(['', 'api/runs', 'wrong/', 'wrong/api/runs', '../etc/passwd'])(
    'refuses /%s, without the token, in one line',
    async (path) => {
      const { status, body } = await ask(new URL(`/${path}`, explorer.url).href);
      expect(status).toBe(403);
      expect(body.toString()).toMatch(/^gibbs view: the token in the address [^\n]*\n$/);
    },
  );

  it('refuses a request that names another host, as one through a rebound name does', async () => {
    for (const host of ['evil.example', 'evil.example:80', '127.0.0.1.evil.example']) {
      const { status, body } = await ask(explorer.url, { headers: { Host: host } });
      expect(status, host).toBe(403);
      expect(body.toString()).toMatch(/^gibbs view: this server answers to 127\.0\.0\.1[^\n]*\n$/);
    }
    for (const host of ['localhost', '127.0.0.1:9000', '[::1]:9000']) {
      expect((await ask(explorer.url, { headers: { Host: host } })).status, host).toBe(200);
    }
  });

  it('only reads', async () => {
    const { status, body } = await ask(at('api/runs'), { method: 'POST' });
    expect(status).toBe(405);
    expect(body.toString()).toContain('POST');
  });

  it('says what else the port could be when it is taken', async () => {
    const taken = createServer();
    await new Promise<void>((done) => taken.listen(0, '127.0.0.1', done));
    const { port } = taken.address() as AddressInfo;
    await expect(Explorer.start({ place, port })).rejects.toThrow(/is taken; leave --port out/);
    taken.close();
  });
});

describe('the page', () => {
  it('is whole, and forbids everything from elsewhere', async () => {
    const { headers, body } = await ask(explorer.url);
    const html = body.toString();
    expect(headers['content-security-policy']).toMatch(/^default-src 'none';/);
    expect(headers['content-security-policy']).not.toMatch(/unsafe|https?:|\*/);
    expect(headers['referrer-policy']).toBe('no-referrer');
    expect(html).not.toMatch(/https?:|<script>|style=|\son\w+=/);
    const queue = [...html.matchAll(/(?:src|href)="([^"#]+)"/g)].map((match) => match[1]);
    const seen = new Set<string>();
    for (let name = queue.pop(); name !== undefined; name = queue.pop()) {
      if (seen.has(name)) continue;
      seen.add(name);
      const { status, body: content, headers: of } = await ask(at(name));
      expect(status, name).toBe(200);
      expect(of['x-content-type-options']).toBe('nosniff');
      if (name.endsWith('.js')) {
        const imports = content.toString().matchAll(/from ['"]\.\/([\w.-]+)['"]/g);
        for (const [, file] of imports) queue.push(file);
      }
      if (name.endsWith('.css')) {
        for (const [, file] of content.toString().matchAll(/url\("([^"]+)"\)/g)) queue.push(file);
      }
    }
    expect([...seen]).toEqual(
      expect.arrayContaining(['base.css', 'main.js', 'parallel.js', 'font-400.ttf', 'icon.svg']),
    );
  });

  it('is all that is served of the disk', async () => {
    for (const path of ['tsconfig.json', 'nothing.js', '..%2fserver.ts', 'page%2f..%2fserver.js']) {
      const { status, body } = await ask(at(path));
      expect(status, path).toBe(404);
      expect(JSON.parse(body.toString())).toEqual({ error: expect.stringContaining('no page') });
    }
  });
});

describe('questions about the store', () => {
  it('lists its runs', async () => {
    const listed = await json<WireRuns>(at('api/runs'));
    expect(listed).toMatchObject({ place, exists: true, problems: [] });
    expect(listed.runs).toMatchObject([
      { key: keys[0], status: 'finished', config: { objective: { divergence: 'kl' } } },
      { key: keys[1], seed: 1, metrics: { loss: lossOf(1, 3) } },
    ]);
  });

  it('filters with the grammar of gibbs runs ls', async () => {
    const found = async (...where: string[]) => {
      const query = new URLSearchParams(
        where.map((condition) => ['where', condition] as [string, string]),
      );
      return (await json<{ keys: string[] }>(at(`api/filter?${query}`))).keys;
    };
    expect(await found('objective.divergence=kl')).toEqual([keys[0]]);
    expect(await found(`metrics.loss<${lossOf(0, 3)}`)).toEqual([keys[1]]);
    expect(await found('objective.divergence=kl', 'seed=1')).toEqual([]);
  });

  it('shows a run: environment, series, arrays, files', async () => {
    const run = await json<WireDetails>(withKey('api/run', keys[1]));
    expect(run).toMatchObject({ key: keys[1], starts: 1, environment: { node: process.version } });
    expect(run.checkpoints.map(({ name }) => name)).toHaveLength(2);
    expect(run.checkpoints.every(({ bytes }) => bytes > 0)).toBe(true);
    expect(run.arrays).toEqual([{ name: 'samples', shape: [2] }]);
    const array = await ask(`${withKey('api/array', keys[1])}&name=samples`);
    const { buffer, byteOffset } = new Uint8Array(array.body);
    expect([...new Float32Array(buffer, byteOffset, 2)]).toEqual([1, 3]);
    const { rows } = await json<{ rows: unknown }>(`${withKey('api/series', keys[1])}&after=1`);
    expect(rows).toEqual([2, 3].map((step) => ({ step, loss: lossOf(1, step) })));
  });

  it('says what runs differ in', async () => {
    const query = new URLSearchParams(keys.map((key) => ['key', key] as [string, string]));
    const { rows } = await json<WireComparison>(at(`api/compare?${query}`));
    expect(rows).toContainEqual({ what: 'objective.divergence', values: ['kl', 'jeffreys'] });
    expect(rows.map(({ what }) => what)).not.toContain('experiment');
  });

  it.each<[string, number, RegExp]>([
    ['api/nothing', 404, /no 'api\/nothing'/],
    ['api/constructor', 404, /no 'api\/constructor'/],
    ['api/run', 400, /key is missing/],
    ['api/run?key=sample/none', 404, /no run 'sample\/none'/],
    ['api/run?key=../../etc', 404, /no run/],
    ['api/series?key=KEY&after=x', 400, /after must be an iteration/],
    ['api/array?key=KEY&name=none', 404, /no array 'none'/],
    ['api/array?key=KEY&name=__proto__', 404, /no array/],
    ['api/picture?key=KEY&name=arrays.safetensors', 404, /no picture/],
    ['api/picture?key=KEY&name=../../store.png', 404, /no picture/],
    ['api/filter?where=seed', 400, /PATH=VALUE/],
    ['api/filter?where=objective.diverge%3Dkl', 400, /did you mean 'objective.divergence'/],
    ['api/compare', 400, /key is missing/],
    [`api/compare?${'key=KEY&'.repeat(65)}`, 400, /at most 64/],
    ['api/cell?key=KEY&kind=other', 400, /open or rerun/],
  ])('answers %s with %i and a reason', async (path, status, reason) => {
    const answer = await ask(at(path.replaceAll('KEY', encodeURIComponent(keys[0]))));
    expect(answer.status).toBe(status);
    expect(JSON.parse(answer.body.toString()).error).toMatch(reason);
  });

  it('names arrays that are damaged, and shows the rest of the run', async () => {
    const { key, folder } = sampleRun(store, 9);
    writeFileSync(join(folder, 'arrays.safetensors'), 'no tensors');
    const run = await json<WireDetails>(withKey('api/run', key));
    expect(run.arraysProblem).toContain('arrays.safetensors');
    expect(run.arrays).toEqual([]);
    store.remove(key);
  });

  it('compresses a long listing', async () => {
    const many = mkdtempSync(join(tmpdir(), 'gibbs-view-many-'));
    const others = RunStore.open(many);
    const written = syntheticRuns(others, 300);
    const second = await Explorer.start({ place: many });
    const url = `${second.url}api/runs`;
    const { headers, body } = await ask(url, { headers: { 'Accept-Encoding': 'gzip' } });
    expect(headers['content-encoding']).toBe('gzip');
    const listed = JSON.parse(gunzipSync(body).toString()) as WireRuns;
    expect(listed.runs.map(({ key }) => key)).toEqual(written);
    expect(body.length).toBeLessThan((await ask(url)).body.length / 5);
    await second.close();
    await others.database.close();
    rmSync(many, { recursive: true, force: true });
  });
});

describe('events', () => {
  it('tell of a run that is begun, grows, ends and is removed, and of nothing else', async () => {
    const events = new Events(at('api/events'));
    await events.next('hello');
    const run = StoreRun.open(store, { ...identityOf(77), keep: 1 });
    const next = async () => (await events.next('runs')) as WireChange;
    expect(await next()).toMatchObject({ changed: [{ key: run.key, status: 'running' }] });
    run.log({ step: 5, loss: 1 });
    expect(await next()).toMatchObject({ changed: [{ key: run.key, step: 5 }], removed: [] });
    const { rows } = await json<{ rows: unknown }>(withKey('api/series', run.key));
    expect(rows).toEqual([{ step: 5, loss: 1 }]);
    run.finish({ metrics: { loss: 1 }, steps: 5 });
    expect(await next()).toMatchObject({ changed: [{ status: 'finished', metrics: { loss: 1 } }] });
    store.remove(run.key);
    expect(await next()).toMatchObject({ changed: [], removed: [run.key] });
    expect((await ask(withKey('api/run', run.key))).status).toBe(404);
    events.close();
  });

  it('say goodbye when the server ends', async () => {
    const second = await Explorer.start({ place });
    const events = new Events(`${second.url}api/events`);
    await events.next('hello');
    const closed = second.close();
    await events.next('bye');
    await closed;
    await expect(ask(second.url)).rejects.toThrow(/ECONNREFUSED/);
  });
});
