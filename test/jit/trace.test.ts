import { describe, expect, it } from 'vitest';
import { GibbsError, ShapeError, TraceError } from '../../src/core/errors.ts';
import { grad, jit, type Tensor, tf, valueAndGrad } from '../../src/jit/index.ts';
import { TRACE_RULES } from '../../src/jit/trace/rules.ts';
import { UNTRACED } from '../../src/jit/trace/untraced.ts';

const x = () => tf.tensor1d([1, 2, 3]);

function errorOf(fn: () => unknown): GibbsError {
  try {
    fn();
  } catch (error) {
    expect(error).toBeInstanceOf(GibbsError);
    return error as GibbsError;
  }
  throw new Error('nothing was thrown');
}

describe('what cannot be traced', () => {
  const CASES: [string, string, (v: Tensor) => unknown][] = [
    ['randomNormal', 'draws random numbers', (v) => v.add(tf.randomNormal([3]))],
    ['randomUniform', 'draws random numbers', (v) => v.add(tf.randomUniform([3]))],
    ['truncatedNormal', 'draws random numbers', (v) => v.add(tf.truncatedNormal([3]))],
    ['dropout', 'draws random numbers', (v) => tf.dropout(v, 0.5)],
    ['Multinomial', 'no lowering rule', (v) => tf.multinomial(v as tf.Tensor1D, 2)],
    ['Unique', 'no lowering rule', (v) => tf.unique(v).values],
    ['LRN', 'no lowering rule', (v) => tf.localResponseNormalization(v.reshape([1, 1, 3]))],
    ['dataSync', 'reads the value', (v) => v.mul(v.dataSync()[0])],
    ['dataSync', 'reads the value', (v) => v.mul(v.sum().arraySync() as number)],
    ['data', 'reads the value', (v) => [v.data()].length && v],
    ['assign', 'changes a variable', (v) => tf.variable(tf.ones([3])).assign(v as never)],
    ['Complex', 'no lowering rule', (v) => tf.complex(v, v)],
  ];

  it.each(CASES)('%s: an error that names it and the line: %s', (op, why, body) => {
    const error = errorOf(() => jit(body as (v: Tensor) => Tensor)(x()));
    expect(error).toBeInstanceOf(TraceError);
    expect((error as TraceError).op).toBe(op);
    expect(error.message).toContain(why);
    expect(error.message).toMatch(new RegExp(`^${op} at .*trace\\.test\\.ts:\\d+:\\d+ `));
  });

  it('every kernel of the eager backend has a rule or a stated reason', () => {
    const kernels = tf.getKernelsForBackend('cpu').map(({ kernelName }) => kernelName);
    const unexplained = kernels.filter((name) => !(name in TRACE_RULES) && !(name in UNTRACED));
    expect(unexplained).toEqual([]);
    expect(Object.keys(UNTRACED).filter((name) => name in TRACE_RULES)).toEqual([]);
    expect(Object.keys(UNTRACED).filter((name) => !kernels.includes(name))).toEqual([]);
    const f = jit((v: Tensor) => tf.unique(v).values);
    expect(errorOf(() => f(x())).message).toContain('shape of its result depends on values');
  });

  it('names the very line', () => {
    let line = 0;
    const error = errorOf(() =>
      jit((v: Tensor) => {
        line = 1 + Number(/trace\.test\.ts:(\d+)/.exec(new Error().stack ?? '')?.[1]);
        return v.add(tf.randomNormal([3]));
      })(x()),
    );
    expect(error.message).toContain(`trace.test.ts:${line}:`);
  });

  it('an op without a gradient, when differentiated', () => {
    const f = (v: Tensor) => tf.sum(tf.multinomial(v as tf.Tensor1D, 2));
    const error = errorOf(() => grad(f)(x()));
    expect(error).toBeInstanceOf(TraceError);
    expect((error as TraceError).op).toBe('Multinomial');
  });

  it('leaves the backend as it was, also after an error', () => {
    const before = tf.getBackend();
    errorOf(() => jit((v: Tensor) => tf.unique(v).values)(x()));
    expect(tf.getBackend()).toBe(before);
    expect(Array.from(x().add(1).dataSync())).toEqual([2, 3, 4]);
  });

  it('a tensor kept from a trace is of no use outside, and says so', () => {
    let kept: Tensor | undefined;
    jit((v: Tensor) => {
      kept = tf.keep(v.add(1));
      return v;
    })(x());
    for (const use of [() => kept?.dataSync(), () => kept?.add(1).dataSync()]) {
      expect(errorOf(use).message).toContain('trace that has ended');
    }
  });

  it('operands that do not fit: the op and the line', () => {
    const error = errorOf(() => jit((v: Tensor) => v.add(tf.ones([2])))(x()));
    expect(error).toBeInstanceOf(ShapeError);
    expect(error.message).toMatch(/^add at .*trace\.test\.ts:\d+:\d+: shapes \[3\] and \[2\]/);
  });

  it('one number as padding of an oblong window, which TensorFlow.js sizes wrongly', () => {
    const f = (v: Tensor) => tf.maxPool(v.reshape([1, 1, 3, 1]) as tf.Tensor4D, [1, 2], 1, 0);
    expect(errorOf(() => jit(f)(x())).message).toContain('not square');
  });
});

