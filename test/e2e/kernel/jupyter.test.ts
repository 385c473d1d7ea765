import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { build } from '../notebook/gibbs.ts';
import { type Jupyter, prepareJupyter, requireBrowser } from './jupyter/environment.ts';

let jupyter: Jupyter;
beforeAll(async () => {
  jupyter = await prepareJupyter();
});
afterAll(() => jupyter?.dispose());

/** Without a browser only where somebody has said so: a silent skip would hide a broken page. */
const withoutBrowser = process.env['GIBBS_TEST_BROWSER'] === 'none';

describe('Jupyter', () => {
  it('finds the kernel in order by its own tests; the pager alone does not apply', async () => {
    const { passed, ran, skipped, output } = await jupyter.test('test_kernel.py');
    expect(passed, output).toBe(true);
    expect([ran, skipped]).toEqual([12, 1]);
  });

  it('finds it where it is installed into a virtual environment, and beside other kernels', async () => {
    build();
    const before = await jupyter.kernels();
    expect(before).toHaveProperty('python3');
    const place = ['--sys-prefix', '--name', 'gibbs-in-venv'];
    const said = await jupyter.gibbsKernel('install', ...place);
    try {
      const { 'gibbs-in-venv': folder, ...others } = await jupyter.kernels();
      expect(said).toBe(`installed: ${folder}\n`);
      expect(folder).toMatch(/jupyter-venv.share.jupyter.kernels.gibbs-in-venv$/);
      expect(others).toEqual(before);
      expect(await jupyter.gibbsKernel('list')).toContain(folder);
    } finally {
      await jupyter.gibbsKernel('uninstall', ...place);
    }
    expect(await jupyter.kernels()).toEqual(before);
  });

  it('runs notebooks with no output lost, no growth, Stop and restart', async () => {
    const { passed, ran, skipped, output } = await jupyter.test('test_notebooks.py');
    expect(passed, output).toBe(true);
    expect([ran, skipped]).toEqual([4, 0]);
  });

  it.skipIf(withoutBrowser)(
    'runs Figure 1, a slider and Stop in JupyterLab in a browser; GIBBS_TEST_BROWSER=none skips it',
    async () => {
      await requireBrowser();
      const { passed, ran, skipped, output } = await jupyter.test('test_lab.py');
      expect(passed, output).toBe(true);
      expect([ran, skipped]).toEqual([2, 0]);
    },
  );
});
