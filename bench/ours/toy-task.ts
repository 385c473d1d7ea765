import { createRequire } from 'node:module';
import { toyBatch } from '../../src/datasets/toy.ts';
import { ddaebm } from '../../src/objectives/ddaebm.ts';
import { drawNoise } from '../../src/train/noise.ts';

/** The objective at the published toy settings, and its draws: the same for ours and for tfjs. */
export function toyTask(seed = 0) {
  const objective = ddaebm();
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
