import { describe, expect, it } from 'vitest';
import type { Progress } from '../../src/train/loop.ts';
import { formatProgress, formatSeconds, ProgressDisplay } from '../../src/train/progress.ts';
import { Speedometer } from '../../src/train/speedometer.ts';

const progress = (step: number, phase: Progress['phase'] = 'train'): Progress => ({
  phase,
  step,
  steps: 200,
  stepsPerSecond: 40,
  etaSeconds: (200 - step) / 40,
  seconds: step / 40,
  metrics: { loss: 0.5, tiny: 1.25e-5 },
});

function stream(isTTY: boolean, columns = 200) {
  const written: string[] = [];
  return { isTTY, columns, written, write: (text: string) => written.push(text) };
}

describe('the progress display', () => {
  it('shows share, speed, time to go and metrics', () => {
    const line = formatProgress('toy', progress(50));
    expect(line).toContain(' 25 %  50/200  40.0 it/s  4 s to go  loss 0.500  tiny 1.25e-5');
    expect(line.match(/█/g)).toHaveLength(6);
    expect(formatProgress('toy', progress(200, 'done'))).toContain('done in 5 s');
  });

  it('redraws in place on a terminal, one line per training', () => {
    const out = stream(true);
    let time = 0;
    const display = new ProgressDisplay(out, { now: () => time });
    display.update('a', progress(1));
    display.update('b', progress(2));
    time = 1000;
    display.update('a', progress(3));
    const last = out.written.slice(-2);
    expect(last[0]).toBe('\x1b[2A\x1b[0J');
    expect(last[1].split('\n').map((l) => l.slice(0, 1))).toEqual(['a', 'b', '']);
  });

  it('never wraps a line of the terminal', () => {
    const out = stream(true, 40);
    new ProgressDisplay(out).update('toy', progress(1));
    expect(out.written[0].trimEnd().length).toBeLessThan(40);
  });

  it('writes a line every few seconds, and at each change of phase, elsewhere', () => {
    const out = stream(false);
    let time = 0;
    const display = new ProgressDisplay(out, { now: () => time });
    for (let step = 0; step <= 120; step++) {
      time = step * 100;
      display.update('toy', progress(step, step === 0 ? 'compile' : 'train'));
    }
    display.update('toy', progress(200, 'done'));
    expect(out.written).toHaveLength(5);
    expect(out.written.join('')).not.toContain('\x1b');
    expect(out.written[0]).toContain('compiling');
  });

  it('writes times as people do', () => {
    expect([42.4, 185, 9000].map(formatSeconds)).toEqual(['42 s', '3:05 min', '2:30 h']);
  });
});

describe('Speedometer', () => {
  it('measures a steady speed exactly, without the first iteration', () => {
    let time = 0;
    const speed = new Speedometer(() => time);
    time = 9000;
    speed.tick(1);
    expect(speed.rate()).toBe(0);
    for (let step = 2; step < 300; step++) {
      time += 10;
      speed.tick(step);
    }
    expect(speed.rate()).toBeCloseTo(100, 6);
  });

  it('follows a change within some seconds', () => {
    let time = 0;
    let step = 0;
    const speed = new Speedometer(() => time);
    const run = (seconds: number, rate: number) => {
      for (let i = 0; i < seconds * rate; i++) {
        time += 1000 / rate;
        speed.tick(++step);
      }
    };
    run(30, 50);
    run(30, 10);
    // After six half-lives a 64th of the difference of 40 is left.
    expect(Math.abs(speed.rate() - 10)).toBeLessThan(1);
  });
});
