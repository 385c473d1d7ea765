import { PassThrough } from 'node:stream';
import { afterEach, describe, expect, it } from 'vitest';
import { Dealer } from 'zeromq';
import { encodeMessage, MessageFactory, Signer } from '../../src/kernel/protocol/message.ts';
import { paced } from '../../src/kernel/protocol/paced.ts';
import { Sockets } from '../../src/kernel/protocol/sockets.ts';
import { freePorts } from '../../src/notebook/kernel-process.ts';

/** Counts what happens in each turn of the event loop. */
class Turns {
  readonly counts: number[] = [0];
  #next: NodeJS.Immediate | undefined;

  constructor() {
    const turn = () => {
      this.counts.push(0);
      this.#next = setImmediate(turn);
    };
    this.#next = setImmediate(turn);
  }

  add(n: number): void {
    this.counts[this.counts.length - 1] += n;
  }

  stop(): number[] {
    clearImmediate(this.#next);
    return this.counts.filter((n) => n > 0);
  }
}

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

describe('one turn of the event loop', () => {
  it('reads a bounded part of a flood of output, in order', async () => {
    const source = new PassThrough({ highWaterMark: 1 << 24 });
    for (let i = 0; i < 256; i++) source.write(Buffer.alloc(1 << 14, i));
    source.end();
    const turns = new Turns();
    const first: number[] = [];
    paced(source, (chunk) => {
      turns.add(chunk.length);
      first.push(chunk[0]);
    });
    await new Promise((resolve) => source.once('end', resolve));
    const counts = turns.stop();
    expect(counts.reduce((a, b) => a + b)).toBe(1 << 22);
    // Twice: a turn may end one share and begin the next.
    expect(Math.max(...counts)).toBeLessThanOrEqual(2 * (1 << 16));
    expect(first).toEqual(Array.from({ length: 256 }, (_, i) => i));
  });

  it('handles a bounded number of a flood of requests', async () => {
    const FLOOD = 600;
    const [shell_port, control_port, iopub_port, stdin_port, hb_port] = await freePorts(5);
    const turns = new Turns();
    const seen: string[] = [];
    let done: () => void = () => undefined;
    const all = new Promise<void>((resolve) => {
      done = resolve;
    });
    const sockets = new Sockets(new Signer('key'), {
      onMessage: (channel) => {
        seen.push(channel);
        turns.add(1);
        if (seen.length === FLOOD + 1) done();
      },
      onRejected: (_, reason) => expect.fail(reason),
      onSubscribe: () => undefined,
    });
    closers.push(() => sockets.close());
    const ports = { shell_port, control_port, iopub_port, stdin_port, hb_port };
    const info = { transport: 'tcp', ip: '127.0.0.1', key: 'key', ...ports } as const;
    const [shell, control] = [new Dealer({ linger: 0 }), new Dealer({ linger: 0 })];
    closers.push(
      () => shell.close(),
      () => control.close(),
    );
    shell.connect(`tcp://127.0.0.1:${shell_port}`);
    control.connect(`tcp://127.0.0.1:${control_port}`);
    const factory = new MessageFactory();
    const request = () => encodeMessage(factory.create('comm_info_request', {}), new Signer('key'));
    for (let i = 0; i < FLOOD; i++) await shell.send(request());
    await control.send(request());
    await sockets.bind({ ...info, signature_scheme: 'hmac-sha256' });
    await all;
    expect(Math.max(...turns.stop())).toBeLessThanOrEqual(2 * 16 + 1);
    expect(seen.filter((channel) => channel === 'control')).toHaveLength(1);
  });
});
