import { type HostTensor, hostTensor, sizeOf } from '../core/host-tensor.ts';
import type { Key } from '../core/random.ts';
import { flatten } from '../core/tree.ts';
import { isLeaf, isTensor } from '../jit/leaves.ts';
import type { Objective } from '../objectives/objective.ts';
import { train } from '../train/loop.ts';
import { PartsTeam } from '../train/parallel/parts.ts';
import { ALONE } from '../train/parallel/ranks.ts';
import { formatSeconds } from '../train/progress.ts';

/** What a training would take on this machine, from a few of its own iterations. */
export interface Estimate {
  readonly steps: number;
  readonly secondsPerStep: number;
  /** Of all `steps`. */
  readonly seconds: number;
  /** How a batch is worked off, where not at once. */
  readonly execution?: BatchInParts;
}

export interface BatchInParts {
  readonly parts: number;
  /** Samples of a part. */
  readonly images: number;
  /** Expected peak memory of a process, in bytes. */
  readonly memory: number;
}

const MEASURED = 4;

/** Iterations after which even those of a tiny network have taken a measurable time. */
const ENOUGH = 256;

/**
 * Measures a training before it starts: runs a few iterations from the beginning and throws the
 * result away. The first one, which compiles, does not count.
 */
export async function estimateTraining<State>(
  objective: Objective<State>,
  data: (key: Key) => HostTensor,
  steps: number,
): Promise<Estimate> {
  let rate = 0;
  // Four iterations of a tiny network are over before the clock can tell.
  for (let few = MEASURED; rate === 0 && few <= ENOUGH; few *= 8) {
    await train({
      objective,
      data,
      steps: few,
      seed: 0,
      onProgress: ({ stepsPerSecond }) => {
        rate = stepsPerSecond;
      },
    });
  }
  const secondsPerStep = rate > 0 ? 1 / rate : 0;
  return { steps, secondsPerStep, seconds: steps * secondsPerStep };
}

/**
 * The same for a training in parts: one part is run twice, the second time against the clock.
 * @param part the method for the samples of a part.
 * @param data whole batches.
 */
export async function estimatePart<State>(
  part: Objective<State>,
  data: (key: Key) => HostTensor,
  steps: number,
  parts: number,
): Promise<Estimate> {
  const [batch] = part.batchShape;
  const first = (key: Key) => {
    const whole = data(key);
    return hostTensor(whole.data.slice(0, sizeOf(part.batchShape)), part.batchShape);
  };
  const sharing = { ranks: ALONE, batch, withBatch: () => part };
  const team = new PartsTeam(part, sharing, { seed: 0, data: first });
  let state = part.init(0) as State;
  let seconds = 0;
  try {
    for (let step = 0; step < 2; step++) {
      const begin = performance.now();
      const done = await team.iterate(state, step, () => false);
      seconds = (performance.now() - begin) / 1000;
      state = done.state;
      for (const metric of Object.values(done.metrics)) metric.dispose();
    }
  } finally {
    for (const leaf of flatten(state, isLeaf).leaves) if (isTensor(leaf)) leaf.dispose();
    team.dispose();
  }
  const secondsPerStep = parts * seconds;
  return { steps, secondsPerStep, seconds: steps * secondsPerStep };
}

/**
 * e.g. `9360 iterations of 31 ms: about 4:50 min`; in parts, also how many and the expected peak of
 * memory.
 */
export function describeEstimate({ steps, secondsPerStep, seconds, execution }: Estimate): string {
  const each =
    secondsPerStep < 1
      ? `${(1000 * secondsPerStep).toFixed(0)} ms`
      : `${secondsPerStep.toFixed(1)} s`;
  const time = `${steps} iterations of ${each}: about ${formatSeconds(seconds)}`;
  if (execution === undefined) return time;
  const { parts, images, memory } = execution;
  const peak = `${(memory / 1e9).toFixed(0)} GB of memory`;
  return `${time}; each batch in ${parts} parts of ${images}, about ${peak}`;
}
