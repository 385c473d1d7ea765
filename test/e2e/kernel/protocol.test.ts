import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { Dealer } from 'zeromq';
import { isReplyTo, KernelClient, ofType } from '../../kernel/client.ts';

let kernel: KernelClient;
beforeAll(async () => {
  kernel = await KernelClient.start();
});
afterAll(() => kernel.close());

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

describe('requests', () => {
  it('kernel_info tells protocol and language', async () => {
    const { content } = await kernel.request('kernel_info_request', {});
    expect(content['protocol_version']).toBe('5.5');
    expect(content['language_info']).toMatchObject({
      name: 'typescript',
      file_extension: '.ts',
      codemirror_mode: { name: 'javascript', typescript: true },
    });
    expect((await kernel.request('kernel_info_request', {}, 'control')).content['status']).toBe(
      'ok',
    );
  });

  it('connect tells the ports', async () => {
    const { content } = await kernel.request('connect_request', {});
    expect(content['shell_port']).toBe(kernel.ports[0]);
    expect(content['hb_port']).toBe(kernel.ports[4]);
  });

  it('control and heartbeat are answered while a cell computes', async () => {
    const run = kernel.begin('console.log("go"); while (true);');
    await kernel.printed(run.id, 'go');
    await kernel.request('kernel_info_request', {}, 'control');
    await kernel.heartbeat();
    await kernel.request('complete_request', { code: 'cons', cursor_pos: 4 });
    const idle = kernel.iopub.some(
      (m) => isReplyTo(m, run.id) && m.content['execution_state'] === 'idle',
    );
    expect(idle).toBe(false);
    await kernel.request('interrupt_request', {}, 'control');
    await run.done;
  });

  it('silent and store_history leave no trace', async () => {
    const before = (await kernel.execute('0')).reply['execution_count'] as number;
    const silent = await kernel.execute('globalThis.hush = 1; 5', { silent: true });
    expect(silent.outputs.map((m) => m.header.msg_type)).toEqual(['status', 'status']);
    await kernel.execute('1', { store_history: false });
    const after = await kernel.execute('globalThis.hush');
    expect(after.result).toBe('1');
    expect(after.reply['execution_count']).toBe(before + 1);
  });

  it('user expressions are evaluated, each for itself', async () => {
    const run = await kernel.execute('const seven = 7;', {
      user_expressions: { good: 'seven * 2', bad: 'nope.nope' },
    });
    const expressions = run.reply['user_expressions'] as Record<string, Record<string, unknown>>;
    expect(expressions['good']).toMatchObject({ status: 'ok', data: { 'text/plain': '14' } });
    expect(expressions['bad']).toMatchObject({ status: 'error', ename: 'ReferenceError' });
  });

  it('an error aborts what is queued, and nothing sent after it', async () => {
    const failing = kernel.begin(
      'await new Promise((r) => setTimeout(r, 50)); throw new Error("x")',
    );
    const queued = [kernel.begin('1'), kernel.begin('2')];
    expect((await failing.done).reply['status']).toBe('error');
    const next = await kernel.execute('3');
    for (const { done } of queued) expect((await done).reply['status']).toBe('aborted');
    expect(next.result).toBe('3');
  });

  it('an error with stop_on_error false aborts nothing', async () => {
    const failing = kernel.begin('await new Promise((r) => setTimeout(r, 50)); throw 1', {
      stop_on_error: false,
    });
    const queued = kernel.begin('"still runs"');
    expect((await failing.done).reply['status']).toBe('error');
    expect((await queued.done).result).toBe("'still runs'");
  });

  it('history has tail, range and search, and is on disk', async () => {
    await kernel.execute('const marker_a = 1;');
    await kernel.execute('marker_a + 41');
    const ask = async (content: Record<string, unknown>) =>
      (await kernel.request('history_request', { raw: true, output: false, ...content })).content[
        'history'
      ] as [number, number, string][];
    expect((await ask({ hist_access_type: 'tail', n: 2 })).map(([, , code]) => code)).toEqual([
      'const marker_a = 1;',
      'marker_a + 41',
    ]);
    expect((await ask({ hist_access_type: 'search', pattern: 'marker_a*', n: 5 })).length).toBe(1);
    const range = await ask({ hist_access_type: 'range', session: 0, start: 1, stop: 2 });
    expect(range.length).toBe(1);
    const withOutput = (
      await kernel.request('history_request', { hist_access_type: 'tail', n: 1, output: true })
    ).content['history'];
    expect((withOutput as unknown[][])[0][2]).toEqual(['marker_a + 41', '42']);
    const saved = () => readFileSync(join(kernel.dir, 'history.jsonl'), 'utf8');
    await vi.waitFor(() => expect(saved()).toContain('marker_a + 41'), 60_000);
  });

  it('is_complete tells the four states apart', async () => {
    for (const [code, status] of [
      ['const x = 1;', 'complete'],
      ['function f() {', 'incomplete'],
      ['const y = [1,', 'incomplete'],
      ['`open', 'incomplete'],
      ['const = 3', 'invalid'],
      [') 1', 'invalid'],
    ]) {
      const { content } = await kernel.request('is_complete_request', { code });
      expect([code, content['status']]).toEqual([code, status]);
    }
  });

  it('completion knows living values and runs no getter', async () => {
    await kernel.execute(
      `const model = { layers: [1], get danger() { globalThis.ran = true; return 1 } };`,
    );
    const { content } = await kernel.request('complete_request', { code: 'model.', cursor_pos: 6 });
    expect(content['matches']).toEqual(expect.arrayContaining(['layers', 'danger']));
    await kernel.request('complete_request', { code: 'model.danger.', cursor_pos: 13 });
    expect((await kernel.execute('typeof ran')).result).toBe("'undefined'");
    const names = await kernel.request('complete_request', { code: '"🎲"; mod', cursor_pos: 8 });
    expect(names.content['matches']).toContain('model');
    expect([names.content['cursor_start'], names.content['cursor_end']]).toEqual([5, 8]);
  });

  it('inspection answers in Markdown', async () => {
    const question = { code: 'Math.max', cursor_pos: 6, detail_level: 0 };
    // The type checker may still be starting, and then reads its libraries.
    await vi.waitFor(async () => {
      const { content } = await kernel.request('inspect_request', question, 'shell', 90_000);
      expect(content['found']).toBe(true);
      expect((content['data'] as Record<string, string>)['text/markdown']).toContain('max');
    }, 100_000);
  });

  it('input is asked for: prompt, password, readline and process.stdin', async () => {
    const asked: [string, boolean][] = [];
    kernel.onInput = (prompt, password) => {
      asked.push([prompt, password]);
      return `answer ${asked.length}`;
    };
    const run = await kernel.execute(`
      const a = prompt('name? ');
      const b = password('secret? ');
      const c = await readline('more? ');
      const rl = (await import('node:readline/promises')).createInterface({ input: process.stdin });
      const d = await rl.question('');
      rl.close();
      [a, b, c, d]`);
    expect(run.error).toBeUndefined();
    expect(run.result).toBe("[ 'answer 1', 'answer 2', 'answer 3', 'answer 4' ]");
    expect(asked.slice(0, 3)).toEqual([
      ['name? ', false],
      ['secret? ', true],
      ['more? ', false],
    ]);
    kernel.onInput = undefined;
    const refused = await kernel.execute('prompt("?")', { allow_stdin: false });
    expect(refused.error?.evalue).toContain('allow_stdin');
  });

  it('Stop ends a question', async () => {
    const run = kernel.begin('console.log("go"); prompt("never answered")');
    await kernel.printed(run.id, 'go');
    await sleep(30);
    await kernel.request('interrupt_request', {}, 'control');
    expect((await run.done).error?.ename).toBe('InterruptedError');
  });

  it('comms go both ways, with buffers, also while a cell waits', async () => {
    const run = await kernel.execute(`
      const seen: unknown[] = [];
      const comm = comms.open('widget', { v: 1 }, { buffers: [new Uint8Array([1, 2])] });
      comm.onMessage = ({ data, buffers }) => { seen.push(data, [...buffers[0]]); comm.send({ echo: data }, buffers); };
      comms.register('from-front', (c) => c.send({ hello: 1 }));`);
    const opened = run.outputs.find((m) => m.header.msg_type === 'comm_open');
    expect(opened?.content).toMatchObject({ target_name: 'widget', data: { v: 1 } });
    expect([...(opened?.buffers[0] ?? [])]).toEqual([1, 2]);
    const id = opened?.content['comm_id'];
    const info = await kernel.request('comm_info_request', {});
    expect(info.content['comms']).toEqual({ [String(id)]: { target_name: 'widget' } });
    const waiting = kernel.begin(
      'console.log("go"); while (seen.length === 0) await new Promise((r) => setTimeout(r, 5)); seen',
    );
    await kernel.printed(waiting.id, 'go');
    const echoed = kernel.wait(
      (m) => m.header.msg_type === 'comm_msg' && JSON.stringify(m.content).includes('echo'),
    );
    const data = { slider: 3 };
    await kernel.send(
      'shell',
      kernel.message('comm_msg', { comm_id: id, data }, { buffers: [Buffer.from([9, 8])] }),
    );
    expect([...(await echoed).buffers[0]]).toEqual([9, 8]);
    expect((await waiting.done).result).toBe('[ { slider: 3 }, [ 9, 8 ] ]');
    const hello = kernel.wait((m) => JSON.stringify(m.content).includes('hello'));
    await kernel.send(
      'shell',
      kernel.message('comm_open', { comm_id: 'front-1', target_name: 'from-front', data: {} }),
    );
    expect((await hello).content['comm_id']).toBe('front-1');
    const closed = kernel.wait((m) => m.header.msg_type === 'comm_close');
    await kernel.send(
      'shell',
      kernel.message('comm_open', { comm_id: 'x', target_name: 'unknown' }),
    );
    expect((await closed).content['comm_id']).toBe('x');
  });

  it('a widget shares its values with the page, bytes included', async () => {
    const run = await kernel.execute(`
      const slider = display.widget({ esm: 'export default {}', state: { value: 1, pixels: new Uint8Array([7]) } });
      const chart = await display({ $schema: 'https://vega.github.io/schema/vega-lite/v5.json', data: { values: [1] } });
      slider.on('value', (v: number) => chart.update({ $schema: 'https://vega.github.io/schema/vega-lite/v5.json', data: { values: [v] } }));
      slider`);
    expect(run.error).toBeUndefined();
    const opened = run.outputs.find((m) => m.header.msg_type === 'comm_open');
    const comm_id = opened?.content['comm_id'];
    expect(opened?.content['target_name']).toBe('jupyter.widget');
    expect(opened?.metadata).toEqual({ version: '2.1.0' });
    expect(opened?.content['data']).toMatchObject({
      state: { _model_module: 'anywidget', _esm: 'export default {}', value: 1 },
      buffer_paths: [['pixels']],
    });
    expect([...(opened?.buffers[0] ?? [])]).toEqual([7]);
    expect(run.data?.['application/vnd.jupyter.widget-view+json']).toMatchObject({
      model_id: comm_id,
    });
    const redrawn = kernel.wait((m) => m.header.msg_type === 'update_display_data');
    const data = { method: 'update', state: { value: 42 }, buffer_paths: [] };
    await kernel.send('shell', kernel.message('comm_msg', { comm_id, data }));
    expect(JSON.stringify((await redrawn).content['data'])).toContain('"values":[42]');
    expect((await kernel.execute('slider.get("value")')).result).toBe('42');
    const pushed = kernel.wait((m) => m.header.msg_type === 'comm_msg');
    await kernel.execute('slider.set({ value: 3 })');
    expect((await pushed).content['data']).toMatchObject({ method: 'update', state: { value: 3 } });
  });

  it('a subscription to iopub is welcomed', () => {
    expect(kernel.iopub.some((m) => m.header.msg_type === 'iopub_welcome')).toBe(true);
  });

  it('every request is framed by busy and idle', async () => {
    const run = await kernel.execute('1');
    const states = ofType(run, 'status').map((c) => c['execution_state']);
    expect(states).toEqual(['busy', 'idle']);
  });
});

