import { RunStore } from '../../../src/train/store/run-store.ts';
import { StoreRun } from '../../../src/train/store/store-run.ts';
import { rowAt } from '../../sweep/explorer/synthetic.ts';
import { identityOf } from '../../train/store/sample.ts';

/*
 * Works on a run in a process of its own: a row for every line on its standard input, the end of
 * the run at the end of the input. Says the key of the run first.
 */
const [place, seed] = process.argv.slice(2);
const store = RunStore.open(place);
const run = StoreRun.open(store, { ...identityOf(Number(seed), { rate: 0.1 }), keep: 1 });
console.log(run.key);
let step = 0;
process.stdin.setEncoding('utf8').on('data', (text: string) => {
  for (const _ of text.matchAll(/\n/g)) {
    step += 100;
    run.log(rowAt(step, Number(seed)));
  }
});
process.stdin.on('end', () => {
  run.finish({ metrics: { gridKl: 0.5 }, steps: step, seconds: 1 });
  run.close();
});
