import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { StoreError } from '../../src/core/errors.ts';
import { makeFolder } from '../../src/core/folders.ts';

const scratch = mkdtempSync(join(tmpdir(), 'gibbs-folders-'));
afterEach(() => rmSync(join(scratch, 'a'), { recursive: true, force: true }));

describe('makeFolder', () => {
  it('makes what is missing above, and is content with what is there', () => {
    makeFolder(join(scratch, 'a', 'b', 'c'));
    makeFolder(join(scratch, 'a', 'b', 'c'));
    expect(existsSync(join(scratch, 'a', 'b', 'c'))).toBe(true);
  });

  it('names the folder that could not be made', () => {
    makeFolder(join(scratch, 'a'));
    writeFileSync(join(scratch, 'a', 'file'), '');
    expect(() => makeFolder(join(scratch, 'a', 'file', 'b'))).toThrow(StoreError);
  });

  // Node's own recursive mkdir never returns here.
  it.runIf(existsSync('/proc/self'))('fails where a file system takes no folders', () => {
    expect(() => makeFolder('/proc/gibbs/a')).toThrow(/cannot create \/proc\/gibbs/);
  });
});
