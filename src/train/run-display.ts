/** What a notebook says of a run that is the value of a cell. */
export interface RunFacts {
  /** What it is, and how it came about, e.g. `toy/0d1c…-s0, trained now`. */
  readonly title: string;
  /** Iterations, and seconds of training. */
  readonly steps: number;
  readonly seconds: number;
  /** Settings that differ from those of the preset. */
  readonly settings?: Readonly<Record<string, unknown>>;
  /** Its last numbers; what is not a number is left out. */
  readonly numbers?: object;
  /** Series over the training, drawn beside the last value of each. */
  readonly losses?: Readonly<Record<string, readonly number[]>>;
}

/**
 * Has notebooks show `run` as a small table instead of all that it holds. The method is not
 * enumerable: copies, JSON and comparisons of the run are what they were.
 */
export function shownAsRun<T extends object>(run: T, facts: (run: T) => RunFacts): T {
  return Object.defineProperty(run, Symbol.for('Jupyter.display'), {
    value: () => bundle(facts(run)),
  });
}

function bundle(facts: RunFacts): Record<string, string> {
  const { title, steps, seconds, settings = {}, numbers = {}, losses = {} } = facts;
  const head = `${title}: ${steps} iterations in ${duration(seconds)}`;
  const rows: Row[] = [
    ...Object.entries(settings).map(([name, value]): Row => [name, JSON.stringify(value), '']),
    ...Object.entries(numbers)
      .filter((entry): entry is [string, number] => typeof entry[1] === 'number')
      .map(([name, value]): Row => [name, short(value), '']),
    ...Object.entries(losses)
      .filter(([, series]) => series.length > 0)
      .map(([name, series]): Row => [name, short(series[series.length - 1]), sparkline(series)]),
  ];
  const width = Math.max(0, ...rows.map(([name]) => name.length));
  const lines = rows.map(([name, value]) => `  ${name.padEnd(width)}  ${value}`);
  const body = rows.map(
    ([name, value, drawn]) =>
      `<tr><th>${escaped(name)}</th><td>${escaped(value)}</td><td>${drawn}</td></tr>`,
  );
  return {
    'text/plain': [head, ...lines].join('\n'),
    'text/html': `<table><caption>${escaped(head)}</caption><tbody>${body.join('')}</tbody></table>`,
  };
}

type Row = readonly [name: string, value: string, drawn: string];

const WIDTH = 120;
const HEIGHT = 20;
const MOST_POINTS = 60;

/** A series as a line without axes; values that are no numbers are left out. */
function sparkline(series: readonly number[]): string {
  const stride = Math.ceil(series.length / MOST_POINTS);
  const shown = series.filter((v, i) => i % stride === 0 && Number.isFinite(v));
  if (shown.length < 2) return '';
  const [low, high] = [Math.min(...shown), Math.max(...shown)];
  const x = (i: number) => (i * WIDTH) / (shown.length - 1);
  const y = (v: number) => 1 + ((high - v) / (high - low || 1)) * (HEIGHT - 2);
  const points = shown.map((v, i) => `${x(i).toFixed(1)},${y(v).toFixed(1)}`).join(' ');
  const line = `<polyline points="${points}" fill="none" stroke="currentColor"/>`;
  return `<svg width="${WIDTH}" height="${HEIGHT}">${line}</svg>`;
}

function short(value: number): string {
  return String(Number(value.toPrecision(5)));
}

function duration(seconds: number): string {
  if (seconds < 120) return `${short(Math.round(seconds * 10) / 10)} s`;
  return seconds < 7200 ? `${Math.round(seconds / 60)} min` : `${(seconds / 3600).toFixed(1)} h`;
}

function escaped(text: string): string {
  return text.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;');
}
