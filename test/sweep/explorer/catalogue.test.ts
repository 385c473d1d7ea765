import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Catalogue, type CatalogueChange } from '../../../src/sweep/explorer/catalogue.ts';
import { type RunRecord, statusOf } from '../../../src/train/store/record.ts';
import { RunStore } from '../../../src/train/store/run-store.ts';
import { StoreRun } from '../../../src/train/store/store-run.ts';
import { identityOf, sampleRun } from '../../train/store/sample.ts';

let place: string;
let heard: CatalogueChange[];
let catalogue: Catalogue;
beforeEach(() => {
  place = join(mkdtempSync(join(tmpdir(), 'gibbs-catalogue-')), 'runs');
  heard = [];
  catalogue = new Catalogue(place);
  catalogue.onChange((change) => heard.push(change));
});
afterEach(() => rmSync(join(place, '..'), { recursive: true, force: true }));

const keysOf = (change: CatalogueChange) => change.changed.map(({ key }) => key);

/** Field 22 of /proc/pid/stat: when the process started. */
function startOf(pid: number): string {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
}

describe('the catalogue of a store', () => {
  it('waits for a store, makes none, and takes in what comes', async () => {
    catalogue.refresh();
    expect(catalogue.store).toBeUndefined();
    expect(RunStore.find(place)).toBeUndefined();
    const store = RunStore.open(place);
    catalogue.refresh();
    expect(heard).toEqual([{ exists: true, changed: [], removed: [] }]);
    const keys = [0, 1].map((seed) => sampleRun(store, seed).key);
    catalogue.refresh();
    expect(keysOf(heard[1]).sort()).toEqual([...keys].sort());
    catalogue.refresh();
    expect(heard).toHaveLength(2);
    sampleRun(store, 2);
    catalogue.refresh();
    expect(keysOf(heard[2])).toHaveLength(1);
    expect(catalogue.records().map(({ seed }) => seed)).toEqual([0, 1, 2]);
    await store.database.close();
  });

  it('notices a process that is killed, which writes nothing', async () => {
    const store = RunStore.open(place);
    const run = StoreRun.open(store, identityOf(1));
    const other = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)']);
    const pid = other.pid as number;
    store.update(run.key, (record) => ({
      ...(record as RunRecord),
      owner: { pid, host: hostname(), start: startOf(pid), token: '', since: '' },
    }));
    catalogue.refresh();
    expect(heard.at(-1)?.changed.map(statusOf)).toEqual(['running']);
    const gone = new Promise((done) => other.on('exit', done));
    other.kill('SIGKILL');
    await gone;
    const { change } = store.changes();
    catalogue.refresh();
    expect(heard.at(-1)?.changed.map(statusOf)).toEqual(['dead']);
    expect(store.changes(change).keys).toEqual([]);
    const told = heard.length;
    catalogue.refresh();
    expect(heard).toHaveLength(told);
    await store.database.close();
  });

  it('says that the store is gone, and finds one made anew at the same place', async () => {
    const { key } = sampleRun(RunStore.open(place), 0);
    catalogue.refresh();
    rmSync(place, { recursive: true });
    catalogue.refresh();
    expect(heard.at(-1)).toEqual({ exists: false, changed: [], removed: [key] });
    expect(catalogue.records()).toEqual([]);
    await new Promise((done) => setTimeout(done, 50));
    const anew = RunStore.open(place);
    const { key: second } = sampleRun(anew, 5);
    catalogue.refresh();
    expect(keysOf(heard.at(-1) as CatalogueChange)).toEqual([second]);
    await anew.database.close();
  });

  it('names an entry that is damaged and shows the others', async () => {
    const before = RunStore.open(place);
    const [bad, good] = [0, 1].map((seed) => sampleRun(before, seed).key);
    await before.database.close();
    const path = join(place, 'runs.mdb');
    const bytes = readFileSync(path);
    for (let at = bytes.indexOf(`"key":"${bad}"`); at >= 0; ) {
      bytes.write('KEY', at + 1, 'latin1');
      at = bytes.indexOf(`"key":"${bad}"`, at);
    }
    writeFileSync(path, bytes);
    catalogue.refresh();
    const store = catalogue.store as RunStore;
    expect(catalogue.records().map(({ key }) => key)).toEqual([good]);
    expect(catalogue.problems).toEqual([expect.stringContaining(bad)]);
    await store.database.close();
  });
});
