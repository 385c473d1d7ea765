import { mkdirSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { DataError, StoreError } from '../../src/core/errors.ts';
import { readBytes, toStoreError, writeFileAtomic } from '../../src/core/files.ts';

const folder = () => mkdtempSync(join(tmpdir(), 'gibbs-files-'));

describe('writeFileAtomic', () => {
  it('writes text, bytes and chunks, replaces, and leaves nothing else behind', () => {
    const dir = folder();
    const path = join(dir, 'a');
    writeFileAtomic(path, 'grün');
    expect(readFileSync(path, 'utf8')).toBe('grün');
    writeFileAtomic(path, Uint8Array.of(1, 2));
    writeFileAtomic(path, [Uint8Array.of(1), new Uint8Array(0), Uint8Array.of(2, 3)]);
    expect([...readFileSync(path)]).toEqual([1, 2, 3]);
    expect(readdirSync(dir)).toEqual(['a']);
  });

  it('keeps the old content and removes the temporary file when it fails', () => {
    const dir = folder();
    mkdirSync(join(dir, 'occupied', 'by'), { recursive: true });
    expect(() => writeFileAtomic(join(dir, 'occupied'), 'x')).toThrow(StoreError);
    expect(readdirSync(dir)).toEqual(['occupied']);
  });

  it('says why a path cannot be written', () => {
    const dir = folder();
    writeFileSync(join(dir, 'file'), '');
    expect(() => writeFileAtomic(join(dir, 'absent', 'a'), 'x')).toThrow(
      /^cannot write .*absent\/a: the folder does not exist; create it first \(ENOENT\)$/,
    );
    expect(() => writeFileAtomic(join(dir, 'file', 'a'), 'x')).toThrow(/not a folder/);
  });
});

describe('readBytes', () => {
  it('reads, and tells a missing file from an unreadable one', () => {
    const dir = folder();
    writeFileSync(join(dir, 'a'), Uint8Array.of(1, 2));
    expect([...readBytes(join(dir, 'a'))]).toEqual([1, 2]);
    expect(() => readBytes(join(dir, 'b'))).toThrow(DataError);
    expect(() => readBytes(join(dir, 'b'))).toThrow(/no file .*b$/);
    expect(() => readBytes(dir)).toThrow(StoreError);
  });
});

describe('toStoreError', () => {
  it.each([
    ['ENOSPC', /disk is full/],
    ['EACCES', /permission denied/],
    ['EROFS', /read-only/],
    ['EXYZ', /message of the system \(EXYZ\)/],
  ])('%s becomes advice', (code, message) => {
    const cause = Object.assign(new Error('message of the system'), { code });
    const error = toStoreError(cause, 'write', '/some/run');
    expect(error).toBeInstanceOf(StoreError);
    expect(error.message).toMatch(/^cannot write \/some\/run: /);
    expect(error.message).toMatch(message);
    expect(error.cause).toBe(cause);
    expect(toStoreError(error, 'read', '/other')).toBe(error);
  });
});