describe('bad input', { timeout: 60_000 }, () => {
  const alive = async () => expect((await kernel.execute('1 + 1')).result).toBe('2');

  it('malformed messages are dropped', async () => {
    for (const frames of [
      ['nothing'],
      ['<IDS|MSG>'],
      ['<IDS|MSG>', '', '{}', '{}', '{}'],
      ['<IDS|MSG>', 'zz', 'not json', '{}', '{}', '{}'],
      ['<IDS|MSG>', 'zz', '[]', '1', '"x"', 'null'],
    ]) {
      await kernel.sendRaw('shell', frames);
      await kernel.sendRaw('control', frames);
    }
    await alive();
  });

  it('wrongly signed messages are dropped', async () => {
    const before = kernel.iopub.length;
    const header = JSON.stringify(
      kernel.message('execute_request', { code: 'globalThis.hacked = 1' }).header,
    );
    const content = JSON.stringify({ code: 'globalThis.hacked = 1' });
    await kernel.sendRaw('shell', ['<IDS|MSG>', 'f'.repeat(64), header, '{}', '{}', content]);
    await kernel.sendRaw('shell', ['<IDS|MSG>', '', header, '{}', '{}', content]);
    await sleep(100);
    expect(kernel.iopub.length).toBe(before);
    expect((await kernel.execute('typeof globalThis.hacked')).result).toBe("'undefined'");
  });

  it('unknown message types and wrong contents are survived', async () => {
    await kernel.send('shell', kernel.message('no_such_request', {}));
    await kernel.send('shell', kernel.message('constructor', {}));
    await kernel.send('control', kernel.message('__proto__', {}));
    await kernel.send('shell', kernel.message('complete_request', { code: 5, cursor_pos: 'x' }));
    await kernel.send('shell', kernel.message('execute_request', { code: { a: 1 } }));
    await kernel.send('shell', kernel.message('comm_msg', { comm_id: null }));
    await kernel.send('stdin', kernel.message('input_reply', {}));
    await alive();
  });

  it('a flood of messages is survived', async () => {
    for (let i = 0; i < 3000; i++) {
      void kernel.sendRaw('shell', ['<IDS|MSG>', 'bad', '{}', '{}', '{}', '{}']);
      void kernel.send('shell', kernel.message('kernel_info_request', {}));
    }
    await alive();
    expect(kernel.log.length).toBeLessThan(20_000);
  });

  it('a client that dies while its cell runs leaves the kernel well', async () => {
    const other = new Dealer({ linger: 0, routingId: 'other' });
    other.connect(`tcp://127.0.0.1:${kernel.ports[0]}`);
    const { encodeMessage, Signer } = await import('../../../src/kernel/protocol/message.ts');
    const { KEY } = await import('../../kernel/client.ts');
    const code =
      'for (let i = 0; i < 5; i++) { console.log(i); await new Promise((r) => setTimeout(r, 10)); }';
    const message = kernel.message('execute_request', { code });
    await other.send(encodeMessage(message, new Signer(KEY)));
    await sleep(20);
    other.close();
    await alive();
  });
});

