import { RunStore } from '../../../src/train/store/run-store.ts';
import { sampleRun } from '../../train/store/sample.ts';

/** Writes runs number `first` .. `first + count - 1` into a store, then says so. */
const [place, first, count] = process.argv.slice(2);
const store = RunStore.open(place);
for (let i = 0; i < Number(count); i++) sampleRun(store, Number(first) + i, { keep: 1, rows: 2 });
console.log('written');
