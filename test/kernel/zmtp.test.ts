import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { Dealer, Request, Subscriber } from 'zeromq';
import { encodeCommand, encodeFrames, FrameReader } from '../../src/kernel/zmtp/frames.ts';
import { greeting, peerIdentity, readCommand } from '../../src/kernel/zmtp/handshake.ts';
import { Inbox } from '../../src/kernel/zmtp/inbox.ts';
import { Publisher } from '../../src/kernel/zmtp/publisher.ts';
import { Router } from '../../src/kernel/zmtp/router.ts';
import { type Endpoint, Server } from '../../src/kernel/zmtp/server.ts';
import { freePorts } from '../../src/notebook/kernel-process.ts';

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

async function listening<T extends Router | Publisher | Server>(socket: T): Promise<[T, number]> {
  const [port] = await freePorts(1);
  await socket.listen({ transport: 'tcp', ip: '127.0.0.1', port });
  closers.push(() => socket.close(100));
  return [socket, port];
}

function dealer(port: number, routingId?: string): Dealer {
  const socket = new Dealer({ linger: 0, ...(routingId !== undefined && { routingId }) });
  closers.push(() => socket.close());
  socket.connect(`tcp://127.0.0.1:${port}`);
  return socket;
}

const texts = (frames: readonly Buffer[]) => frames.map(String);

/** A router that answers every message with its frames, and 'seen'. */
async function echo(): Promise<number> {
  const router: Router = new Router(([name, ...frames]) => router.send([name, ...frames, 'seen']));
  return (await listening(router))[1];
}

describe('frames', () => {
  it('of all lengths are read as they were written, however they are cut', () => {
    const bodies = [0, 1, 255, 256, 65_536, 65_537, 300_000].map((n) => Buffer.alloc(n, n % 251));
    const frames = ['<é>', ...bodies, 'end'];
    const bytes = Buffer.concat(encodeFrames(frames));
    for (const step of [1, 3, 1000, bytes.length]) {
      const inbox = new Inbox();
      const reader = new FrameReader(inbox);
      const read: Buffer[] = [];
      const more: boolean[] = [];
      for (let at = 0; at < bytes.length; at += step) {
        inbox.push(bytes.subarray(at, at + step));
        for (let frame = reader.next(); frame !== undefined; frame = reader.next()) {
          read.push(frame.body);
          more.push(frame.hasMore);
        }
      }
      expect(Buffer.concat(read).equals(Buffer.concat(frames.map((f) => Buffer.from(f))))).toBe(
        true,
      );
      expect(read.map((body) => body.length)).toEqual(frames.map((f) => Buffer.byteLength(f)));
      expect(more).toEqual(frames.map((_, i) => i < frames.length - 1));
    }
  });

  it('longer than any number are refused', () => {
    const inbox = new Inbox();
    inbox.push(Buffer.from([2, 255, 255, 255, 255, 255, 255, 255, 255]));
    expect(() => new FrameReader(inbox).next()).toThrow(RangeError);
  });
});

describe('a router', () => {
  it('answers each peer, whether it has a name or not', async () => {
    const port = await echo();
    const peers = [dealer(port), dealer(port, 'Ann'), dealer(port)];
    await Promise.all(peers.map((peer, i) => peer.send(['from', String(i)])));
    const answers = await Promise.all(peers.map((peer) => peer.receive()));
    expect(answers.map(texts)).toEqual([0, 1, 2].map((i) => ['from', String(i), 'seen']));
  });

  it('gives a name to the peer that came last under it', async () => {
    const names: string[] = [];
    const [router, port] = await listening(new Router(([name]) => names.push(String(name))));
    const first = dealer(port, 'Ann');
    await first.send('one');
    await expect.poll(() => names).toEqual(['Ann']);
    first.close();
    const second = dealer(port, 'Ann');
    await second.send('two');
    await expect.poll(() => names).toEqual(['Ann', 'Ann']);
    router.send(['Ann', 'hello']);
    expect(texts(await second.receive())).toEqual(['hello']);
    // Nobody of this name: dropped.
    router.send(['Bob', 'hello']);
  });

  it('carries long messages both ways', async () => {
    const peer = dealer(await echo());
    const body = Buffer.alloc(5_000_000, 'gibbs');
    await peer.send(['long', body]);
    const [, back, seen] = await peer.receive();
    expect(back.equals(body)).toBe(true);
    expect(String(seen)).toBe('seen');
  });

  it('listens on a file where a killed one left its own', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'gibbs-zmtp-'));
    closers.push(() => rmSync(folder, { recursive: true }));
    const path = join(folder, 'socket-1');
    writeFileSync(path, '');
    const router: Router = new Router((frames) => router.send(frames));
    await router.listen({ transport: 'ipc', path });
    const peer = new Dealer({ linger: 0 });
    peer.connect(`ipc://${path}`);
    await peer.send('hello');
    expect(texts(await peer.receive())).toEqual(['hello']);
    peer.close();
    await router.close(100);
    expect(existsSync(path)).toBe(false);
  });

  it('does not listen where another does', async () => {
    const [, port] = await listening(new Router(() => undefined));
    const endpoint: Endpoint = { transport: 'tcp', ip: '127.0.0.1', port };
    await expect(new Router(() => undefined).listen(endpoint)).rejects.toThrow('EADDRINUSE');
  });
});

