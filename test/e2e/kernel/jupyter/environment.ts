import { execFile, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
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
  'anywidget',
  'selenium',
];
const IMPORTS = 'import jupyter_kernel_test, nbclient, jupyterlab, anywidget, selenium';

const run = promisify(execFile);

/** How a file of Python tests ended. */
export interface PythonRun {
  readonly passed: boolean;
  readonly ran: number;
  readonly skipped: number;
  readonly output: string;
}

/** Jupyter with this kernel, in folders of its own. */
export interface Jupyter {
  test(file: string): Promise<PythonRun>;
  /** The folders of the kernels that Jupyter itself finds, by name. */
  kernels(): Promise<Record<string, string>>;
  /** Runs `gibbs kernel` as one does who has activated the virtual environment. */
  gibbsKernel(...args: readonly string[]): Promise<string>;
  dispose(): void;
}

/**
 * Installs Jupyter into a virtual environment, once, and the kernel as it stands into a fresh
 * folder.
 * @throws Error in one line that says what to install.
 */
export async function prepareJupyter(): Promise<Jupyter> {
  await installJupyter();
  const home = mkdtempSync(join(tmpdir(), 'gibbs-jupyter-'));
  const env = {
    ...process.env,
    JUPYTER_DATA_DIR: join(home, 'data'),
    JUPYTER_RUNTIME_DIR: join(home, 'runtime'),
    JUPYTER_CONFIG_DIR: join(home, 'config'),
    GIBBS_KERNEL_HISTORY: join(home, 'history.jsonl'),
  };
  const entry = join(buildKernel(), '../install/kernelspec.js');
  const code = `import { installKernel } from ${JSON.stringify(entry)}; installKernel();`;
  await run(process.execPath, ['--input-type=module', '-e', code], { env });
  return {
    test: (file) => python(join(import.meta.dirname, file), home, env),
    kernels: async () => {
      const args = ['-m', 'jupyter', 'kernelspec', 'list', '--json'];
      const { stdout } = await run(PYTHON, args, { env });
      const found = JSON.parse(stdout) as { kernelspecs: Record<string, { resource_dir: string }> };
      const entries = Object.entries(found.kernelspecs);
      return Object.fromEntries(entries.map(([name, spec]) => [name, spec.resource_dir]));
    },
    gibbsKernel: async (...args) => {
      const main = join(ROOT, 'dist', 'cli', 'main.js');
      const active = { ...env, VIRTUAL_ENV: VENV };
      return (await run(process.execPath, [main, 'kernel', ...args], { env: active })).stdout;
    },
    dispose: () => rmSync(home, { recursive: true, force: true }),
  };
}

/** @throws Error in one line when no browser that can be driven is there. */
export async function requireBrowser(): Promise<void> {
  const has = async (name: string) => {
    const found = await run(name, ['--version']).catch(() => undefined);
    return found !== undefined;
  };
  const browser = (await has('chromium')) || (await has('google-chrome'));
  if (browser && (await has('chromedriver'))) return;
  throw new Error(
    'the test of JupyterLab needs Chromium and chromedriver: apt-get install chromium ' +
      'chromium-driver (GIBBS_TEST_BROWSER=none leaves it out where they cannot be had)',
  );
}

async function installJupyter(): Promise<void> {
  if (existsSync(PYTHON)) {
    const works = await run(PYTHON, ['-c', IMPORTS]).catch(() => undefined);
    if (works !== undefined) return;
  }
  const step = async (program: string, args: string[], hint: string) => {
    await run(program, args).catch((error: Error & { stderr?: string }) => {
      const why = (error.stderr || error.message).trim().split('\n').at(-1);
      throw new Error(`${hint} (${why})`);
    });
  };
  await step(
    'python3',
    ['-m', 'venv', '--clear', VENV],
    'the tests with Jupyter need Python 3 with venv: apt-get install python3-venv',
  );
  await step(
    PYTHON,
    ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', ...PACKAGES],
    `the tests with Jupyter need a network, or these in ${VENV}: pip install ${PACKAGES.join(' ')}`,
  );
}

/** Runs a file of unittest; the worker of vitest must not be blocked meanwhile. */
function python(file: string, cwd: string, env: NodeJS.ProcessEnv): Promise<PythonRun> {
  const child = spawn(PYTHON, ['-W', 'ignore', file, '--verbose'], { cwd, env });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
  }
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => {
      const count = (pattern: RegExp) => Number(pattern.exec(output)?.[1] ?? 0);
      const [ran, skipped] = [count(/^Ran (\d+) tests?/m), count(/skipped=(\d+)/)];
      resolve({ passed: code === 0, ran, skipped, output });
    });
  });
}
