import { jit } from '../../src/jit/index.ts';
import type { GemmCall } from '../../src/jit/native/gemm/gemm.ts';
import { toyTask } from '../ours/toy-task.ts';

export interface CountedCall {
  readonly call: GemmCall;
  /** How often one iteration makes it. */
  readonly count: number;
}

/** `%12 = gemm(%3, %4)   f32[200,300]   36 MFLOP   240 kB   bᵀ` */
const LINE = /^%(\d+) = (\w+)\(([^)]*)\)\s+\w+\[([\d,]*)\]\s*(.*)$/;

/** The products of matrices in one DDAEBM iteration on 25 Gaussians, most work first. */
export function toyProducts(): CountedCall[] {
  const task = toyTask();
  const { batch, noise } = task.draw();
  const step = jit((s: unknown, b: unknown, n: unknown): unknown =>
    task.objective.step(s as never, b as never, n as never),
  );
  const listing = step.explain(task.state, batch, noise);
  const shapes = new Map<string, number[]>();
  const counted = new Map<string, { call: GemmCall; count: number }>();
  for (const line of listing.split('\n')) {
    const match = LINE.exec(line);
    if (match === null) continue;
    const [, id, op, args, dims, rest] = match;
    const shape = dims === '' ? [] : dims.split(',').map(Number);
    shapes.set(`%${id}`, shape);
    if (op !== 'gemm' && op !== 'matmul') continue;
    const [a, , c] = args.split(',').map((arg) => shapes.get(arg.trim()));
    const call = callOf(shape, a!, c, rest);
    const key = JSON.stringify(call);
    counted.set(key, { call, count: (counted.get(key)?.count ?? 0) + 1 });
  }
  return [...counted.values()].sort((x, y) => y.count * flops(y.call) - x.count * flops(x.call));
}

function callOf(
  shape: readonly number[],
  a: readonly number[],
  c: readonly number[] | undefined,
  rest: string,
): GemmCall {
  const [m, n] = shape.slice(-2);
  const [transA, transB] = [rest.includes('aᵀ'), rest.includes('bᵀ')];
  const k = a.at(transA ? -2 : -1)!;
  const batch = shape.slice(0, -2).reduce((x, y) => x * y, 1);
  const bias = c === undefined ? 'none' : c.length === 2 && c[0] === m && m > 1 ? 'full' : 'row';
  return { m, n, k, transA, transB, batch, accumulate: false, bias };
}

export const flops = ({ m, n, k, batch }: GemmCall) => 2 * m * n * k * batch;
