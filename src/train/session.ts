import { ConfigError, NumericError, unknownName } from '../core/errors.ts';
import { type HostTensor, hostTensor, isHostTensor, sameShape } from '../core/host-tensor.ts';
import type { Key } from '../core/random.ts';
import { flatten, type Structure, unflatten } from '../core/tree.ts';
import { jit } from '../jit/index.ts';
import { isTensor } from '../jit/leaves.ts';
import type { Tensor } from '../jit/tf.ts';
import type { Batch, HostState, Metrics, Noise } from '../objectives/objective.ts';
import type { MetricWindow } from './checkpoint.ts';
import type { Progress, TrainOptions, TrainResult } from './loop.ts';
import { drawNoise } from './noise.ts';
import { PartsTeam } from './parallel/parts.ts';
import { agreedError } from './parallel/ranks.ts';
import { type Parallel, Team } from './parallel/team.ts';
import type { MetricsRow } from './run.ts';
import { shownAsRun } from './run-display.ts';
import { Speedometer } from './speedometer.ts';
import { checksum, firstNonFinite, leafNames, namedLeaves } from './state-leaves.ts';

type Step<State> = (
  state: State,
  batch: Batch,
  noise: Noise,
) => { readonly state: State; readonly metrics: Metrics };

/** The state of one call of `train` between its iterations. */
export class Session<State> {
  step = 0;
  /** Whether some rank of a training on several processes asked to end after the last iteration. */
  stopAgreed = false;
  readonly #options: TrainOptions<State>;
  readonly #step: Step<State>;
  /** What runs on the iterations between those of `step`, where the objective has it. */
  readonly #between: { readonly every: number; readonly step: Step<State> } | undefined;
  readonly #structure: Structure;
  readonly #names: readonly string[];
  /** The other processes, where the training has some. */
  readonly #team: Team<State> | PartsTeam<State> | undefined;
  readonly #speed = new Speedometer();
  readonly #resumedFrom: number;
  #state: State | HostState;
  /** Of the iteration under way, where it is made in parts. */
  #share = 0;
  #sums: Record<string, number> = {};
  #count = 0;
  #lastRow: MetricsRow | undefined;
  #lastSavedStep = -1;
  #lastSavedTime = performance.now();
  #secondsBefore = 0;
  readonly #start = performance.now();

