import { ConfigError } from '../core/errors.ts';
import { type Tensor, tf } from '../jit/tf.ts';
import { mlp } from '../models/mlp.ts';
import type { NetworkSpec } from '../models/network.ts';
import type { NormMode } from '../nn/batch-norm.ts';
import type { Params } from '../nn/params.ts';
import type { AdamConfig } from '../optim/adam.ts';
import { type GameState, playersIo } from './game.ts';
import type { Noise, Objective } from './objective.ts';
import { type Player, type PlayerState, player } from './player.ts';

/** A log-density up to a constant, [B, dim] → [B] or [B, 1]; an `Mlp` is one. */
export interface EnergyMap extends NetworkSpec {
  apply(params: Params, x: Tensor): Tensor;
}

/** Latents [B, m] → samples [B, dim]; an `Mlp` is one. */
export interface SamplerMap extends NetworkSpec {
  apply(params: Params, z: Tensor, mode?: NormMode): Tensor;
}

/** What the adversarial baselines on vectors share (DDAEBM, App. B.2.1). */
export interface ToyGameConfig {
  /** Samples per step. Default 200. */
  readonly batch?: number;
  /** Dimension of the data. Default 2. */
  readonly dim?: number;
  /** Dimension of the latent. Default 2. */
  readonly latentDim?: number;
  /**
   * Width of the two hidden layers. Default 300: "3 fully connected layers each with 300 hidden
   * units" is read as three affine layers, which is what the decoders of DDAEBM have.
   */
  readonly width?: number;
  /** dim → 1. Default PReLU, no batch norm. */
  readonly energy?: EnergyMap;
  /** latent → dim. Default PReLU with batch norm. */
  readonly generator?: SamplerMap;
  /** Defaults: rate 1e-4, betas (0, 0.9), of all toy scripts of DDAEBM. */
  readonly energyAdam?: Partial<AdamConfig>;
  readonly generatorAdam?: Partial<AdamConfig>;
}

export interface ToyGame {
  readonly batch: number;
  readonly dim: number;
  readonly latentDim: number;
  readonly width: number;
  readonly energyNet: EnergyMap;
  readonly generatorNet: SamplerMap;
  readonly energyAdam: AdamConfig;
  readonly generatorAdam: AdamConfig;
  /** f_θ: log-density up to a constant, [B, dim] → [B]. */
  energy(params: Params): (x: Tensor) => Tensor;
  /** Samples for latents [B, m], with statistics of the batch by default. */
  generate(params: Params, z: Tensor, mode?: NormMode): Tensor;
}

/** @throws ConfigError when the batch is too small for batch norm. */
export function toyGame(name: string, config: ToyGameConfig): ToyGame {
  const { batch = 200, dim = 2, latentDim = 2, width = 300 } = config;
  if (!Number.isInteger(batch) || batch < 2) {
    throw new ConfigError(`${name}: batch must be an integer of at least 2, got ${batch}`);
  }
  const energyNet = config.energy ?? mlp({ widths: [dim, width, width, 1] });
  const generatorNet =
    config.generator ?? mlp({ widths: [latentDim, width, width, dim], batchNorm: true });
  const defaults: AdamConfig = { learningRate: 1e-4, betas: [0, 0.9] };
  return {
    batch,
    dim,
    latentDim,
    width,
    energyNet,
    generatorNet,
    energyAdam: { ...defaults, ...config.energyAdam },
    generatorAdam: { ...defaults, ...config.generatorAdam },
    energy: (params) => (x) => tf.reshape(energyNet.apply(params, x), [x.shape[0]]),
    generate: (params, z, mode) => generatorNet.apply(params, z, mode),
  };
}

/** The two players of a toy game; the generator's may hold further networks. */
export interface ToyPlayers<N extends string> {
  readonly energy: Player<'energy'>;
  readonly generator: Player<'generator' | N>;
}

/** @param further networks that the generator's optimiser moves as well. */
export function toyPlayers<N extends string = never>(
  game: ToyGame,
  further?: Readonly<Record<N, NetworkSpec>>,
): ToyPlayers<N> {
  const networks = { generator: game.generatorNet, ...further } as Record<
    'generator' | N,
    NetworkSpec
  >;
  return {
    energy: player({ networks: { energy: game.energyNet }, adam: game.energyAdam }),
    generator: player({ networks, adam: game.generatorAdam }),
  };
}

/** f_θ of a player's state, for as long as the other player moves. */
export function energyOf(game: ToyGame, players: Pick<ToyPlayers<never>, 'energy'>) {
  return (state: PlayerState) => game.energy(players.energy.unpack(state.params).energy);
}

/** The parts of an objective that are the same whenever samples are G(z), z ~ N(0, I). */
export function latentGame<N extends string>(name: string, game: ToyGame, players: ToyPlayers<N>) {
  const density = energyOf(game, players);
  return {
    name,
    ...playersIo(name, players as ToyPlayers<never>),
    energy: (state: GameState<'energy' | 'generator'>, x: Tensor) => density(state.energy)(x),
    sampleNoise: (n: number) => ({ z: { kind: 'normal', shape: [n, game.latentDim] } }) as const,
    sample(state: GameState<'energy' | 'generator'>, noise: Noise) {
      const params = players.generator.unpack(state.generator.params);
      return game.generate(params.generator, noise['z']);
    },
  } satisfies Partial<Objective<GameState<'energy' | 'generator'>>>;
}
