import { describe, expect, it } from 'vitest';
import { DataError } from '../../src/core/errors.ts';
import {
  decodeMessage,
  encodeMessage,
  MessageFactory,
  Signer,
} from '../../src/kernel/protocol/message.ts';

const signer = new Signer('secret');
const bytes = (frames: readonly (Uint8Array | string)[]) =>
  frames.map((f) => Buffer.from(f as string));

describe('messages', () => {
  it('survive the wire, with identities, parents and buffers', () => {
    const factory = new MessageFactory();
    const parent = factory.create('execute_request', { code: '1' }).header;
    const sent = factory.create(
      'stream',
      { text: 'größe 🎲' },
      {
        parent,
        idents: [Buffer.from([0, 255]), Buffer.from('router')],
        metadata: { a: 1 },
        buffers: [new Uint8Array([1, 2, 3])],
      },
    );
    const got = decodeMessage(bytes(encodeMessage(sent, signer)), signer);
    expect(got.header).toEqual(sent.header);
    expect(got.parent).toEqual(parent);
    expect(got.content).toEqual({ text: 'größe 🎲' });
    expect(got.metadata).toEqual({ a: 1 });
    expect(got.idents.map((i) => [...i])).toEqual([[0, 255], [...Buffer.from('router')]]);
    expect([...got.buffers[0]]).toEqual([1, 2, 3]);
  });

  it('have ids of their own', () => {
    const factory = new MessageFactory();
    const ids = Array.from({ length: 10 }, () => factory.create('status', {}).header.msg_id);
    expect(new Set(ids).size).toBe(10);
  });

  it('are signed as RFC 4231 says', () => {
    // Test case 2 of the RFC: key "Jefe", data in four parts.
    const parts = ['what do ', 'ya want ', 'for ', 'nothing?'].map((p) => Buffer.from(p));
    expect(new Signer('Jefe').sign(parts)).toBe(
      '5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843',
    );
    expect(new Signer('').sign(parts)).toBe('');
  });

  it('are refused when any part was changed', () => {
    const frames = bytes(encodeMessage(new MessageFactory().create('x', { a: 1 }), signer));
    expect(() => decodeMessage(frames, signer)).not.toThrow();
    for (let i = 1; i < frames.length; i++) {
      const forged = frames.map((f, k) => (k === i ? Buffer.from(f.map((b) => b ^ 1)) : f));
      expect(() => decodeMessage(forged, signer)).toThrow(DataError);
    }
    expect(() => decodeMessage(frames, new Signer('other'))).toThrow(/wrong signature/);
  });

  it('are refused when they are not messages', () => {
    const open = new Signer('');
    for (const frames of [
      [],
      ['x'],
      ['<IDS|MSG>', ''],
      ['<IDS|MSG>', '', '{', '{}', '{}', '{}'],
      ['<IDS|MSG>', '', '[]', '{}', '{}', '{}'],
      ['<IDS|MSG>', '', '{}', '{}', '{}', '{}'],
    ]) {
      expect(() => decodeMessage(bytes(frames), open)).toThrow(DataError);
    }
  });

  it('need a scheme that is an HMAC', () => {
    expect(() => new Signer('k', 'md5')).toThrow(DataError);
  });
});
