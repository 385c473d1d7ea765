import type { Bench } from './lib/bench.ts';
import { serveArgs, typescriptCommand } from './lib/command.ts';
import { oursBothWays } from './lib/ours.ts';
import { pythonPeers } from './lib/python-peers.ts';

/** One iteration of DDAEBM on 25 Gaussians at the sizes of the paper's toy networks. */
export const toyStep: Bench = {
  name: 'toy-step',
  title:
    'one DDAEBM iteration on 25 Gaussians (batch 200, T = 4; energy step with R1, then generator and encoder)',
  iters: 60,
  rounds: 9,
  async field(options) {
    const ours = typescriptCommand(new URL('ours/toy-step.ts', import.meta.url));
    const tfjs = typescriptCommand(new URL('peers/toy-step-tfjs.ts', import.meta.url));
    const peers = await pythonPeers(
      {
        torch: new URL('peers/toy_step.py', import.meta.url),
        compile: true,
        jax: new URL('peers/toy_step_jax.py', import.meta.url),
      },
      options,
    );
    const eager = (backend: string, iters: number) => ({
      label: `TensorFlow.js ${backend}, eager`,
      role: 'peer' as const,
      command: tfjs.command,
      args: [...tfjs.args, ...serveArgs(options.threads, 1), '--backend', backend],
      slow: { iters, rounds: 2 },
    });
    return {
      specs: [
        ...oursBothWays({
          label: 'ours',
          command: ours.command,
          args: [...ours.args, ...serveArgs(options.threads)],
        }),
        ...peers.specs,
        ...(options.quick ? [] : [eager('wasm', 2), eager('cpu', 1)]),
      ],
      missing: peers.missing,
    };
  },
};
