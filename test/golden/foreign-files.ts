import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { GibbsError } from '../../src/core/errors.ts';
import type { Check } from './golden-case.ts';

/** What `expected.json` says of one file. */
export interface ExpectedFile {
  readonly outcome: 'load' | 'refuse';
  readonly [key: string]: unknown;
}

/**
 * Runs `read` on every file that `expected.json` of the folder names: `load` must give its values
 * (every key of the answer is compared), `refuse` must throw an error of ours that names the file.
 */
export function checkForeignFiles(
  folder: string,
  read: (path: string, expected: ExpectedFile) => Record<string, unknown>,
): Check[] {
  const all = JSON.parse(readFileSync(join(folder, 'expected.json'), 'utf8')) as Record<
    string,
    ExpectedFile
  >;
  return Object.entries(all).flatMap(([name, expected]) => {
    let values: Record<string, unknown>;
    try {
      values = read(join(folder, name), expected);
    } catch (error) {
      return [checkError(name, expected, error)];
    }
    if (expected.outcome === 'refuse') {
      return [{ name, pass: false, detail: 'was read, should be refused' }];
    }
    return Object.entries(values).map(([key, value]) => ({
      name: `${name} ${key}`,
      pass: JSON.stringify(value) === JSON.stringify(expected[key]),
      detail: `got ${shorten(value)}, expected ${shorten(expected[key])}`,
    }));
  });
}

function checkError(name: string, expected: ExpectedFile, error: unknown): Check {
  const message = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  const readable = error instanceof GibbsError && error.message.includes(name);
  return { name, pass: expected.outcome === 'refuse' && readable, detail: message };
}

function shorten(value: unknown): string {
  const text = JSON.stringify(value) ?? 'nothing';
  return text.length > 60 ? `${text.slice(0, 60)}...` : text;
}

export function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** Keeps the entries whose key the file's expectation has. */
export function only(
  expected: ExpectedFile,
  values: Record<string, unknown>,
): Record<string, unknown> {
  return Object.fromEntries(Object.entries(values).filter(([key]) => key in expected));
}
