import type { Bench } from './lib/bench.ts';
import { serveArgs, typescriptCommand } from './lib/command.ts';
import { oursBothWays } from './lib/ours.ts';
import { pythonPeers } from './lib/python-peers.ts';

/** An iteration takes up to ten seconds: few of them suffice to warm up. */
const WARMUP = 2;

const BATCH = 8;

const WHAT = {
  ncsnpp: {
    forward: 'E(x, t) of the NCSN++ energy',
    gradient: 'the NCSN++ energy and its gradient in x',
    step: 'one DDAEBM iteration with NCSN++ networks',
  },
  wrn: {
    forward: 'f(x, t) of a Wide-ResNet 28',
    gradient: 'a Wide-ResNet 28 and its gradient in x',
    step: 'one iteration of recovery likelihood with a Wide-ResNet 28, chains of two steps',
  },
} as const;

type Network = keyof typeof WHAT;
type Task = keyof (typeof WHAT)[Network];

/** Iterations of a round, for about a second's worth or two. */
const ITERS: Readonly<Record<Task, number>> = { forward: 10, gradient: 4, step: 1 };

function imageBench(network: Network, task: Task, width: number): Bench {
  return {
    name: `${network}-${task}-${width}`,
    title: `${WHAT[network][task]} (batch ${BATCH}, 32 x 32, ${width} channels)`,
    iters: ITERS[task],
    rounds: 7,
    async field(options) {
      const ours = typescriptCommand(new URL('ours/image-task.ts', import.meta.url));
      const torch = new URL(`peers/${network}.py`, import.meta.url);
      const args = ['--task', task, '--width', String(width), '--batch', String(BATCH)];
      const peers = await pythonPeers({ torch, args, warmup: WARMUP }, options);
      const mine = [...ours.args, ...serveArgs(options.threads, WARMUP), '--network', network];
      return {
        specs: [
          ...oursBothWays({ label: 'ours', command: ours.command, args: [...mine, ...args] }),
          ...peers.specs,
        ],
        missing: peers.missing,
      };
    },
  };
}

const TASKS = ['forward', 'gradient', 'step'] as const;

/** Forward pass, gradient and whole iteration of the image networks, at 32 and 64 channels. */
export const IMAGES: readonly Bench[] = (['ncsnpp', 'wrn'] as const).flatMap((network) =>
  [32, 64].flatMap((width) => TASKS.map((task) => imageBench(network, task, width))),
);