  constructor(options: TrainOptions<State>) {
    this.#options = options;
    const { objective, executor } = options;
    if (!Number.isSafeInteger(options.steps) || options.steps < 0) {
      throw new ConfigError(`train: steps must be a count, got ${options.steps}`);
    }
    const initial = objective.init(options.seed);
    const restored = options.run?.restore(initial);
    this.#state = restored?.state ?? initial;
    this.#structure = flatten(initial, isHostTensor).structure;
    this.#names = leafNames(this.#structure);
    if (restored) {
      this.step = restored.step;
      this.#secondsBefore = restored.seconds;
      this.#sums = { ...restored.window.sums };
      this.#count = restored.window.count;
      this.#lastSavedStep = restored.step;
    }
    this.#resumedFrom = this.step;
    if (this.step > options.steps) {
      throw new ConfigError(
        `train: the run already has ${this.step} iterations, ${options.steps} were asked for`,
      );
    }
    const compiled = (step: Step<State>, name: string): Step<State> => {
      const whole: Step<State> = (state, batch, noise) => step(state, batch, noise);
      // A jitted function takes host arrays wherever the function itself takes tensors.
      return jit(whole, { donate: [0], name, executor }) as unknown as Step<State>;
    };
    this.#team = options.parallel && this.#teamOf(options.parallel);
    this.#step = compiled(objective.step.bind(objective), `${objective.name}/step`);
    const { between } = objective;
    this.#between = between && {
      every: between.every,
      step: compiled(between.step, `${objective.name}/between`),
    };
  }

  /** One iteration: draws, the step, metrics, and a checkpoint when one is due. */
  iterate(): void {
    const { objective, seed } = this.#options;
    const noise = drawNoise(objective.noise, { seed, stream: objective.name, step: this.step });
    this.#setScalars();
    const before = this.#leaves();
    const regular = this.#between === undefined || this.step % this.#between.every === 0;
    const run = regular ? this.#step : (this.#between?.step ?? this.#step);
    const { state, metrics } = run(
      this.#state as State,
      { data: this.#batch({ seed, stream: 'data', step: this.step }) } as unknown as Batch,
      noise as unknown as Noise,
    );
    this.#state = state;
    // Compiled, the old state has been given up already; eagerly it has not.
    const kept = new Set(this.#leaves());
    for (const leaf of before) if (isTensor(leaf) && !kept.has(leaf)) leaf.dispose();
    this.#after(metrics);
  }

  /**
   * One iteration together with the other ranks.
   * @param stopAsked whether this process was asked to end; all learn of it.
   * @throws ParallelError when another rank is lost, InterruptedError when an iteration in parts was
   * given up; the state is then that before the iteration.
   */
  async iterateTogether(stopAsked: () => boolean): Promise<void> {
    if (!this.#team) throw new ConfigError('train: this process trains alone');
    this.#setScalars();
    const done = await this.#team.iterate(this.#state as State, this.step, stopAsked);
    this.#state = done.state;
    this.stopAgreed = done.stop;
    this.#after(done.metrics);
  }

  #after(metrics: Metrics): void {
    const { logEvery = 100 } = this.#options;
    this.step++;
    this.#share = 0;
    this.#speed.tick(this.step);
    this.#collect(metrics);
    if (this.step % logEvery === 0 || this.step === this.#options.steps) this.#log();
    if (this.#checkpointDue()) this.save();
  }

  #teamOf(parallel: Parallel<State>): Team<State> | PartsTeam<State> {
    const onPiece = (share: number) => {
      this.#share = share;
      this.report('train');
    };
    const settings = { ...this.#options, data: this.#batch, onPiece };
    const { objective } = this.#options;
    return (parallel.parts ?? 1) === 1
      ? new Team(objective, parallel, settings)
      : new PartsTeam(objective, parallel, settings);
  }

  /** Writes a checkpoint unless this very step is already kept. */
  save(): void {
    const { run } = this.#options;
    if (!run || this.#lastSavedStep === this.step || this.#follows()) return;
    this.#checkState();
    const window: MetricWindow = { count: this.#count, sums: this.#sums };
    run.save({ step: this.step, state: this.#host(), seconds: this.#seconds(), window });
    this.#lastSavedStep = this.step;
    this.#lastSavedTime = performance.now();
  }

  report(phase: Progress['phase']): void {
    const { onProgress, steps } = this.#options;
    if (!onProgress) return;
    const rate = this.#speed.rate();
    onProgress({
      phase,
      step: this.step,
      ...(this.#share > 0 && { share: this.#share }),
      steps,
      stepsPerSecond: rate,
      etaSeconds: rate > 0 ? (steps - this.step) / rate : undefined,
      seconds: this.#seconds(),
      metrics: this.#count > 0 ? this.#means() : withoutStep(this.#lastRow),
    });
  }

  result(): TrainResult {
    const state = this.#host();
    const result: TrainResult = {
      state,
      step: this.step,
      checksum: checksum(namedLeaves(state)),
      seconds: this.#seconds(),
      resumedFrom: this.#resumedFrom,
      metrics: this.#lastRow,
    };
    return shownAsRun(result, ({ step, seconds, resumedFrom, metrics }) => {
      const title = resumedFrom > 0 ? `Trained, resumed at iteration ${resumedFrom}` : 'Trained';
      const { step: _, ...numbers } = metrics ?? { step };
      return { title, steps: step, seconds, numbers };
    });
  }

  dispose(): void {
    for (const leaf of this.#leaves()) if (isTensor(leaf) && !leaf.isDisposed) leaf.dispose();
    this.#team?.dispose();
  }

  readonly #batch = (key: Key): HostTensor => {
    const { data, objective } = this.#options;
    const batch = data(key);
    if (!sameShape(batch.shape, objective.batchShape)) {
      throw new ConfigError(
        `train: the data have shape [${batch.shape}], ${objective.name} was built for [${objective.batchShape}]`,
      );
    }
    return batch;
  };

  #setScalars(): void {
    const scalars = this.#options.scalars?.(this.step);
    if (!scalars) return;
    const leaves = this.#leaves();
    for (const [name, value] of Object.entries(scalars)) {
      const at = this.#names.indexOf(name);
      if (at < 0) throw unknownName('scalar of the state', name, this.#names);
      const old = leaves[at];
      leaves[at] = hostTensor(Float32Array.of(value), []);
      if (isTensor(old)) old.dispose();
    }
    this.#state = unflatten(this.#structure, leaves) as State;
  }

  #collect(metrics: Metrics): void {
    for (const [name, tensor] of Object.entries(metrics)) {
      const value = tensor.dataSync()[0];
      tensor.dispose();
      if (!Number.isFinite(value)) this.#fail(`metric '${name}' is ${value}`);
      this.#sums[name] = (this.#sums[name] ?? 0) + value;
    }
    this.#count++;
  }

  #log(): void {
    if (this.#count === 0) return;
    this.#checkState();
    this.#lastRow = { step: this.step, ...this.#means() };
    if (!this.#follows()) this.#options.run?.log(this.#lastRow);
    this.#sums = {};
    this.#count = 0;
  }

  #means(): Record<string, number> {
    return Object.fromEntries(
      Object.entries(this.#sums).map(([name, sum]) => [name, sum / this.#count]),
    );
  }

  #checkpointDue(): boolean {
    const { checkpointSteps, checkpointSeconds = 30 } = this.#options;
    if (checkpointSteps !== undefined && this.step % checkpointSteps === 0) return true;
    return performance.now() - this.#lastSavedTime > checkpointSeconds * 1000;
  }

  #checkState(): void {
    const bad = firstNonFinite(namedLeaves(this.#view()));
    if (bad !== undefined) this.#fail(`the state's ${bad}`);
  }

  #fail(what: string): never {
    const kept =
      this.#lastSavedStep > 0
        ? `the checkpoint of iteration ${this.#lastSavedStep} is kept`
        : 'no checkpoint was taken before';
    // All ranks hold the same metrics and the same state.
    throw agreedError(
      new NumericError(
        `${this.#options.objective.name}: ${what} after iteration ${this.step}; ${kept}. A smaller learning rate is the usual remedy`,
      ),
    );
  }

  #leaves(): (Tensor | HostTensor)[] {
    const isLeaf = (v: unknown): v is Tensor | HostTensor => isTensor(v) || isHostTensor(v);
    return flatten(this.#state, isLeaf).leaves;
  }

  /** The state in ordinary memory, shared with the tensors: valid until the next iteration. */
  #view(): HostState {
    const host = this.#leaves().map((leaf) =>
      isTensor(leaf) ? hostTensor(leaf.dataSync() as HostTensor['data'], leaf.shape) : leaf,
    );
    if (host.length !== this.#names.length) {
      throw new ConfigError(
        `${this.#options.objective.name}: step returned a state of ${host.length} tensors, init one of ${this.#names.length}`,
      );
    }
    return unflatten(this.#structure, host) as HostState;
  }

  /** The state in memory of its own. */
  #host(): HostState {
    const { leaves } = flatten(this.#view(), isHostTensor);
    const copies = leaves.map((leaf) => ({ ...leaf, data: leaf.data.slice() }));
    return unflatten(this.#structure, copies) as HostState;
  }

  /** Rank 0 alone writes. */
  #follows(): boolean {
    return this.#team !== undefined && this.#team.ranks.rank > 0;
  }

  #seconds(): number {
    return this.#secondsBefore + (performance.now() - this.#start) / 1000;
  }
}

function withoutStep(row: MetricsRow | undefined): Record<string, number> {
  const { step: _, ...metrics } = row ?? { step: 0 };
  return metrics;
}
