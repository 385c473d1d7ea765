import { fileURLToPath } from 'node:url';
import type { BenchOptions, ContestantSpec, MissingPeer } from './bench.ts';
import { serveArgs } from './command.ts';
import { findPythons, majorMinor, type PythonLibrary } from './pythons.ts';

/** Peer scripts of one bench, by library. */
export interface PythonScripts {
  readonly torch?: URL;
  /** Whether the PyTorch script takes --compile. */
  readonly compile?: boolean;
  readonly jax?: URL;
  /** Further arguments of every script, and iterations before the first round (default 100). */
  readonly args?: readonly string[];
  readonly warmup?: number;
}

/** torch.compile traces through func.grad and fused Adam runs on the CPU from this version on. */
const COMPILES_FROM: [number, number] = [2, 4];

/** One contestant for every Python and library found; with PyTorch a second, compiled one. */
export async function pythonPeers(
  scripts: PythonScripts,
  options: BenchOptions,
): Promise<{ specs: ContestantSpec[]; missing: MissingPeer[] }> {
  const pythons = await findPythons();
  const specs: ContestantSpec[] = [];
  const missing: MissingPeer[] = [];
  const add = (library: PythonLibrary, title: string, install: string) => {
    const script = scripts[library];
    if (!script) return;
    const before = specs.length;
    for (const { executable, libraries } of pythons) {
      const version = libraries[library];
      if (version === undefined) continue;
      const serving = serveArgs(options.threads, scripts.warmup);
      const args = [fileURLToPath(script), ...serving, ...(scripts.args ?? [])];
      const label = `${title} ${version}`;
      specs.push({ label, role: 'peer', command: executable, args });
      const [major, minor] = majorMinor(version);
      const compiles = major > COMPILES_FROM[0] || (major === 2 && minor >= COMPILES_FROM[1]);
      if (library === 'torch' && scripts.compile && compiles && !options.quick) {
        const compiled = [...args, '--compile'];
        specs.push({
          label: `${label} compiled`,
          role: 'peer',
          command: executable,
          args: compiled,
        });
      }
    }
    if (specs.length === before) missing.push({ label: title, hint: `not found; ${install}` });
  };
  const set = 'or name a Python that has it in GIBBS_BENCH_PYTHON';
  add('torch', 'PyTorch', `install it (pip install torch) ${set}`);
  add('jax', 'JAX', `install it (pip install jax) ${set}`);
  return { specs, missing };
}
