import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { HostTensor } from '../../src/core/host-tensor.ts';
import { jit, type Tensor, tf } from '../../src/jit/index.ts';
import type { Graph } from '../../src/jit/ir/ops.ts';
import { lowerToC } from '../../src/jit/native/compile.ts';
import { NativeSession } from '../../src/jit/native/executor.ts';
import { caseOf, compare } from '../jit/check.ts';
import {
  buildGraph,
  graphInputs,
  mergeGraphs,
  programs,
  runGraph,
  runSession,
} from '../jit/graphs.ts';
import { OPS } from '../jit/ops.ts';

/*
 * Every op with its derivatives, and random graphs, as compiled C. Many are compiled as one: most of
 * a compiler's time goes into starting it.
 */

/** Samples per op, and random graphs; set higher for a longer search. */
const SAMPLES = Number(process.env['GIBBS_SAMPLES'] ?? 1);
const GRAPHS = Number(process.env['GIBBS_GRAPHS'] ?? 1000);
const SEED = Number(process.env['GIBBS_SAMPLES_SEED'] ?? 2025);
const TOGETHER = 24;
const GRAPHS_TOGETHER = 50;

const chunks = <T>(items: readonly T[], size: number): T[][] =>
  Array.from({ length: Math.ceil(items.length / size) }, (_, i) =>
    items.slice(i * size, (i + 1) * size),
  );

const entries = OPS.flatMap((entry) =>
  fc.sample(entry.samples, { seed: SEED, numRuns: SAMPLES }).map((sample) => ({ entry, sample })),
);

describe('compiled to C, ops and their derivatives are what they are eagerly', () => {
  it.each(chunks(entries, TOGETHER).map((chunk, i) => [i, chunk] as const))(
    'group %i',
    (_, chunk) => {
      const cases = chunk.map(({ entry, sample }) => caseOf(entry, sample));
      type Trees = readonly (readonly [Tensor[], Tensor[], Tensor[]])[];
      const all = jit((trees: Trees) => trees.map((args, i) => cases[i].f(...args)), {
        executor: 'native',
        name: 'many ops',
      });
      const results = all(cases.map((c) => [c.args, c.weights, c.penalties]) as never);
      chunk.forEach(({ entry, sample }, i) => {
        try {
          compare(entry, sample, results[i], cases[i].eager);
        } catch (error) {
          (error as Error).message = `${entry.name} ${sample.text}\n${(error as Error).message}`;
          throw error;
        }
      });
      expect(all.stats()).toMatchObject({ traces: 1, nativeCalls: 1, onnxCalls: 0, eagerCalls: 0 });
      tf.dispose([cases.map((c) => c.eager), results] as never);
    },
    120_000,
  );
});

function runNative(graph: Graph, inputs: readonly HostTensor[]): Float32Array[] {
  return runSession(new NativeSession(lowerToC(graph), 'random'), graph, inputs);
}

describe('random graphs', () => {
  const graphs = fc
    .sample(programs, { seed: SEED, numRuns: GRAPHS })
    .map((program) => buildGraph(program));

  it.each(chunks(graphs, GRAPHS_TOGETHER).map((chunk, i) => [i, mergeGraphs(chunk)] as const))(
    'group %i: as ONNX Runtime has it',
    (_, graph) => {
      const inputs = graphInputs();
      const [native, onnx] = [runNative(graph, inputs), runGraph(graph, inputs)];
      native.forEach((values, k) => {
        values.forEach((v, i) => {
          const want = onnx[k][i];
          if (Object.is(v, want) || v === want) return;
          const within = Math.abs(v - want) <= 2e-4 * Math.abs(want) + 2e-5;
          expect(within, `output ${k}, element ${i}: ${v}, ONNX Runtime ${want}`).toBe(true);
        });
      });
    },
    120_000,
  );
});
