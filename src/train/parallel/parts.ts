import { ConfigError, InterruptedError } from '../../core/errors.ts';
import { type HostTensor, sizeOf } from '../../core/host-tensor.ts';
import type { Key } from '../../core/random.ts';
import { inParts, type PartsFunction } from '../../jit/in-parts.ts';
import type { Executor } from '../../jit/index.ts';
import { type RankPlace, rankMean } from '../../jit/ranks.ts';
import type { Tensor } from '../../jit/tf.ts';
import type { Metrics, NoiseSpecs, Objective } from '../../objectives/objective.ts';
import { agreedError, type Ranks } from './ranks.ts';
import { Share } from './share.ts';
import type { Iteration, Parallel } from './team.ts';

type Common<State> = { readonly state: State; readonly stop: Tensor };
type Result<State> = { readonly state: State; readonly metrics: Metrics; readonly stop: Tensor };
type Step<State> = PartsFunction<Common<State>, Result<State>>;

/** Draws of one iteration are kept until its end where they are so many bytes at most. */
const SMALL = 2 ** 28;

const DATA = 'data';
const NOISE = 'noise/';

export interface PartsSettings {
  readonly seed: number;
  /** The whole batch of a key. */
  readonly data: (key: Key) => HostTensor;
  readonly executor?: Executor;
  /** After each piece of an iteration but the last: the share of it that is done. */
  readonly onPiece?: (share: number) => void;
}

/**
 * A training that works off each batch, or its rank's share of it, in parts: as many virtual ranks
 * that run one after the other, with one state and compiled once. A part's noise is drawn when it is
 * needed and not kept, unless all of it is little.
 */
export class PartsTeam<State> {
  readonly ranks: Ranks;
  readonly #whole: Objective<State>;
  readonly #shares: readonly Share[];
  readonly #settings: PartsSettings;
  readonly #step: Step<State>;
  readonly #between: { readonly every: number; readonly step: Step<State> } | undefined;
  readonly #keepDraws: boolean;

  /** @throws ConfigError when the batch does not divide by ranks times parts. */
  constructor(whole: Objective<State>, parallel: Parallel<State>, settings: PartsSettings) {
    const { ranks, parts = 1, withBatch } = parallel;
    const size = ranks.size * parts;
    const local = withBatch(sizeOfPart(parallel));
    this.ranks = ranks;
    this.#whole = whole;
    this.#settings = settings;
    this.#shares = Array.from({ length: parts }, (_, i) => {
      const place = { rank: ranks.rank * parts + i, size };
      return new Share(whole as Objective, local as Objective, place);
    });
    const noise: NoiseSpecs = local.noise;
    const bytes = Object.values(noise).reduce((sum, { shape }) => sum + 4 * sizeOf(shape), 0);
    this.#keepDraws = parts * bytes <= SMALL;
    const own = {
      [DATA]: { shape: local.batchShape, dtype: 'float32' as const },
      ...Object.fromEntries(
        Object.entries(noise).map(([name, { kind, shape }]) => [
          NOISE + name,
          { shape, dtype: kind === 'integers' ? ('int32' as const) : ('float32' as const) },
        ]),
      ),
    };
    const compiled = (step: Objective<State>['step'], name: string): Step<State> =>
      inParts(
        ({ state, stop }: Common<State>, given) => {
          const drawn = Object.keys(noise).map((key) => [key, given[NOISE + key]] as const);
          const done = step(state, { data: given[DATA] }, Object.fromEntries(drawn));
          const means = Object.entries(done.metrics).map(([k, v]) => [k, rankMean(v)]);
          return {
            state: done.state,
            metrics: Object.fromEntries(means) as Metrics,
            stop: rankMean(stop),
          };
        },
        { parts, place: ranks, own, donate: true, name, executor: settings.executor },
      ) as Step<State>;
    this.#step = compiled(local.step.bind(local), `${whole.name}/part`);
    const { between } = local;
    this.#between = between && {
      every: between.every,
      step: compiled(between.step, `${whole.name}/part/between`),
    };
  }

  /**
   * Iteration `step` from `state`, which is given up once all of it is done. Between two parts other
   * work of the process gets its turn.
   * @param stopAsked whether this process was asked to end. A process alone then gives up the
   * iteration; of several, all learn of it at the end.
   * @throws InterruptedError when the iteration was given up; `state` is as it was.
   */
  async iterate(state: State, step: number, stopAsked: () => boolean): Promise<Iteration<State>> {
    const regular = this.#between === undefined || step % this.#between.every === 0;
    const fn = regular ? this.#step : (this.#between?.step ?? this.#step);
    const stop = stopAsked() ? 1 : 0;
    const common = { state, stop } as never;
    const run = fn.run(common, this.#draws(step));
    const { onPiece } = this.#settings;
    for (let calls = 0; ; ) {
      const { done, value } = run.next();
      if (done) {
        const asked = value.stop.dataSync()[0] > 0;
        value.stop.dispose();
        return { state: value.state, metrics: value.metrics, stop: asked };
      }
      const pending = value && this.ranks.sum(value);
      if (pending) await pending;
      if (value) continue;
      calls++;
      if (calls < fn.calls(common)) onPiece?.(calls / fn.calls(common));
      await new Promise((resolve) => setImmediate(resolve));
      if (this.ranks.size === 1 && stopAsked()) {
        run.return(undefined as never);
        throw new InterruptedError();
      }
    }
  }

  dispose(): void {
    this.#step.dispose();
    this.#between?.step.dispose();
  }

  /** The arguments of each part's own in an iteration, drawn when they are asked for. */
  #draws(step: number): (part: number, name: string) => HostTensor {
    const { seed, data } = this.#settings;
    const key = { seed, stream: this.#whole.name, step };
    const kept = new Map<string, HostTensor>();
    let batch: HostTensor | undefined;
    return (part, name) => {
      const found = kept.get(`${part} ${name}`);
      if (found) return found;
      const share = this.#shares[part];
      if (name === DATA) {
        batch ??= data({ seed, stream: 'data', step });
        return share.data(batch);
      }
      const drawn = share.draw(key, name.slice(NOISE.length));
      if (this.#keepDraws) kept.set(`${part} ${name}`, drawn);
      return drawn;
    };
  }
}

/**
 * Samples of a part.
 * @throws ConfigError when the batch does not divide by ranks times parts.
 */
export function sizeOfPart({
  ranks,
  parts = 1,
  batch,
}: {
  readonly ranks: RankPlace;
  readonly parts?: number;
  readonly batch: number;
}): number {
  const asked = `parts must divide the batch of ${batch}`;
  const cure = 'use another number of parts (--parts) or another batch';
  if (!Number.isSafeInteger(parts) || parts < 1) {
    throw agreedError(new ConfigError(`training in parts: ${asked}, got ${parts}; ${cure}`));
  }
  if (batch % (ranks.size * parts) === 0) return batch / (ranks.size * parts);
  const among = ranks.size > 1 ? ` on each of ${ranks.size} ranks` : '';
  throw agreedError(
    new ConfigError(`training in parts: ${asked}, got ${parts} parts${among}; ${cure}`),
  );
}
