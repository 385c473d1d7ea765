import type { Bench } from './lib/bench.ts';
import { serveArgs, typescriptCommand } from './lib/command.ts';
import { oursBothWays } from './lib/ours.ts';
import { pythonPeers } from './lib/python-peers.ts';

/** An iteration takes up to a second: few of them suffice to warm up. */
const WARMUP = 5;

function niceBench(method: 'mle' | 'ddaebm', title: string, iters: number): Bench {
  return {
    name: `nice-${method}`,
    title,
    iters,
    rounds: 7,
    async field(options) {
      const ours = typescriptCommand(new URL('ours/nice-step.ts', import.meta.url));
      const args = ['--method', method];
      const torch = new URL('peers/nice.py', import.meta.url);
      const peers = await pythonPeers({ torch, args, warmup: WARMUP }, options);
      return {
        specs: [
          ...oursBothWays({
            label: 'ours',
            command: ours.command,
            args: [...ours.args, ...serveArgs(options.threads, WARMUP), ...args],
          }),
          ...peers.specs,
        ],
        missing: peers.missing,
      };
    },
  };
}

/** One iteration of maximum likelihood of NICE on MNIST at the size of the paper. */
export const niceMle: Bench = niceBench(
  'mle',
  'one maximum-likelihood iteration of NICE on MNIST (batch 128, 15.2 M parameters)',
  5,
);

/** One iteration of DDAEBM on MNIST at the sizes of the paper. */
export const niceDdaebm: Bench = niceBench(
  'ddaebm',
  'one DDAEBM iteration with a NICE energy on MNIST (batch 128, T = 4; 16 + 10 + 21 M parameters)',
  2,
);
