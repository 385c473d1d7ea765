import { createRequire } from 'node:module';
import { toyBatch } from '../../src/datasets/toy.ts';
import { ddaebm } from '../../src/objectives/ddaebm.ts';
import type { Objective } from '../../src/objectives/objective.ts';
import { drawNoise } from '../../src/train/noise.ts';

/** DDAEBM at the published toy settings, and its draws: the same for ours and for tfjs. */
export const toyTask = (seed = 0) => objectiveTask(ddaebm(), seed);

type Drawable = Pick<Objective, 'name' | 'noise' | 'batchShape' | 'init'>;

/** An objective on 25 Gaussians, its first state, and what draws for one iteration after another. */
export function objectiveTask<O extends Drawable>(objective: O, seed = 0) {
  let step = 0;
  const draw = () => {
    const noise = drawNoise(objective.noise, { seed, stream: objective.name, step });
    const data = toyBatch('25gaussians', { seed, stream: 'data', step }, objective.batchShape[0]);
    step++;
    return { batch: { data }, noise };
  };
  return { objective, state: objective.init(seed), draw };
}

export type ToyDraw = ReturnType<ReturnType<typeof toyTask>['draw']>;

/** Version of an installed package. */
export function versionOf(name: string): string {
  return (createRequire(import.meta.url)(`${name}/package.json`) as { version: string }).version;
}
