import { TOY_METHODS, type ToyMethod } from '../src/experiments/toy-methods.ts';
import type { Bench } from './lib/bench.ts';
import { serveArgs, typescriptCommand } from './lib/command.ts';
import { oursBothWays } from './lib/ours.ts';
import { pythonPeers } from './lib/python-peers.ts';

/** What peers/toy_objectives.py calls the methods that it has. */
const PEERS: Readonly<Partial<Record<ToyMethod, string>>> = {
  meg: 'meg',
  vera: 'vera',
  'energy-discrepancy': 'ed',
  'score-matching': 'sm',
  'contrastive-divergence': 'cd',
};

function objective(method: ToyMethod): Bench {
  return {
    name: `toy-objectives-${method}`,
    title: `one iteration of ${method} at the sizes of its paper`,
    iters: 60,
    rounds: 9,
    async field(options) {
      const ours = typescriptCommand(new URL('ours/toy-objective.ts', import.meta.url));
      const script = method === 'ddaebm' ? 'toy_step.py' : 'toy_objectives.py';
      const peer = PEERS[method];
      const peers =
        peer === undefined && method !== 'ddaebm'
          ? { specs: [], missing: [] }
          : await pythonPeers(
              {
                torch: new URL(`peers/${script}`, import.meta.url),
                args: peer === undefined ? [] : ['--method', peer],
              },
              options,
            );
      return {
        specs: [
          ...oursBothWays({
            label: method,
            command: ours.command,
            args: [...ours.args, ...serveArgs(options.threads), '--method', method],
          }),
          ...peers.specs,
        ],
        missing: peers.missing,
      };
    },
  };
}

/** Every training method in the plane, as `gibbs run toy` trains it. */
export const toyObjectives: readonly Bench[] = TOY_METHODS.map(objective);