describe('captured values', () => {
  const boxed = (first: number, captured: (v: number) => unknown) => {
    let current = captured(first);
    const f = jit((v: Tensor) => v.mul(current as Tensor), { checked: true, name: 'boxed' });
    return { f, change: (v: number) => (current = captured(v)) };
  };

  it.each([
    ['a number', (v: number) => v],
    ['a tensor', (v: number) => tf.tensor1d([v, v, v + 1])],
  ])('%s that changed is caught', (_, captured) => {
    const { f, change } = boxed(2, captured);
    f(x());
    f(x());
    expect(f.stats().checks).toBe(1);
    change(5);
    const error = errorOf(() => f(x()));
    expect(error).toBeInstanceOf(TraceError);
    expect(error.message).toContain('boxed traced to another graph');
  });

  it('an array whose elements changed in place is caught', () => {
    const table = Float32Array.of(1, 2, 3);
    const f = jit((v: Tensor) => v.mul(tf.tensor1d(table)), { checked: true });
    f(x());
    table[1] = 7;
    expect(errorOf(() => f(x()))).toBeInstanceOf(TraceError);
  });

  it('checks as many calls as asked for, and compiles once', () => {
    const f = jit((v: Tensor) => v.add(1), { checked: 3 });
    for (let i = 0; i < 6; i++) f(x());
    expect(f.stats()).toMatchObject({ traces: 1, checks: 2, onnxCalls: 6 });
  });

  it('a tensor that was disposed before the trace is an error', () => {
    const gone = x();
    gone.dispose();
    const error = errorOf(() => jit((v: Tensor) => v.add(gone))(x()));
    expect(error.message).toMatch(/disposed/i);
  });
});

describe('arguments and results of the wrong kind', () => {
  const id = jit((v: unknown) => v as Tensor, { name: 'id' });
  const disposed = x();
  disposed.dispose();

  it.each([
    ['a string', { a: 'x' }, 'arguments[0].a is neither'],
    ['a map', [new Map()], 'arguments[0][0] is neither'],
    ['a string tensor', tf.tensor(['a']), 'has dtype string'],
    ['a disposed tensor', disposed, 'was disposed'],
    [
      'an array of the wrong length',
      { data: new Float32Array(2), shape: [3], dtype: 'float32' },
      'Float32Array of 2 values; expected Float32Array of 3',
    ],
    [
      'an array of the wrong type',
      { data: new Float64Array(3), shape: [3], dtype: 'float32' },
      'Float64Array of 3 values; expected Float32Array',
    ],
  ])('%s', (_, argument, message) => {
    const error = errorOf(() => id(argument));
    expect(error).toBeInstanceOf(ShapeError);
    expect(error.message).toContain('jit: id: ');
    expect(error.message).toContain(message);
  });

  it('a result that is no tree of tensors', () => {
    const f = jit((v: Tensor) => ({ v, s: 'x' }) as unknown as Tensor, { name: 'f' });
    expect(errorOf(() => f(x())).message).toContain('jit: f: result.s is neither');
  });

  it('an async function', () => {
    const f = jit((async (v: Tensor) => v) as never as (v: Tensor) => Tensor);
    expect(errorOf(() => f(x())).message).toContain('must not be async');
  });

  it('an unknown executor', () => {
    expect(errorOf(() => jit(x, { executor: 'gpu' as never })).message).toContain(
      'known: auto, native, onnx, eager',
    );
  });
});

describe('differentiating around a jitted call', () => {
  it('gives the gradient, not a constant', () => {
    const square = jit((v: Tensor) => v.square());
    const { grad: g } = valueAndGrad((v: Tensor) => tf.sum(square(v).mul(v)))(x());
    expect(Array.from(g.dataSync())).toEqual([3, 12, 27]);
    expect(square.stats()).toMatchObject({ onnxCalls: 0, eagerCalls: 1 });
  });
});
