import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isReplyTo, KernelClient } from '../../kernel/client.ts';

let kernel: KernelClient;
beforeAll(async () => {
  kernel = await KernelClient.start({ env: { GIBBS_KERNEL_TYPES: 'warn' } });
  // The type checker reads its libraries once.
  await kernel.execute('// @gibbs types=block\n0');
});
afterAll(() => kernel.close());

const WRONG = 'const text: string = 5 as const;';

describe('types of cells', { timeout: 60_000 }, () => {
  it('warn on stderr, and the cell runs all the same', async () => {
    const run = kernel.begin(`${WRONG}\ntext`);
    const warning = await kernel.wait(
      (m) =>
        isReplyTo(m, run.id) && m.header.msg_type === 'stream' && m.content['name'] === 'stderr',
      30_000,
    );
    const { result, reply } = await run.done;
    expect(result).toBe('5');
    expect(warning.content['text']).toMatch(
      new RegExp(`^Cell \\[${reply['execution_count']}\\]:1:7 - error TS2322`),
    );
  });

  it('block the cell where the directive says so', async () => {
    const run = await kernel.execute(`// @gibbs types=block\nglobalThis.ran = 1;\n${WRONG}`);
    expect(run.error?.ename).toBe('TypeCheckError');
    expect(run.error?.traceback.join('\n')).toContain('TS2322');
    expect((await kernel.execute('typeof (globalThis as any).ran')).result).toBe("'undefined'");
  });

  it('are not checked where the directive says so', async () => {
    const off = kernel.begin(`// @gibbs types=off\n${WRONG}\ntext`);
    expect((await off.done).result).toBe('5');
    // A checked cell after it: whatever would be said of the first has been said by then.
    await kernel.execute('// @gibbs types=block\n1');
    const said = kernel.iopub.some((m) => isReplyTo(m, off.id) && m.content['name'] === 'stderr');
    expect(said).toBe(false);
  });

  it('are known across cells, to completion and inspection too', async () => {
    await kernel.execute(
      'interface Model { energy(x: number): number }\nconst model: Model = { energy: (x) => x };',
    );
    const run = await kernel.execute('// @gibbs types=block\nconst e: number = model.energy(2); e');
    expect(run.result).toBe('2');
    const complete = await kernel.request('complete_request', { code: 'model.ene', cursor_pos: 9 });
    expect(complete.content['matches']).toEqual(['energy']);
    const inspect = await kernel.request('inspect_request', {
      code: 'model.energy',
      cursor_pos: 10,
      detail_level: 1,
    });
    expect(JSON.stringify(inspect.content['data'])).toContain('energy(x: number): number');
  });

  it('know what the kernel gives to cells', async () => {
    const run = await kernel.execute(
      "// @gibbs types=block\nimport * as tslab from 'tslab';\nconst bar = display.progress(1); bar.step(); tslab.display.text('x'); 'fine'",
    );
    expect(run.error).toBeUndefined();
    expect(run.result).toBe("'fine'");
  });
});