/** Resolves when no process `pid` runs; one that nobody has waited for does not run. */
async function ended(pid: number): Promise<void> {
  for (;;) {
    try {
      const state = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1][0];
      if (state === 'Z') return;
    } catch {
      return;
    }
    await sleep(20);
  }
}

describe('shutdown', () => {
  it('answers, and ends both processes', async () => {
    const client = await KernelClient.start();
    const pid = Number((await client.execute('process.pid')).result);
    const exited = new Promise((resolve) => client.child.once('exit', resolve));
    const reply = await client.request('shutdown_request', { restart: true }, 'control');
    expect(reply.content).toMatchObject({ status: 'ok', restart: true });
    expect(await exited).toBe(0);
    await ended(pid);
    await client.close();
  });

  it('the cells end when the kernel is killed', async () => {
    const client = await KernelClient.start();
    const pid = Number((await client.execute('setInterval(() => {}, 1000); process.pid')).result);
    client.child.kill('SIGKILL');
    await ended(pid);
    await client.close();
  });

  it('history on a full disk costs nothing but the history', async () => {
    const client = await KernelClient.start({ env: { GIBBS_KERNEL_HISTORY: '/dev/full' } });
    expect((await client.execute('1 + 1')).result).toBe('2');
    await vi.waitFor(() => expect(client.log).toContain('history is not kept'), 60_000);
    expect((await client.execute('2 + 2')).result).toBe('4');
    await client.close();
  });
});
