import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readNotebook } from '../../../src/notebook/read.ts';
import { parseCondition } from '../../../src/train/store/query.ts';
import { RunStore } from '../../../src/train/store/run-store.ts';
import { comparison } from '../../../src/train/store/summary.ts';
import { code, writeNotebook } from '../../notebook/fixtures.ts';
import { syntheticRuns } from '../../sweep/explorer/synthetic.ts';
import { build, gibbs, ROOT } from '../notebook/gibbs.ts';
import { Browser } from './browser.ts';
import { startView, startWriter, type Viewing } from './explorer.ts';

/** Without a browser only where somebody has said so: a silent skip would hide a broken page. */
const withoutBrowser = process.env['GIBBS_TEST_BROWSER'] === 'none';

/** Where the screenshots go, to be looked at; git ignores it. */
const PICTURES = join(ROOT, '.cache/view');

const RUNS = 5000;

let root: string;
let place: string;
let store: RunStore;
let trained: string[];
let view: Viewing;
let browser: Browser;

beforeAll(async () => {
  if (withoutBrowser) return;
  build();
  root = mkdtempSync(join(tmpdir(), 'gibbs-e2e-view-'));
  place = join(root, 'runs');
  store = RunStore.open(place);
  syntheticRuns(store, RUNS);
  // With their series this time.
  syntheticRuns(store, 40, { rows: 40 });
  for (const seed of ['0', '1']) {
    const { status, stderr } = await gibbs([
      'run',
      'toy',
      '--preset',
      'smoke',
      '--steps',
      '120',
      '--seed',
      seed,
      '--store',
      place,
    ]);
    if (status !== 0) throw new Error(stderr);
  }
  const where = [parseCondition('labels.preset=smoke')];
  trained = store.list({ where }).map(({ key }) => key);
  view = await startView(place);
  browser = await Browser.start();
  await browser.open(view.url);
  await browser.until("document.querySelectorAll('.row').length > 10");
});
afterAll(async () => {
  await browser?.close();
  view?.child.kill('SIGKILL');
  await store?.database.close();
  if (root) rmSync(root, { recursive: true, force: true });
});

const go = (hash: string) => browser.value(`void (location.hash = ${JSON.stringify(hash)})`);
const textOf = (css: string) =>
  browser.value<string>(`document.querySelector(${JSON.stringify(css)}).innerText`);
const countOf = async () =>
  Number((await textOf('.count')).split(/ of | runs?/)[0].replace(/\D/g, ''));
const runHref = (key: string) => `#/run/${encodeURIComponent(key)}`;
/** In both colour schemes. */
async function picture(name: string): Promise<void> {
  for (const scheme of ['dark', 'light'] as const) {
    await browser.colours(scheme);
    // Canvases are drawn again, in the colours of the scheme.
    await new Promise((done) => setTimeout(done, 400));
    await browser.screenshot(join(PICTURES, `${name}-${scheme}.png`));
  }
}

