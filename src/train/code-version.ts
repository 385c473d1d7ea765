import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { HostTensor } from '../core/host-tensor.ts';
import type { Key } from '../core/random.ts';
import { packageVersion } from '../core/versions.ts';
import { jit } from '../jit/index.ts';
import type { Objective } from '../objectives/objective.ts';
import { drawNoise, drawsOf, unread } from './noise.ts';
import { canonicalJson } from './run.ts';
import { checksum, checksumOf, namedLeaves } from './state-leaves.ts';

/*
 * What "the code" of a run is. Two answers that come to mind are wrong for this project:
 *
 * - The content of the source files that an experiment reaches. The toy experiment reaches the
 *   whole engine and every other method, so each comment, each renamed variable and each method
 *   added beside it would train hundreds of runs again, days of computing, for equal numbers.
 * - A revision number that its author raises. It is right as long as nobody forgets; in the hour in
 *   which a loss is being changed, which is when it matters, everybody does, and old numbers would
 *   be shown as those of the new loss.
 *
 * So the version is a hash of what the code computes. A training step is recorded as a graph before
 * it runs anyway; the graph holds every operation and constant of losses, gradients and optimisers
 * and nothing of how they are written. With the first state, data, noise and schedule (all drawn on
 * the host, the same bits on every machine) it determines a training up to the loop around it, in a
 * tenth of a second; the answer is remembered until any source file changes.
 *
 * What a graph does not hold is the plain code around it: this loop (LOOP_REVISION) and the
 * evaluation, of which an experiment puts into `evaluation` what it can compute at once, e.g. its
 * numbers for a few fixed points. For the rest an experiment has a revision in its configuration.
 */

/** Raised when the training loop gives other numbers for the same step. */
const LOOP_REVISION = 1;

export interface Computation {
  readonly objective: Objective;
  readonly data: (key: Key) => HostTensor;
  readonly steps: number;
  readonly scalars?: (step: number) => Readonly<Record<string, number>>;
  /** Plain JSON that changes when the evaluation after the training does. */
  readonly evaluation?: unknown;
}

/** 16 hex digits: equal for computations that give the same numbers. */
export function codeVersion(computation: Computation): string {
  const { objective, data, steps, scalars } = computation;
  // One version for all seeds of a configuration: the draws of one stand for those of the others.
  const seed = 0;
  const hash = createHash('sha256');
  const add = (name: string, value: unknown) => hash.update(`${name} ${canonicalJson(value)}\n`);
  const state = objective.init(seed);
  const noise = unread(objective.noise);
  const batch = { data: data({ seed, stream: 'data', step: 0 }) };
  const later = { data: data({ seed, stream: 'data', step: 1 }) };
  const step = jit(objective.step.bind(objective) as (...args: unknown[]) => unknown, {
    name: `${objective.name}/step`,
  });
  add('loop', LOOP_REVISION);
  add('name', objective.name);
  add('step', step.fingerprint(state, batch, noise));
  if (objective.between) {
    const { every, step: between } = objective.between;
    const fn = jit(between as (...args: unknown[]) => unknown, { name: 'between' });
    add('between', [every, fn.fingerprint(state, batch, noise)]);
  }
  add('init', checksum(namedLeaves(state)));
  add('data', [checksum(batch), checksum(later)]);
  const draws = drawsOf(objective.noise, { seed, stream: objective.name, step: 0 });
  add('noise', [objective.noise, checksumOf(draws)]);
  add(
    'scalars',
    [0, Math.floor(steps / 2), Math.max(0, steps - 1)].map((at) => scalars?.(at)),
  );
  add('sampling', samplingOf(objective, state));
  add('evaluation', computation.evaluation ?? null);
  return hash.digest('hex').slice(0, 16);
}

/** What samples and densities are drawn with, where the objective itself does it. */
function samplingOf(objective: Objective, state: unknown): unknown {
  const rows = 2;
  const x = { shape: [rows, ...objective.batchShape.slice(1)], dtype: 'float32' as const };
  const size = x.shape.reduce((a, b) => a * b, 1);
  const specs = objective.sample && objective.sampleNoise?.(rows);
  const fingerprint = (fn: (...args: never[]) => unknown, ...args: unknown[]) =>
    jit(fn as (...args: unknown[]) => unknown).fingerprint(...args);
  return {
    energy:
      objective.energy &&
      fingerprint((s: never, at: never) => objective.energy?.(s, at), state, {
        ...x,
        data: new Float32Array(size),
      }),
    sample:
      specs &&
      fingerprint(
        (s: never, n: never) => objective.sample?.(s, n),
        state,
        drawNoise(specs, { seed: 0, stream: objective.name, step: 0 }),
      ),
  };
}

let sources: string | undefined;

/**
 * SHA-256 (hex) of all source files that can change a number, and of TensorFlow.js: while it stays,
 * so does every code version. Read once per process.
 */
export function sourcesDigest(): string {
  if (sources !== undefined) return sources;
  const hash = createHash('sha256').update(packageVersion('@tensorflow/tfjs') ?? '');
  const root = fileURLToPath(new URL('..', import.meta.url));
  const visit = (folder: string): void => {
    const entries = readdirSync(folder, { withFileTypes: true });
    for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
      const path = join(folder, entry.name);
      if (entry.isDirectory()) visit(path);
      else if (/(?<!\.d)\.(ts|js)$/.test(entry.name)) hash.update(path).update(readFileSync(path));
    }
  };
  for (const room of ROOMS) visit(join(root, room));
  sources = hash.digest('hex');
  return sources;
}

const ROOMS = [
  'core',
  'datasets',
  'diffusion',
  'experiments',
  'jit',
  'metrics',
  'models',
  'nn',
  'objectives',
  'optim',
  'samplers',
  'train',
];
