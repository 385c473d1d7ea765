import { describe, expect, it } from 'vitest';
import type { Bench, ContestantSpec } from '../../bench/lib/bench.ts';
import { Contestant } from '../../bench/lib/contestant.ts';
import { rows, table } from '../../bench/lib/report.ts';
import { runRounds } from '../../bench/lib/rounds.ts';

/** A contestant that claims to need `ms` per iteration; `extra` runs at every request. */
function fake(role: 'ours' | 'peer', name: string, ms: number, extra = ''): ContestantSpec {
  const program = `
    const say = (v) => console.log(JSON.stringify(v));
    console.log('a warning that is not for the bench');
    say({ name: '${name}', versions: {}, threads: 1, warmupWallMs: 1 });
    require('node:readline').createInterface({ input: process.stdin }).on('line', (line) => {
      if (line === 'quit') process.exit(0);
      const iters = Number(line.split(' ')[1]);
      ${extra}
      say({ iters, cpuMs: ${ms}, wallMs: ${2 * ms}, drawCpuMs: 0 });
    });`;
  return { label: name, role, command: process.execPath, args: ['-e', program] };
}

const bench: Bench = {
  name: 'fake',
  title: 'nothing',
  iters: 3,
  rounds: 2,
  field: () => Promise.resolve({ specs: [], missing: [] }),
};

describe('runRounds', () => {
  it('runs everyone in every round and says how many times faster ours is', async () => {
    const specs = [fake('ours', 'we', 4), fake('peer', 'they', 10)];
    const entries = await runRounds(specs, { rounds: 3, iters: 7 });
    expect(entries.map((e) => e.timings.map((t) => t?.iters))).toEqual([
      [7, 7, 7],
      [7, 7, 7],
    ]);
    expect(rows(bench, entries, 1)).toEqual([
      {
        name: 'fake',
        unit: 'CPU-ms/iteration',
        threads: 1,
        ours: 4,
        peer: 10,
        peerName: 'they',
        ratio: 2.5,
      },
      {
        name: 'fake',
        unit: 'wall-ms/iteration',
        threads: 1,
        ours: 8,
        peer: 20,
        peerName: 'they',
        ratio: 2.5,
      },
    ]);
  });

  it('never lets two run at once, and rotates the order', async () => {
    const running = new Set<string>();
    const order: string[] = [];
    class Watched extends Contestant {
      override async run(iters: number) {
        expect([...running]).toEqual([]);
        running.add(this.spec.label);
        order.push(this.spec.label);
        const timing = await super.run(iters);
        running.delete(this.spec.label);
        return timing;
      }
    }
    const specs = [fake('ours', 'a', 1), fake('peer', 'b', 1), fake('peer', 'c', 1)];
    await runRounds(specs, { rounds: 3, iters: 1, start: (s) => new Watched(s) });
    expect(order.join('')).toBe('abcbcacab');
  });

  it('lets a slow one sit out later rounds', async () => {
    const slow = { ...fake('peer', 'slow', 9), slow: { iters: 2, rounds: 1 } };
    const [, entry] = await runRounds([fake('ours', 'we', 1), slow], { rounds: 3, iters: 50 });
    expect(entry.timings.map((t) => t?.iters)).toEqual([2, undefined, undefined]);
  });

  it('drops one that fails, with the last line of its error, and goes on', async () => {
    const crash = fake('peer', 'crash', 1, `throw new Error('no such library');`);
    const absent: ContestantSpec = {
      label: 'absent',
      role: 'peer',
      command: '/no/such/python',
      args: [],
    };
    const entries = await runRounds([crash, fake('ours', 'we', 1), absent], {
      rounds: 2,
      iters: 1,
    });
    expect(entries[0].error).toMatch(/code 1.*no such library/);
    expect(entries[2].error).toMatch(/cannot start/);
    expect(entries[1].timings.every((t) => t !== undefined)).toBe(true);
    expect(rows(bench, entries, 1)).toEqual([]);
    expect(table(bench, entries, [{ label: 'JAX', hint: 'install it' }], 1)).toMatch(
      /crash +did not run: .*no such library.*\n.*\n.*\n.*JAX: install it/,
    );
  });

  it('gives up on one that does not answer', async () => {
    const mute = fake('peer', 'mute', 1, 'return;');
    const start = (s: ContestantSpec) => new Contestant(s, { ready: 20_000, round: 50 });
    const [entry] = await runRounds([mute], { rounds: 2, iters: 1, start });
    expect(entry.error).toMatch(/no answer to a round of 1 within 0.05 s/);
  });
});
