import { spawnSync } from 'node:child_process';
import { accessSync, constants, existsSync, readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { availableParallelism, cpus, freemem, totalmem } from 'node:os';
import { dirname } from 'node:path';
import { gibbsVersion, packageVersion } from '../../core/versions.ts';
import { type Command, JSON_OPTION, table } from '../command.ts';
import { devices } from '../doctor/devices.ts';
import type { Finding } from '../doctor/finding.ts';
import { nativeCode } from '../doctor/native.ts';

export const doctorCommand: Command = {
  usage: 'doctor',
  summary: 'Shows what this machine offers and whether everything needed works.',
  details: 'Exit code 1 when something needed is broken; what is optional may be absent.',
  positionals: [],
  options: { json: JSON_OPTION },
  run: async (args) => {
    const findings = await examine();
    const broken = findings.some(({ state }) => state === 'broken');
    if (args.flag('json')) {
      process.stdout.write(`${JSON.stringify({ ok: !broken, findings })}\n`);
    } else {
      process.stdout.write(describe(findings));
    }
    return broken ? 1 : 0;
  },
};

async function examine(): Promise<Finding[]> {
  return [
    { name: 'gibbs', found: gibbsVersion(), state: 'ok' },
    nodeVersion(),
    { name: 'processor', found: processor(), state: 'ok' },
    { name: 'memory', found: memory(), state: 'ok' },
    await engine(),
    ...(await nativeCode()),
    ...(await devices()),
    ...(await backends()),
    await runsFolder(),
    await mpi(),
    ...tools(),
  ];
}

function nodeVersion(): Finding {
  const [major, minor] = process.versions.node.split('.').map(Number);
  const enough = major > 20 || (major === 20 && minor >= 19);
  return {
    name: 'node',
    found: `${process.version} (${process.platform} ${process.arch})`,
    state: enough ? 'ok' : 'broken',
    ...(!enough && { advice: 'Gibbs needs Node 20.19 or later' }),
  };
}

function processor(): string {
  const model = cpus()[0]?.model.trim() ?? 'unknown';
  const threads = availableParallelism();
  return `${model}, ${threads} ${threads === 1 ? 'thread' : 'threads'}`;
}

function memory(): string {
  const gib = (bytes: number) => (bytes / 2 ** 30).toFixed(1);
  // 0 or a number beyond the machine's memory means: no limit.
  const limit = process.constrainedMemory?.() ?? 0;
  const limited = limit > 0 && limit < totalmem() ? `, limited to ${gib(limit)} GiB` : '';
  return `${gib(freemem())} of ${gib(totalmem())} GiB free${limited}`;
}

/** Compiles and runs a function with a known second derivative. */
async function engine(): Promise<Finding> {
  const version = packageVersion('onnxruntime-node') ?? 'not found';
  const name = 'engine';
  try {
    const { grad, jit, tf } = await import('../../jit/index.ts');
    type T = import('../../jit/index.ts').Tensor;
    const cube = (x: T) => tf.sum(tf.mul(x, tf.square(x)));
    const slope = (x: T) => tf.sum(grad(cube)(x));
    const second = jit((x: T) => grad(slope)(x), { name: 'doctor' });
    const started = performance.now();
    const values = [...second(tf.tensor1d([1, 2, -3])).dataSync()];
    const ms = performance.now() - started;
    const right = values.every((v, i) => Math.abs(v - [6, 12, -18][i]) < 1e-4);
    if (!right) throw new Error(`second derivatives of x³ at 1, 2, -3 came out as ${values}`);
    const found = `onnxruntime-node ${version}, self-test passed in ${ms.toFixed(0)} ms`;
    return { name, found, state: 'ok' };
  } catch (error) {
    const found = `onnxruntime-node ${version}: ${(error as Error).message.split('\n')[0]}`;
    return { name, found, state: 'broken', advice: 'reinstall with: npm ci' };
  }
}

async function backends(): Promise<Finding[]> {
  const { installedEagerBackends, tensorflowStatus } = await import('../../jit/index.ts');
  const require = createRequire(import.meta.url);
  const eager = installedEagerBackends((name) => require.resolve(name));
  const found: Finding = {
    name: 'tfjs',
    found: `${packageVersion('@tensorflow/tfjs') ?? 'unknown'}, eager backends: ${eager.join(', ')}`,
    state: 'ok',
  };
  const native = ['@tensorflow/tfjs-node', '@tensorflow/tfjs-node-gpu'].map((pkg): Finding => {
    const name = pkg.replace('@tensorflow/', '');
    const { version, trouble, install } = tensorflowStatus(pkg);
    if (version === undefined) {
      return { name, found: `not installed (optional: ${install})`, state: 'missing' };
    }
    if (trouble !== undefined) return { name, found: trouble, state: 'missing' };
    return { name, found: version, state: 'ok' };
  });
  return [found, ...native];
}

async function runsFolder(): Promise<Finding> {
  const { defaultRunsFolder } = await import('../../experiments/runs-folder.ts');
  const folder = defaultRunsFolder();
  let existing = folder;
  while (!existsSync(existing)) existing = dirname(existing);
  try {
    accessSync(existing, constants.W_OK);
  } catch {
    const advice = 'choose another place with --store or GIBBS_STORE, or make this one writable';
    return { name: 'runs', found: `${folder} cannot be written`, state: 'broken', advice };
  }
  const count = existing === folder ? countRuns(folder) : 0;
  return {
    name: 'runs',
    found: `${folder}: ${count} ${count === 1 ? 'run' : 'runs'}`,
    state: 'ok',
  };
}

/** For training on several processes; nothing is started. */
async function mpi(): Promise<Finding> {
  const { mpiLibrary } = await import('../../train/parallel/mpi-library.ts');
  const name = 'mpi';
  try {
    const use = 'mpirun -n 4 gibbs run toy …';
    return { name, found: `${mpiLibrary().version}, for ${use}`, state: 'ok' };
  } catch (error) {
    const found = `${(error as Error).message} (only for training on several processes)`;
    return { name, found, state: 'missing' };
  }
}

function countRuns(folder: string): number {
  const folders = readdirSync(folder, { withFileTypes: true }).filter((e) => e.isDirectory());
  return folders.reduce((sum, { name }) => sum + readdirSync(`${folder}/${name}`).length, 0);
}

function tools(): Finding[] {
  const wanted: readonly (readonly [name: string, command: string, args: string[], use: string])[] =
    [
      ['python', 'python3', ['--version'], 'only for comparisons with PyTorch and JAX'],
      ['jupyter', 'jupyter', ['--version'], 'to work in notebooks: pip install jupyterlab'],
      ['torch', 'python3', ['-c', 'import torch; print(torch.__version__)'], 'only for benchmarks'],
    ];
  return wanted.map(([name, command, args, use]) => {
    const { status, stdout } = spawnSync(command, args, { encoding: 'utf8', timeout: 20_000 });
    if (status !== 0) return { name, found: `not found (${use})`, state: 'missing' };
    const lines = stdout.trim().split('\n');
    const found = lines.find((line) => /jupyterlab|^Python|^\d/i.test(line)) ?? lines[0];
    return { name, found: found.replace(/\s+/g, ' '), state: 'ok' };
  });
}

function describe(findings: readonly Finding[]): string {
  const marks = { ok: '✓', missing: '–', broken: '✗' } as const;
  const rows = findings.map(({ name, found, state, advice }) => {
    const text = advice === undefined ? found : `${found}. ${advice}`;
    return [`${marks[state]} ${name}`, text] as const;
  });
  return `${table(rows).join('\n')}\n`;
}
