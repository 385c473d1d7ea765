import type { Spec } from './density-panels.ts';
import { above, derivationPanels, HUES } from './derivation-panels.ts';
import {
  distancesOnTheWay,
  type ImageTraining,
  samplesOnTheWay,
  squares,
  type Values,
} from './on-the-way.ts';
import { picturePanels } from './picture-panels.ts';

interface Moments {
  readonly mean: number;
  readonly deviation: number;
}

/** What the figures need of a training of diffusion recovery likelihood on images. */
export interface DrlPicture extends ImageTraining {
  readonly config: {
    readonly batch: number;
    readonly chain: { readonly steps: number };
    readonly diffusion: { readonly levels: number };
  };
  readonly numbers: ImageTraining['numbers'] & {
    readonly levels: readonly {
      readonly level: number;
      readonly noise: number;
      readonly data: Moments;
      readonly start: Moments;
      readonly recovered: Moments;
      readonly generated: Moments;
    }[];
  };
  /** Bytes [T + 1, n, 3, 32, 32]. */
  readonly trajectory: Values;
}

/** Samples of the same noise at some evaluations, the last among them, beside training images. */
export function drlSamplesFigure(result: DrlPicture): Spec {
  const { chain, diffusion } = result.config;
  return samplesOnTheWay(result, {
    title: 'Diffusion recovery likelihood on CIFAR-10: samples on the way',
    caption: `Preset ${result.preset}, ${diffusion.levels} levels of ${chain.steps} Langevin steps; the same noise at each point, parameters averaged.`,
    across: 4,
    side: 160,
  });
}

/** Side of a picture of the trajectory, in pixels, and how many are shown next to each other. */
const PICTURE = 64;
const ON_THE_WAY = 6;

/** Some samples on their way from noise to an image: a row for each level, x_T above x_0. */
export function drlTrajectoryFigure({ trajectory, preset, config }: DrlPicture): Spec {
  const [rows, count] = trajectory.shape;
  const columns = Math.min(ON_THE_WAY, count);
  const top = rows - 1;
  const panels = Array.from({ length: rows }, (_, row) => {
    const { data, shape } = squares(trajectory, row);
    const size = data.length / count;
    return Array.from({ length: columns }, (_, i) => ({
      pictures: {
        data: Float32Array.from({ length: size }, (_, k) => data[i * size + k]),
        shape: [1, ...shape.slice(1)],
      },
      ...(i === 0 && { rowTitle: `t = ${top - row}` }),
    }));
  });
  return picturePanels({
    title: 'From noise to images, level by level',
    caption: `Preset ${preset}. The first row is x_${top} ~ N(0, I); each further row has come from the one above by ${config.chain.steps} Langevin steps on the energy of its level. Values beyond [−1, 1] are cut.`,
    columns,
    panels: panels.flat(),
    across: 1,
    side: PICTURE,
  });
}

/** f along the levels, beside that of data, and the training loss. */
export function drlLevelsFigure({ numbers, preset }: DrlPicture): Spec {
  const { levels, curve } = numbers;
  const x = levels.map(({ level }) => level);
  const kinds = [
    { text: 'start of the chain', key: 'start', colour: HUES.quiet },
    { text: 'end of the chain', key: 'recovered', colour: HUES.warm },
    { text: 'samples from noise', key: 'generated', colour: HUES.model },
  ] as const;
  const curves = kinds.map(({ key, text, colour }) => ({
    ...{ text, colour, x, dots: true },
    y: levels.map((row) => (row[key].mean - row.data.mean) / row.data.deviation),
  }));
  const heights = curves.flatMap(({ y }) => y);
  const [low, high] = [Math.min(...heights, 0), Math.max(...heights, 0)];
  const room = 0.08 * (high - low);
  const steps = curve.map(({ step }) => step);
  const losses = curve.map((row) => row['energyLoss']);
  const moved = curve.map((row) => row['displacement']);
  const axis = { title: 'iterations', domain: [0, steps[steps.length - 1]] as const };
  return derivationPanels({
    title: 'Energies along the levels, and the loss',
    caption:
      `Preset ${preset}. Left: f(y_t, t) less its mean on test images at this level, in standard deviations of it; 0 is where the chains should end. ` +
      'Middle: mean of w_t [f(end of the chain) − f(data)] over a batch. Right: mean distance of the end of a chain from its start.',
    panels: [
      {
        title: 'f less that of data, in deviations',
        x: { title: 'level t', domain: [0, x[x.length - 1]], ticks: x },
        y: { domain: [low - room, high + 4 * room] },
        curves,
        levels: [0],
        key: { corner: 'top-left', entries: curves },
      },
      {
        title: 'loss',
        x: axis,
        y: { domain: [Math.min(...losses, 0), Math.max(...losses, 0)] },
        curves: [{ x: steps, y: losses, colour: HUES.model, width: 1 }],
        levels: [0],
      },
      {
        title: 'way of a chain',
        x: axis,
        y: { domain: [0, above(moved)] },
        curves: [{ x: steps, y: moved, colour: HUES.violet, width: 1 }],
      },
    ],
  });
}

/** Distances of the samples to test images by iterations. */
export function drlDistancesFigure(result: DrlPicture): Spec {
  const { preset, config, numbers } = result;
  return derivationPanels({
    title: 'Distance to the data on the way',
    caption: `Preset ${preset}: batch ${config.batch}, ${numbers.series[0].samples} samples at each point. Dotted: as many training images.`,
    panels: distancesOnTheWay(result),
  });
}
