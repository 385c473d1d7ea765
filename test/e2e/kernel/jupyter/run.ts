import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { buildKernel } from '../../../kernel/build.ts';

const ROOT = resolve(import.meta.dirname, '../../../..');
const VENV = join(ROOT, '.cache', 'jupyter-venv');
const PYTHON = join(VENV, 'bin', 'python');
const PACKAGES = [
  'jupyter_kernel_test',
  'jupyter_client',
  'nbclient',
  'nbformat',
  'jupyterlab',
  'selenium',
];

/** The files named on the command line; by default all, Lab's where there is a browser. */
function wanted(): string[] {
  if (process.argv.length > 2) return process.argv.slice(2);
  const browser = ['chromium', 'chromedriver'].every(
    (name) => spawnSync(name, ['--version']).status === 0,
  );
  if (!browser) process.stdout.write('no chromium and chromedriver: JupyterLab is not tested\n');
  return ['test_kernel.py', 'test_notebooks.py', ...(browser ? ['test_lab.py'] : [])];
}

/** Runs Jupyter's tests of kernels, and ours that need Jupyter, in a virtual environment. */
async function main(): Promise<number> {
  if (
    !existsSync(PYTHON) ||
    spawnSync(PYTHON, ['-c', 'import jupyter_kernel_test, jupyterlab, selenium']).status !== 0
  ) {
    execFileSync('python3', ['-m', 'venv', VENV], { stdio: 'inherit' });
    execFileSync(PYTHON, ['-m', 'pip', 'install', '--quiet', ...PACKAGES], { stdio: 'inherit' });
  }
  const home = mkdtempSync(join(tmpdir(), 'gibbs-jupyter-'));
  const env = {
    ...process.env,
    JUPYTER_DATA_DIR: join(home, 'data'),
    JUPYTER_RUNTIME_DIR: join(home, 'runtime'),
    JUPYTER_CONFIG_DIR: join(home, 'config'),
    GIBBS_KERNEL_HISTORY: join(home, 'history.jsonl'),
  };
  process.env['JUPYTER_DATA_DIR'] = env.JUPYTER_DATA_DIR;
  try {
    const { installKernel } = (await import(
      join(buildKernel(), '../install/kernelspec.js')
    )) as typeof import('../../../../src/kernel/install/kernelspec.ts');
    installKernel();
    const files = [...wanted()].map((f) => join(import.meta.dirname, f));
    let failed = 0;
    for (const file of files) {
      const { status } = spawnSync(PYTHON, [file, '--verbose'], {
        env,
        stdio: 'inherit',
        cwd: home,
      });
      if (status !== 0) failed++;
    }
    return failed;
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
}

process.exitCode = await main();