describe.skipIf(withoutBrowser)('gibbs view in a browser; GIBBS_TEST_BROWSER=none skips it', () => {
  it('lists 5000 runs with few of them in the document', async () => {
    expect(await countOf()).toBe(RUNS + 2);
    await picture('list');
    const rows = "document.querySelectorAll('.row').length";
    expect(await browser.value(rows)).toBeLessThan(80);
    await browser.value("void (document.querySelector('.table').scrollTop = 1e9)");
    await browser.until(`!!document.querySelector('[data-index="${RUNS + 1}"]')`);
    expect(await browser.value(rows)).toBeLessThan(80);
    await browser.value("void (document.querySelector('.table').scrollTop = 0)");
  });

  it('filters by the conditions of gibbs runs ls, by status and by words', async () => {
    const passing = (...where: string[]) =>
      store.list({ status: ['finished'], where: where.map(parseCondition) }).length;
    await browser.type('[name=where]', 'diffusion.T=4, metrics.gridKl<0.2\uE007');
    await browser.until("document.querySelectorAll('.chips li').length === 2");
    await browser.until(`/ of /.test(document.querySelector('.count').innerText)`);
    expect(await countOf()).toBe(passing('diffusion.T=4', 'metrics.gridKl<0.2'));
    await browser.type('[name=text]', 'divergence=jeffreys');
    const both = passing('diffusion.T=4', 'metrics.gridKl<0.2', 'objective.divergence=jeffreys');
    await browser.until(
      `document.querySelector('.count').innerText.replace(/ of.*|\\D/g, '') === '${both}'`,
    );
    await picture('filtered');
    await browser.type('[name=where]', 'diffusion.t=4\uE007');
    await browser.until("/did you mean 'diffusion.T'/.test(document.body.innerText)");
    await browser.value("void [...document.querySelectorAll('.chips button')].at(-1).click()");
    await browser.until("document.querySelectorAll('.chips li').length === 1");
    await browser.value("void document.querySelector('.chips button').click()");
    await browser.value(`void (document.querySelector('[name=text]').value = '')`);
    await browser.type('[name=text]', ' ');
    await browser.click('[data-status=failed]');
    const failed = store.list({ status: ['failed'] }).length;
    await browser.until(
      `document.querySelector('.count').innerText.replace(/ of.*|\\D/g, '') === '${failed}'`,
    );
    await browser.click('[data-status=failed]');
  });

  it('sorts by a column, and opens a run with the keyboard alone', async () => {
    await browser.click('[data-sort="metrics.gridKl"]');
    await browser.until("!!document.querySelector('[aria-sort=ascending]')");
    const best = store
      .list({ status: ['finished'] })
      .map(({ key, result }) => ({ key, kl: (result as never)['metrics']['gridKl'] as number }))
      .sort((a, b) => a.kl - b.kl);
    // A new order begins at its first row; keys pressed before that would move in the old one.
    const active = "document.querySelector('.row.active')?.dataset.key";
    await browser.until(`${active} === '${best[0].key}'`);
    await browser.value("void document.querySelector('.table').focus()");
    await browser.press('.table', 'ArrowDown');
    const second = best[1].key;
    await browser.until(`${active} === '${second}'`);
    await browser.press('.table', 'Enter');
    await browser.until(`location.hash === ${JSON.stringify(runHref(second))}`);
    await browser.until("document.querySelector('h1')?.innerText.includes('finished')");
    expect(await browser.value('document.title')).toBe(`${second} · Gibbs`);
  });

  it('shows a trained run: curves, density, samples, configuration, environment', async () => {
    await go(runHref(trained[0]));
    await browser.until("document.querySelectorAll('.picture canvas').length === 2");
    await browser.until("document.querySelectorAll('.chart').length > 5");
    const painted = `[...document.querySelectorAll('.chart canvas, .picture canvas')].every((c) => {
      const { data } = c.getContext('2d').getImageData(0, 0, c.width, c.height);
      return new Set(new Uint32Array(data.buffer)).size > 3;
    })`;
    await browser.until(painted);
    const { config } = store.get(trained[0]) as { config: { dataset: string } };
    expect(await textOf('.run-rest')).toContain(config.dataset);
    expect(await textOf('.run-rest')).toContain(process.version);
    await browser.value("void document.querySelector('.toggle').click()");
    await browser.until(
      "/, logarithmic/.test(document.querySelector('.chart canvas').getAttribute('aria-label'))",
    );
    await picture('run');
    await browser.value("void document.querySelector('main').scrollTo(0, 1150)");
    await picture('run-below');
  });

  it('lays two runs side by side', async () => {
    await go('#/');
    await browser.type('[name=text]', trained[0].slice(4, 12));
    await browser.until(`document.querySelector('.row')?.dataset.key === '${trained[0]}'`);
    await browser.click('.row .pick');
    for (const _ of Array(8)) await browser.type('[name=text]', '\uE003');
    // Every key pressed is a filter of its own; the rows settle with the last.
    await browser.until("!/ of /.test(document.querySelector('.count').innerText)");
    await browser.until("document.querySelectorAll('.row').length > 10");
    const other = await browser.value<string>("document.querySelectorAll('.row')[3].dataset.key");
    await browser.click(`.row[data-key="${other}"] .pick`);
    await browser.until("document.querySelector('.tray').innerText.includes('2 runs selected')");
    await browser.click('.tray .primary');
    await browser.until("document.querySelectorAll('.differences tbody tr').length > 3");
    const records = [trained[0], other].map((key) => store.get(key) as never);
    const shown = await browser.value(
      "[...document.querySelectorAll('.differences tbody th')].map((th) => th.innerText)",
    );
    expect(shown).toEqual(comparison(store, records).map(({ what }) => what));
    await browser.until("document.querySelectorAll('.legend li').length === 2");
    const some = store
      .list({ where: [parseCondition('seed=0')] })
      .filter(({ status }) => status === 'finished');
    const keys = [0, 7, 15, 26].map((i) => some[i].key);
    await go(
      `#/compare?${new URLSearchParams(keys.map((key) => ['key', key] as [string, string]))}`,
    );
    await browser.until("document.querySelectorAll('.chart').length === 4");
    await browser.until(
      "document.querySelector('.chart canvas').getAttribute('aria-label').includes('40 points')",
    );
    await picture('compare');
    await go(
      `#/compare?${new URLSearchParams(trained.map((key) => ['key', key] as [string, string]))}`,
    );
    await browser.until("document.querySelectorAll('.sample-row canvas').length === 4");
    await browser.value("void document.querySelector('main').scrollTo(0, 1e6)");
    await picture('compare-samples');
  });

  it('brushes parallel coordinates, with the mouse and with the keyboard', async () => {
    await go('#/parallel');
    await browser.until("document.querySelectorAll('.strip').length > 3");
    const strip = '[data-axis="metrics.mmd"]';
    const box = await browser.value<{ x: number; y: number; width: number; height: number }>(
      `document.querySelector('${strip}').getBoundingClientRect().toJSON()`,
    );
    const x = box.x + box.width / 2;
    await picture('parallel-all');
    await browser.drag([x, box.y + 0.9 * box.height], [x, box.y + 0.55 * box.height]);
    await browser.until(`document.querySelector('${strip}').classList.contains('brushed')`);
    const left = await countOf();
    expect(left).toBeGreaterThan(10);
    expect(left).toBeLessThan(RUNS);
    const within = await browser.value<string>(
      `document.querySelector('${strip}').getAttribute('aria-valuetext')`,
    );
    const [low, high] = within.split(' to ').map((text) => Number(text.replaceAll('−', '-')));
    const counted = store.list({
      where: [`metrics.mmd>=${low}`, `metrics.mmd<=${high}`].map(parseCondition),
    }).length;
    // The ends are read from four digits.
    expect(Math.abs(left - counted)).toBeLessThan(0.01 * RUNS);
    await picture('parallel');
    const width = '[data-axis="config.network.width"]';
    await browser.press(width, 'Enter');
    await browser.until(`document.querySelector('${width}').classList.contains('brushed')`);
    expect(await countOf()).toBeLessThan(left);
    await browser.press(width, 'Escape');
    await browser.until(`!document.querySelector('${width}').classList.contains('brushed')`);
    expect(await countOf()).toBe(left);
    await browser.value("void [...document.querySelectorAll('.list-bar button')][0].click()");
    await browser.until("!/ of /.test(document.querySelector('.count').innerText)");
  });

  it('shows points as another process writes them, and its end', async () => {
    const writer = await startWriter(place, 4242);
    await go('#/');
    await browser.until("document.querySelector('[data-status=running]')?.innerText.includes('1')");
    await go(runHref(writer.key));
    await browser.until("document.querySelector('h1')?.innerText.includes('running')");
    await browser.until(
      "/No row has been written yet/.test(document.querySelector('.charts')?.innerText)",
    );
    const label = "document.querySelector('.chart canvas')?.getAttribute('aria-label')";
    writer.log(1);
    await browser.until(`/: 1 points, .* at step 100/.test(${label})`);
    writer.log(11);
    await browser.until(`/: 12 points, .* at step 1200/.test(${label})`);
    await picture('live');
    writer.finish();
    await browser.until("document.querySelector('h1').innerText.includes('finished')");
    await browser.until("document.querySelector('.run-rest').innerText.includes('gridKl')");
  });

  it('tells a killed run from one that runs', async () => {
    const writer = await startWriter(place, 4243);
    await go(runHref(writer.key));
    await browser.until("document.querySelector('h1')?.innerText.includes('running')");
    writer.child.kill('SIGKILL');
    await browser.until("document.querySelector('h1').innerText.includes('dead')");
    await browser.until('/goes on from its last checkpoint/.test(document.body.innerText)');
    store.remove(writer.key);
    await browser.until('/This run was removed from the store at/.test(document.body.innerText)');
    await picture('removed');
  });

  it.each(['open', 'rerun'] as const)('copies runs as a cell that runs: %s', async (kind) => {
    await go(runHref(trained[1]));
    await browser.until("document.querySelector('h1')?.innerText.includes('finished')");
    await browser.click(`.actions [data-cell=${kind}]`);
    await browser.until("!!document.querySelector('dialog pre')");
    await browser.until("/Copied/.test(document.querySelector('dialog').innerText)");
    const cell = await browser.value<string>('navigator.clipboard.readText()');
    expect(await textOf('dialog code')).toBe(cell);
    await picture(`cell-${kind}`);
    await browser.click('dialog .primary');
    const path = join(root, `${kind}.ipynb`);
    writeNotebook(path, [code(cell)]);
    const { status, stderr } = await gibbs(['notebook', 'run', path]);
    expect(status, stderr).toBe(0);
    const outputs = JSON.stringify(readNotebook(path).cells);
    expect(outputs).toContain(trained[1]);
    if (kind === 'rerun') expect(outputs).toMatch(/"reused\\?":\s*true|<td[^>]*>true/);
  });

  it('has loaded nothing from elsewhere, and complained of nothing', async () => {
    const hosts = (await browser.loaded()).map((address) => new URL(address).host);
    expect([...new Set(hosts)]).toEqual([new URL(view.url).host]);
    // The removed run is asked for once more.
    const complaints = (await browser.complaints()).filter((said) => !/ 4\d\d \(/.test(said));
    expect(complaints).toEqual([]);
  });

  it('says that the server was killed, or stopped by Ctrl-C', async () => {
    await go('#/');
    view.child.kill('SIGKILL');
    await browser.until('/gibbs view does not answer since/.test(document.body.innerText)');
    await picture('lost');
    view = await startView(place);
    await browser.open(view.url);
    await browser.until("document.querySelectorAll('.row').length > 10");
    view.child.kill('SIGINT');
    expect(await view.ended).toBe(0);
    await browser.until('/gibbs view was stopped/.test(document.body.innerText)');
  });

  it('waits for a store that is not there yet, and says when one has gone', async () => {
    const empty = join(root, 'none-yet');
    view = await startView(empty);
    await browser.open(view.url);
    await browser.until('/There is no store at this place yet/.test(document.body.innerText)');
    await picture('empty');
    const writer = await startWriter(empty, 1);
    await browser.until("document.querySelectorAll('.row').length === 1");
    writer.finish();
    await browser.until("document.querySelector('.row').innerText.includes('finished')");
    rmSync(empty, { recursive: true });
    await browser.until('/The store .* is gone/.test(document.body.innerText)');
  });
});
