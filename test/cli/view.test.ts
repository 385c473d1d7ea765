import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { helpOf, parseCommandLine } from '../../src/cli/command.ts';
import { viewCommand } from '../../src/cli/commands/view.ts';
import { ConfigError } from '../../src/core/errors.ts';
import { RunStore } from '../../src/train/store/run-store.ts';
import { ask } from '../sweep/explorer/client.ts';
import { startGibbs } from './gibbs.ts';

let root: string;
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'gibbs-cli-view-'));
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

describe('gibbs view', () => {
  it('prints an address that answers until Ctrl-C, and makes no store', async () => {
    const place = join(root, 'none');
    const { child, finished } = startGibbs(['view', '--store', place, '--json']);
    const line = await new Promise<string>((done) => child.stdout?.once('data', done));
    const said = JSON.parse(line) as { url: string; place: string };
    expect(said.place).toBe(place);
    expect((await ask(said.url)).status).toBe(200);
    child.kill('SIGINT');
    expect(await finished).toMatchObject({ code: 0, stderr: '' });
    expect(RunStore.find(place)).toBeUndefined();
  });

  it.each<[string[], RegExp]>([
    [['--port', '70000'], /--port must be at most 65535, got 70000/],
    [['--port', 'x'], /--port must be a whole number/],
    [['toy'], /unexpected argument 'toy'/],
  ])('refuses %j', async (argv, message) => {
    const run = async () => viewCommand.run(parseCommandLine(viewCommand, argv));
    await expect(run()).rejects.toThrow(ConfigError);
    await expect(run()).rejects.toThrow(message);
  });

  it('says how it is reached from another machine', () => {
    expect(helpOf(viewCommand)).toMatch(/ssh -L/);
  });
});
