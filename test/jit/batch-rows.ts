import { type HostTensor, hostTensor } from '../../src/core/host-tensor.ts';
import { normal } from '../../src/core/random.ts';

/** Normal draws of a name. */
export const draw = (name: string, shape: readonly number[]): HostTensor =>
  hostTensor(
    normal(
      { seed: 1, stream: name, step: 0 },
      shape.reduce((a, b) => a * b, 1),
    ),
    shape,
  );

/** The rows of one of several equal parts of a batch. */
export const rowsOf = (all: HostTensor, part: number, parts: number): HostTensor => {
  const [rows, ...rest] = all.shape;
  const count = all.data.length / parts;
  return hostTensor(all.data.slice(part * count, (part + 1) * count), [rows / parts, ...rest]);
};
