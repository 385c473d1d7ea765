import { RunStore } from '../../../src/train/store/run-store.ts';

/** Opens a store and says what came of it; for a process of another user. */
try {
  console.log(`opened, ${RunStore.open(process.argv[2]).list().length} runs`);
} catch (error) {
  console.log(`${(error as Error).name} ${(error as Error).message}`);
}
