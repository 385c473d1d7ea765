import { execFileSync } from 'node:child_process';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';
import { ConfigError } from '../../core/errors.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** Where Jupyter keeps a user's data: kernels lie in `kernels/` below. */
export function userDataDir(env: Environment = process.env, platform = process.platform): string {
  if (env['JUPYTER_DATA_DIR']) return env['JUPYTER_DATA_DIR'];
  const home = env['HOME'] ?? homedir();
  if (platform === 'darwin') return join(home, 'Library', 'Jupyter');
  if (platform === 'win32') return join(env['APPDATA'] ?? home, 'jupyter');
  return join(env['XDG_DATA_HOME'] ?? join(home, '.local', 'share'), 'jupyter');
}

/** The folder of the active Python environment: what Python calls `sys.prefix`. */
export function sysPrefix(env: Environment = process.env): string {
  const named = env['VIRTUAL_ENV'] ?? env['CONDA_PREFIX'];
  if (named) return named;
  for (const python of ['python3', 'python']) {
    try {
      const code = 'import sys; print(sys.prefix)';
      return execFileSync(python, ['-c', code], {
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'ignore'],
      }).trim();
    } catch {
      // Try the next name.
    }
  }
  throw new ConfigError(
    'kernel install: --sys-prefix needs an active virtual environment or a python3 on the path',
  );
}

/** The same where there is one. */
function activePrefix(env: Environment): string | undefined {
  try {
    return sysPrefix(env);
  } catch {
    return undefined;
  }
}

/** Every folder in which Jupyter and VS Code look for kernels, first come first served. */
export function kernelDirs(env: Environment = process.env, platform = process.platform): string[] {
  const shares = [
    ...(env['JUPYTER_PATH'] ?? '').split(delimiter).filter((p) => p !== ''),
    userDataDir(env, platform),
    ...[env['VIRTUAL_ENV'], env['CONDA_PREFIX'], activePrefix(env)]
      .filter((p): p is string => p !== undefined && p !== '')
      .map((p) => join(p, 'share', 'jupyter')),
    ...(platform === 'win32'
      ? [join(env['PROGRAMDATA'] ?? 'C:\\ProgramData', 'jupyter')]
      : ['/usr/local/share/jupyter', '/usr/share/jupyter']),
  ];
  return [...new Set(shares)].map((share) => join(share, 'kernels'));
}
