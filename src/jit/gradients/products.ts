import { type Tensor, tf } from '../tf.ts';
import { type GradientRules, throughComposition } from './define.ts';

/** y_i = ∏_{j ≤ i} x_j in log₂(n) multiplications of shifted copies; no division, so zeros pass. */
function scanProduct(x: Tensor, axis: number, exclusive: boolean, reverse: boolean): Tensor {
  const n = x.shape[axis];
  const shift = (y: Tensor, by: number): Tensor => {
    const kept = y.shape.map((d, i) => (i === axis ? d - by : d));
    const paddings = y.shape.map((_, i): [number, number] => (i === axis ? [by, 0] : [0, 0]));
    return tf.pad(
      tf.slice(
        y,
        kept.map(() => 0),
        kept,
      ),
      paddings,
      1,
    );
  };
  let y = reverse ? x.reverse(axis) : x;
  if (exclusive) y = shift(y, 1);
  for (let by = 1; by < n; by *= 2) y = y.mul(shift(y, by));
  return reverse ? y.reverse(axis) : y;
}

/** The product of all other elements along the last axis. */
function others(x: Tensor): Tensor {
  const last = x.rank - 1;
  return tf.cumprod(x, last, true, false).mul(tf.cumprod(x, last, true, true));
}

function prodGradient(dy: Tensor, x: Tensor, axes: number[]): Tensor {
  const kept = x.shape.map((_, i) => i).filter((i) => !axes.includes(i));
  const perm = [...kept, ...axes];
  const moved = x.transpose(perm);
  const rows = moved.reshape([...kept.map((i) => x.shape[i]), -1]);
  const grad = others(rows).mul(dy.reshape([...rows.shape.slice(0, -1), 1]));
  const undo = perm.map((_, i) => perm.indexOf(i));
  return grad.reshape(moved.shape).transpose(undo);
}

/** One operand's gradient: contract dy with the other, then repeat along axes that were summed. */
function einsumGradient(
  dy: Tensor,
  output: string,
  operand: { labels: string; tensor: Tensor },
  other: { labels: string; tensor: Tensor } | undefined,
): Tensor {
  const { labels, tensor } = operand;
  const known = output + (other?.labels ?? '');
  const present = [...labels].filter((l) => known.includes(l)).join('');
  const partial =
    other !== undefined
      ? tf.einsum(`${output},${other.labels}->${present}`, dy, other.tensor)
      : dy.transpose([...present].map((l) => output.indexOf(l)));
  const aligned = partial.reshape(
    [...labels].map((l, i) => (present.includes(l) ? tensor.shape[i] : 1)),
  );
  return tf.broadcastTo(aligned, tensor.shape);
}

export const PRODUCT_GRADIENTS: GradientRules = {
  Cumprod: {
    inputs: ['x'],
    gradient: ([dy], [x], { axis, exclusive, reverse }) => {
      const at = axis < 0 ? axis + x.rank : axis;
      return { x: throughComposition((v) => scanProduct(v, at, exclusive, reverse), [x], dy)[0] };
    },
  },
  // TensorFlow.js' own misreads negative axes.
  Prod: {
    inputs: ['x'],
    gradient: ([dy], [x], { axis }) => ({
      x: () => prodGradient(dy, x, tf.util.parseAxisParam(axis, x.shape)),
    }),
  },
  // TensorFlow.js transposes the result when the axis is not the last.
  Cumsum: {
    gradient: ([dy], _saved, { axis, exclusive, reverse }) => ({
      x: () => tf.cumsum(dy, axis, exclusive, !reverse),
    }),
  },
  // From y rather than through the kernel EluGrad, which has no gradient.
  Elu: {
    outputs: [true],
    gradient: ([dy], [y]) => ({ x: () => dy.mul(tf.minimum(y, 0).add(1)) }),
  },
};

/** einsum has its own registration: its inputs are numbered, not named. */
export function defineEinsumGradient(): void {
  tf.registerGradient({
    kernelName: 'Einsum',
    saveAllInputs: true,
    gradFunc: (dy, saved, attrs) => {
      const equation = (attrs as { equation: string }).equation.replaceAll(/\s/g, '');
      const [inputs, output] = equation.split('->');
      const operands = inputs.split(',').map((labels, i) => ({ labels, tensor: saved[i] }));
      return Object.fromEntries(
        operands.map((operand, i) => [
          i,
          () => einsumGradient(dy as Tensor, output, operand, operands[1 - i]),
        ]),
      );
    },
  });
}
