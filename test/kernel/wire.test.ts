import { describe, expect, it } from 'vitest';
import { TextBatcher, type TextPiece } from '../../src/kernel/protocol/text-batcher.ts';
import { encodeFrame, FrameReader } from '../../src/kernel/user/frames.ts';
import type { FromUser } from '../../src/kernel/user/wire.ts';

describe('frames', () => {
  it('are found again however the stream is cut', () => {
    const messages: FromUser[] = [
      { t: 'ready' },
      { t: 'text', c: 1, s: 1, x: 'ä'.repeat(300) },
      { t: 'comm', c: 1, kind: 'comm_msg', content: {}, metadata: {}, buffers: [3] },
      { t: 'clear', c: 2, wait: true },
    ];
    const stream = Buffer.concat(
      messages.map((m) => encodeFrame(m, m.t === 'comm' ? [new Uint8Array([7, 8, 9])] : [])),
    );
    for (const size of [1, 2, 3, 7, 64, 1000, stream.length]) {
      const got: [FromUser, number[]][] = [];
      const reader = new FrameReader<FromUser>((message, rest) => got.push([message, [...rest]]));
      for (let at = 0; at < stream.length; at += size) reader.push(stream.subarray(at, at + size));
      expect(got.map(([message]) => message)).toEqual(messages);
      expect(got[2][1]).toEqual([7, 8, 9]);
    }
  });
});

describe('frames of text', () => {
  it('come joined as long as cell and stream are the same, and never pass another frame', () => {
    const text = (c: number, s: 1 | 2, x: string): FromUser => ({ t: 'text', c, s, x });
    const clear: FromUser = { t: 'clear', c: 1, wait: false };
    const messages = [
      text(1, 1, 'a'),
      text(1, 1, 'ß'),
      text(1, 2, 'c'),
      clear,
      text(1, 2, 'd'),
      text(2, 2, 'e'),
    ];
    const got: FromUser[] = [];
    const reader = new FrameReader<FromUser>((message) => got.push(message));
    reader.push(Buffer.concat(messages.map((message) => encodeFrame(message))));
    expect(got).toEqual([
      text(1, 1, 'aß'),
      text(1, 2, 'c'),
      clear,
      text(1, 2, 'd'),
      text(2, 2, 'e'),
    ]);
  });
});

describe('batches of text', () => {
  it('keep the order and never mix streams or cells', () => {
    const out: TextPiece[] = [];
    const batcher = new TextBatcher((piece) => out.push(piece));
    const pieces: TextPiece[] = [
      { cell: 1, stream: 1, text: 'a' },
      { cell: 1, stream: 1, text: 'b' },
      { cell: 1, stream: 2, text: 'c' },
      { cell: 1, stream: 1, text: 'd' },
      { cell: 2, stream: 1, text: 'e' },
    ];
    for (const piece of pieces) batcher.push(piece);
    batcher.flush();
    expect(out).toEqual([{ ...pieces[0], text: 'ab' }, pieces[2], pieces[3], pieces[4]]);
  });

  it('go out by themselves', async () => {
    const text = await new Promise((resolve) => {
      new TextBatcher((piece) => resolve(piece.text)).push({ cell: 1, stream: 1, text: 'x' });
    });
    expect(text).toBe('x');
  });

  it('are not held back once they are large', () => {
    let sent = 0;
    const batcher = new TextBatcher(() => sent++);
    for (let i = 0; i < 40; i++) batcher.push({ cell: 1, stream: 1, text: 'x'.repeat(10_000) });
    expect(sent).toBeGreaterThan(1);
  });
});
