import { execFile } from 'node:child_process';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';

export type PythonLibrary = 'torch' | 'jax';

export interface Python {
  readonly executable: string;
  /** Version of each library that is installed there. */
  readonly libraries: Readonly<Partial<Record<PythonLibrary, string>>>;
}

/** Finds a library without importing it, which for these takes seconds. */
const PROBE = `
import importlib.metadata as m, importlib.util as u, json, os, sys
def version(name):
    if u.find_spec(name) is None:
        return None
    try:
        return m.version(name)
    except m.PackageNotFoundError:
        return '0'
print(json.dumps({'id': [sys.prefix, os.path.realpath(sys.executable)],
                  'torch': version('torch'), 'jax': version('jax')}))
`;

/**
 * The distinct Pythons among GIBBS_BENCH_PYTHON (a list of executables), PATH and Debian's own that
 * have torch or jax, in this order.
 */
export async function findPythons(env: NodeJS.ProcessEnv = process.env): Promise<Python[]> {
  const named = (env['GIBBS_BENCH_PYTHON'] ?? '').split(delimiter).filter(Boolean);
  const onPath = (env['PATH'] ?? '')
    .split(delimiter)
    .filter(Boolean)
    .flatMap((folder) => [join(folder, 'python3'), join(folder, 'python')]);
  const found = new Map<string, Python>();
  for (const executable of new Set([...named, ...onPath, '/usr/bin/python3'])) {
    const answer = await probe(executable);
    if (!answer) continue;
    const { id, torch, jax } = answer;
    const key = id.join('\n');
    if (found.has(key) || (!torch && !jax)) continue;
    found.set(key, {
      executable,
      libraries: { ...(torch && { torch }), ...(jax && { jax }) },
    });
  }
  return [...found.values()];
}

type Answer = { id: string[] } & Record<PythonLibrary, string | null>;

async function probe(executable: string): Promise<Answer | undefined> {
  try {
    const { stdout } = await promisify(execFile)(executable, ['-c', PROBE], { timeout: 20_000 });
    return JSON.parse(stdout) as Answer;
  } catch {
    return undefined; // not there, not a Python 3, or a shim without a version behind it
  }
}

/** `2.15.0+cu132` → [2, 15]; unknown versions are [0, 0]. */
export function majorMinor(version: string): [number, number] {
  const [, major, minor] = /^(\d+)\.(\d+)/.exec(version) ?? [];
  return [Number(major ?? 0), Number(minor ?? 0)];
}
