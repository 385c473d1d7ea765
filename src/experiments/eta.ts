import type { HostTensor } from '../core/host-tensor.ts';
import type { Key } from '../core/random.ts';
import type { Objective } from '../objectives/objective.ts';
import { train } from '../train/loop.ts';
import { formatSeconds } from '../train/progress.ts';

/** What a training would take on this machine, from a few of its own iterations. */
export interface Estimate {
  readonly steps: number;
  readonly secondsPerStep: number;
  /** Of all `steps`. */
  readonly seconds: number;
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

/** e.g. `9360 iterations of 31 ms: about 4:50 min`. */
export function describeEstimate({ steps, secondsPerStep, seconds }: Estimate): string {
  const each =
    secondsPerStep < 1
      ? `${(1000 * secondsPerStep).toFixed(0)} ms`
      : `${secondsPerStep.toFixed(1)} s`;
  return `${steps} iterations of ${each}: about ${formatSeconds(seconds)}`;
}