describe('a publisher', () => {
  it('sends what was subscribed to, once, until it is cancelled', async () => {
    const heard: string[] = [];
    const [publisher, port] = await listening(new Publisher((topic) => heard.push(String(topic))));
    const peer = new Subscriber({ linger: 0 });
    closers.push(() => peer.close());
    peer.connect(`tcp://127.0.0.1:${port}`);
    peer.subscribe('a', 'ab', 'end');
    await expect.poll(() => heard.toSorted()).toEqual(['a', 'ab', 'end']);
    for (const topic of ['abc', 'b', 'a']) publisher.send(topic, encodeFrames([topic, 'text']));
    expect(String((await peer.receive())[0])).toBe('abc');
    expect(String((await peer.receive())[0])).toBe('a');
    peer.unsubscribe('a', 'ab');
    // Heard after the two cancellations, which come the same way.
    peer.subscribe('mark');
    await expect.poll(() => heard.at(-1)).toBe('mark');
    for (const topic of ['abc', 'end']) publisher.send(topic, encodeFrames([topic, 'text']));
    expect(String((await peer.receive())[0])).toBe('end');
  });
});

describe('a server', () => {
  const silent = { onOpen: () => undefined, onClose: () => undefined };

  it('answers requests with their envelope', async () => {
    const [, port] = await listening(
      new Server('REP', {
        ...silent,
        onMessage: (peer, frames) => peer.send(encodeFrames(frames)),
      }),
    );
    const peer = new Request({ linger: 0 });
    closers.push(() => peer.close());
    peer.connect(`tcp://127.0.0.1:${port}`);
    for (const text of ['ping', 'again']) {
      await peer.send(text);
      expect(texts(await peer.receive())).toEqual([text]);
    }
  });

  /** What the other side sends in reply to these bytes until it hangs up. */
  async function reply(port: number, ...sent: Uint8Array[]): Promise<Buffer> {
    const socket: Socket = connect(port, '127.0.0.1');
    const chunks: Buffer[] = [];
    socket.on('data', (chunk: Buffer) => chunks.push(chunk));
    socket.on('error', () => undefined);
    for (const bytes of sent) socket.write(bytes);
    await new Promise((resolve) => socket.once('close', resolve));
    return Buffer.concat(chunks);
  }

  const ready = (type: string) =>
    encodeCommand(
      'READY',
      Buffer.from(`\x0bSocket-Type\0\0\0${String.fromCharCode(type.length)}${type}`),
    );

  it('hangs up on what does not speak its language, and serves the others', async () => {
    const port = await echo();
    const old = greeting();
    old[10] = 1;
    const locked = greeting();
    locked.write('PLAIN', 12);
    await reply(port, Buffer.from('GET / HTTP/1.1\r\n\r\n'));
    await reply(port, old);
    await reply(port, locked);
    await reply(port, greeting(), ready('SUB'));
    await reply(port, greeting(), Buffer.from([0, 1, 65]));
    await reply(
      port,
      greeting(),
      ready('DEALER'),
      Buffer.from([2, 255, 255, 255, 255, 0, 0, 0, 0]),
    );
    const peer = dealer(port);
    await peer.send('hello');
    expect(texts(await peer.receive())).toEqual(['hello', 'seen']);
  });

  it('answers a ping with its context', async () => {
    const port = await echo();
    const ping = encodeCommand('PING', Buffer.from('\0\x0acontext'));
    const bytes = await reply(
      port,
      greeting(),
      ready('DEALER'),
      ping,
      encodeCommand('ERROR', Buffer.from([0])),
    );
    const inbox = new Inbox();
    inbox.push(bytes.subarray(greeting().length));
    const reader = new FrameReader(inbox);
    const [first, second] = [reader.next(), reader.next()].map((f) =>
      readCommand(f?.body as Buffer),
    );
    expect(first.name).toBe('READY');
    expect([second.name, String(second.data)]).toEqual(['PONG', 'context']);
  });

  it('takes no properties that are cut off', () => {
    const whole = readCommand(ready('DEALER').subarray(2)).data;
    expect(peerIdentity(whole, 'ROUTER')).toHaveLength(0);
    for (let end = 1; end < whole.length; end++) {
      expect(() => peerIdentity(whole.subarray(0, end), 'ROUTER')).toThrow('cut off');
    }
  });
});
