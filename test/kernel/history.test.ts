import { appendFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { History } from '../../src/kernel/protocol/history.ts';

let dir: string;
let path: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'gibbs-history-'));
  path = join(dir, 'deep', 'history.jsonl');
});
afterEach(() => rmSync(dir, { recursive: true }));

const problems: string[] = [];
const open = () => new History(path, (problem) => problems.push(problem));

async function session(...inputs: string[]): Promise<void> {
  const history = open();
  inputs.forEach((input, i) => {
    history.add(i + 1, input, `out of ${input}`);
  });
  await history.flush();
}

describe('history', () => {
  it('goes on from the sessions before', async () => {
    await session('a', 'b');
    await session('c');
    const history = open();
    expect(history.session).toBe(3);
    expect(history.tail(2, false)).toEqual([
      [1, 2, 'b'],
      [2, 1, 'c'],
    ]);
    expect(history.tail(1, true)).toEqual([[2, 1, ['c', 'out of c']]]);
    expect(history.tail(0, false)).toEqual([]);
  });

  it('finds ranges of this session, of one by number, and of one counted back', async () => {
    await session('a', 'b', 'c');
    const history = open();
    history.add(1, 'now');
    expect(history.range(0, 1, undefined, false)).toEqual([[2, 1, 'now']]);
    expect(history.range(1, 2, 3, false)).toEqual([[1, 2, 'b']]);
    expect(history.range(-1, 1, 3, false).length).toBe(2);
  });

  it('is searched by globs; other characters stand for themselves', async () => {
    await session('f(1)', 'f(2)', 'g.x', 'gax', 'f(1)', 'two\nlines');
    const history = open();
    const search = (pattern: string, n?: number, unique = false) =>
      history.search(pattern, n, unique, false).map(([, , input]) => input);
    expect(search('f(*')).toEqual(['f(1)', 'f(2)', 'f(1)']);
    expect(search('f(*', undefined, true)).toEqual(['f(1)', 'f(2)']);
    expect(search('f(*', 1)).toEqual(['f(1)']);
    expect(search('g.x')).toEqual(['g.x']);
    expect(search('g?x')).toEqual(['g.x', 'gax']);
    expect(search('two*lines')).toEqual(['two\nlines']);
  });

  it('survives a file with damaged lines', async () => {
    await session('kept');
    appendFileSync(path, '{"session": 1, "line": 2, "inp');
    expect(open().tail(9, false)).toEqual([[1, 1, 'kept']]);
  });

  it('tells once when it cannot be written, and stays usable', async () => {
    problems.length = 0;
    const history = new History('/dev/null/nowhere/history', (problem) => problems.push(problem));
    history.add(1, 'a');
    history.add(2, 'b');
    await history.flush();
    expect(problems.length).toBe(1);
    expect(history.tail(2, false).length).toBe(2);
  });
});
