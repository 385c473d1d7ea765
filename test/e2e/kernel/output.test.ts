import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isReplyTo, KernelClient, ofType } from '../../kernel/client.ts';

let kernel: KernelClient;
beforeAll(async () => {
  kernel = await KernelClient.start();
});
afterAll(() => kernel.close());

describe('text', { timeout: 60_000 }, () => {
  it('arrives complete, in order, in few messages, before idle', async () => {
    const run = await kernel.execute("for (let i = 0; i < 100_000; i++) console.log('line ' + i);");
    const lines = run.stdout.split('\n');
    expect(lines.length).toBe(100_001);
    expect(lines.every((line, i) => i === 100_000 || line === `line ${i}`)).toBe(true);
    expect(ofType(run, 'stream').length).toBeLessThan(1000);
    expect(run.outputs.at(-1)?.content['execution_state']).toBe('idle');
  });

  it('keeps the order of stdout, stderr, displays and results', async () => {
    const run = await kernel.execute(
      'console.log(1); console.error(2); display.text("3"); process.stdout.write("4"); 5',
    );
    const order = run.outputs.flatMap(({ header, content }) => {
      if (header.msg_type === 'stream')
        return [`${content['name']} ${String(content['text']).trim()}`];
      return ['display_data', 'execute_result'].includes(header.msg_type) ? [header.msg_type] : [];
    });
    expect(order).toEqual(['stdout 1', 'stderr 2', 'display_data', 'stdout 4', 'execute_result']);
  });

  it('is shown while the cell still computes', async () => {
    const run = kernel.begin("console.log('early'); while (true);");
    // Never comes if text waits for the event loop: nothing else ends this cell.
    await kernel.printed(run.id, 'early');
    await kernel.request('interrupt_request', {}, 'control');
    expect((await run.done).stdout).toBe('early\n');
  });

  it('belongs to the cell that started it, however late it comes', async () => {
    const first = kernel.begin(`setTimeout(() => console.log('from the first'), 150); 'started'`);
    await first.done;
    const second = await kernel.execute(
      'await new Promise((r) => setTimeout(r, 300)); console.log("from the second")',
    );
    expect(second.stdout).toBe('from the second\n');
    const late = kernel.iopub.find((m) => String(m.content['text']).includes('from the first'));
    expect(late && isReplyTo(late, first.id)).toBe(true);
  });

  it('of child processes is captured, in time', async () => {
    const run = await kernel.execute(`
      const { execSync, spawn } = await import('node:child_process');
      execSync('echo out; echo err >&2', { stdio: 'inherit' });
      await new Promise((r) => spawn('sh', ['-c', 'sleep 0.05; echo spawned'], { stdio: 'inherit' }).on('close', r));`);
    expect(run.stdout).toBe('out\nspawned\n');
    expect(run.stderr).toBe('err\n');
  });

  it('is bounded and says so; a 100 MB string does no harm', async () => {
    const run = await kernel.execute('console.log("x".repeat(100e6)); console.log("after")');
    expect(run.reply['status']).toBe('ok');
    expect(run.stdout.length).toBeLessThan(40e6);
    expect(run.stderr).toMatch(/output truncated: \d+\.\d MB/);
    const result = await kernel.execute('"y".repeat(100e6)');
    expect(result.result?.length).toBeLessThan(20_000);
    expect(result.result).toContain('more characters');
    expect((await kernel.execute('console.log("fine")')).stdout).toBe('fine\n');
  });

  it('from a flood of bytes of a child process is bounded too', async () => {
    const run = await kernel.execute(`
      (await import('node:child_process')).execSync('head -c 60000000 /dev/zero | tr "\\\\0" z', { stdio: 'inherit' });`);
    expect(run.stdout.length).toBeLessThan(40e6);
    expect(run.stderr).toContain('output truncated');
  });
});

describe('displays', () => {
  it('have helpers for kinds of output', async () => {
    const run = await kernel.execute(`
      display.html('<b>b</b>'); display.markdown('*m*'); display.latex('$x$'); display.svg('<svg/>');
      display.png(new Uint8Array([1, 2, 3])); display.json({ a: 1 });
      display.vegaLite({ mark: 'point' }); display.table([{ a: 1, b: 'two' }]);
      display.imageGrid({ shape: [4, 1, 8, 8], dtype: 'float32', data: new Float32Array(256) });`);
    const types = ofType(run, 'display_data').map((c) => Object.keys(c['data'] as object)[0]);
    expect(types).toEqual([
      'text/html',
      'text/markdown',
      'text/latex',
      'image/svg+xml',
      'image/png',
      'application/json',
      'application/vnd.vegalite.v5+json',
      'text/html',
      'image/png',
    ]);
  });

  it('update in place by id, and clear', async () => {
    const run = await kernel.execute(`
      const d = await display({ a: 1 }, { id: 'mine' });
      await d.update({ a: 2 });
      await display.update('mine', 'three');
      display.clear(true);`);
    const [shown] = ofType(run, 'display_data');
    const updates = ofType(run, 'update_display_data');
    expect(shown['transient']).toEqual({ display_id: 'mine' });
    expect(updates.map((c) => c['transient'])).toEqual([
      { display_id: 'mine' },
      { display_id: 'mine' },
    ]);
    expect((updates[1]['data'] as Record<string, string>)['text/plain']).toBe("'three'");
    expect(ofType(run, 'clear_output')).toEqual([{ wait: true }]);
  });

  it('are made by values that know how', async () => {
    const run = await kernel.execute(`
      class Own { async [Symbol.for('Jupyter.display')]() { return { 'text/html': '<i>own</i>', 'text/plain': 'own' } } }
      new Own()`);
    expect(run.data).toEqual({ 'text/html': '<i>own</i>', 'text/plain': 'own' });
    const failing = await kernel.execute(
      `({ [Symbol.for('Jupyter.display')]() { throw new Error('cannot draw') } })`,
    );
    expect(failing.error?.evalue).toBe('cannot draw');
  });

  it('summarise tensors and draw batches of images', async () => {
    const tensor = await kernel.execute(
      `({ shape: [200, 2], dtype: 'float32', data: Float32Array.from({ length: 400 }, (_, i) => i % 2) })`,
    );
    expect(tensor.result).toMatch(/^Tensor\[200,2\] float32\n {2}min 0 {2}max 1 {2}mean 0\.5/);
    const images = await kernel.execute(
      `({ shape: [2, 3, 8, 8], dtype: 'float32', data: new Float32Array(2 * 3 * 64) })`,
    );
    expect(Buffer.from(String(images.data?.['image/png']), 'base64').toString('latin1', 1, 4)).toBe(
      'PNG',
    );
  });

  it('show a progress bar that ends as one line', async () => {
    const run = await kernel.execute(`
      const bar = display.progress(50, { label: 'training', interval: 0 });
      for (let i = 0; i < 50; i++) bar.step(1, \`loss \${i}\`);`);
    const [first] = ofType(run, 'display_data');
    const updates = ofType(run, 'update_display_data');
    expect(updates.length).toBe(50);
    expect(new Set(updates.map((c) => JSON.stringify(c['transient']))).size).toBe(1);
    expect(updates[0]['transient']).toEqual(first['transient']);
    const last = (updates[49]['data'] as Record<string, string>)['text/plain'];
    expect(last).toMatch(/^training {2}50\/50 {2}[\d.]+ s {2}loss 49$/);
  });
});
