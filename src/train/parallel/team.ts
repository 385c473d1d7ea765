import { ConfigError } from '../../core/errors.ts';
import type { HostTensor } from '../../core/host-tensor.ts';
import type { Key } from '../../core/random.ts';
import { type DistributedFunction, distributed } from '../../jit/distributed.ts';
import { rankMean } from '../../jit/ranks.ts';
import type { Tensor } from '../../jit/tf.ts';
import type { Batch, Metrics, Noise, Objective } from '../../objectives/objective.ts';
import { agreedError, type Ranks } from './ranks.ts';
import { Share } from './share.ts';

/** How a training is shared by the processes of a job. */
export interface Parallel<State = unknown> {
  readonly ranks: Ranks;
  /** Samples of a batch of the training. */
  readonly batch: number;
  /** The method of the training with batches of another size. */
  readonly withBatch: (batch: number) => Objective<State>;
  /**
   * Parts that a rank works its share of a batch off in, one after the other: memory is that of one
   * part. Default 1.
   */
  readonly parts?: number;
  /** Ranks other than the first end the training with `RankDone`. Default: with its result. */
  readonly leave?: boolean;
}

/** What an iteration gives. */
export interface Iteration<State> {
  readonly state: State;
  /** Of the whole batch. */
  readonly metrics: Metrics;
  /** Whether any rank wants to end. */
  readonly stop: boolean;
}

type Result<State> = { readonly state: State; readonly metrics: Metrics; readonly stop: Tensor };
type Step<State> = DistributedFunction<
  [state: State, batch: Batch, noise: Noise, stop: Tensor],
  Result<State>
>;

/** Draws of one iteration, complete or on the way. */
interface Draws {
  readonly step: number;
  readonly noise: Record<string, HostTensor>;
  data?: HostTensor;
  /** What is still to be drawn. */
  readonly work: (() => void)[];
}

/** One rank's part in the iterations of a training. */
export class Team<State> {
  readonly ranks: Ranks;
  readonly #share: Share;
  readonly #name: string;
  readonly #seed: number;
  readonly #data: (key: Key) => HostTensor;
  readonly #step: Step<State>;
  readonly #between: { readonly every: number; readonly step: Step<State> } | undefined;
  #next: Draws | undefined;

  /**
   * @param data the whole batch of a key.
   * @throws ConfigError when the batch does not divide by the number of ranks.
   */
  constructor(
    whole: Objective<State>,
    parallel: Parallel<State>,
    { seed, data }: { readonly seed: number; readonly data: (key: Key) => HostTensor },
  ) {
    const { ranks } = parallel;
    const local = localMethod(parallel);
    this.ranks = ranks;
    this.#share = new Share(whole as Objective, local as Objective, ranks);
    this.#name = whole.name;
    this.#seed = seed;
    this.#data = data;
    const compiled = (step: Objective<State>['step'], name: string): Step<State> =>
      distributed(
        (state: State, batch: Batch, noise: Noise, stop: Tensor) => {
          const { state: next, metrics } = step(state, batch, noise);
          const means = Object.entries(metrics).map(([k, v]) => [k, rankMean(v)]);
          return { state: next, metrics: Object.fromEntries(means), stop: rankMean(stop) };
        },
        { place: ranks, donate: [0], name },
      ) as Step<State>;
    this.#step = compiled(local.step.bind(local), `${whole.name}/rank`);
    const { between } = local;
    this.#between = between && {
      every: between.every,
      step: compiled(between.step, `${whole.name}/rank/between`),
    };
  }

  /**
   * Iteration `step` from `state`, which is given up once all of it is done. While a sum is on its
   * way the next iteration's noise and batch are drawn.
   * @param stopAsked whether this rank wants to end.
   */
  async iterate(state: State, step: number, stopAsked: () => boolean): Promise<Iteration<State>> {
    const stop = stopAsked();
    const draws = this.#next?.step === step ? this.#next : this.#draws(step);
    for (const work of draws.work.splice(0)) work();
    const next = this.#draws(step + 1);
    this.#next = next;
    const regular = this.#between === undefined || step % this.#between.every === 0;
    const fn = regular ? this.#step : (this.#between?.step ?? this.#step);
    const run = fn.run(
      state as never,
      { data: draws.data } as never,
      draws.noise as never,
      (stop ? 1 : 0) as never,
    );
    for (;;) {
      const { done, value } = run.next();
      if (!done) {
        const pending = this.ranks.sum(value, next.work);
        if (pending) await pending;
        continue;
      }
      const asked = value.stop.dataSync()[0] > 0;
      value.stop.dispose();
      return { state: value.state, metrics: value.metrics, stop: asked };
    }
  }

  dispose(): void {}

  #draws(step: number): Draws {
    const noise: Record<string, HostTensor> = {};
    const key = { seed: this.#seed, stream: this.#name, step };
    const draws: Draws = { step, noise, work: [] };
    for (const [name, draw] of this.#share.noiseByName(key)) {
      draws.work.push(() => {
        noise[name] = draw();
      });
    }
    draws.work.push(() => {
      draws.data = this.#share.data(this.#data({ seed: this.#seed, stream: 'data', step }));
    });
    return draws;
  }
}

/** The method for a rank's share of the batch. */
function localMethod<State>({ ranks, batch, withBatch }: Parallel<State>): Objective<State> {
  if (batch % ranks.size !== 0) {
    throw agreedError(
      new ConfigError(
        `training on ${ranks.size} ranks: a batch of ${batch} does not divide by ${ranks.size}; start another number of ranks or set another batch`,
      ),
    );
  }
  return withBatch(batch / ranks.size);
}
