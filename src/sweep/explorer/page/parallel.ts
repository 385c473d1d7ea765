import type { WireRun } from '../wire.ts';
import type { Axis } from './axes.ts';
import type { Brush } from './brush.ts';
import { brushWith } from './brushing.ts';
import { canvasContext, h, oncePerFrame, replace, styleOf } from './dom.ts';
import { shortKey } from './format.ts';

const TOP = 58;
const BOTTOM = 26;
const SIDE = 76;
/** Where runs without a value run, below the axis. */
const MISSING = -0.05;
const NEAR = 9;

export interface ParallelEvents {
  onBrush(id: string, brush: Brush | undefined): void;
  onOpen(key: string): void;
}

/** Runs as lines across parallel axes. A stretch dragged on an axis keeps the runs through it. */
export class ParallelPlot {
  readonly element: HTMLElement;
  readonly #events: ParallelEvents;
  readonly #canvas = h('canvas', { 'aria-hidden': 'true' });
  readonly #over = h('canvas', { class: 'over', 'aria-hidden': 'true' });
  readonly #strips = h('div', { class: 'strips' });
  readonly #label = h('p', { class: 'line-label', 'aria-hidden': 'true' });
  readonly #draw = oncePerFrame(() => this.#paint());
  readonly #observer = new ResizeObserver(() => {
    this.#placeStrips();
    this.#draw();
  });
  #axes: readonly Axis[] = [];
  #runs: readonly WireRun[] = [];
  #within: ReadonlySet<string> = new Set();
  #colourBy: Axis | undefined;
  #brushes: ReadonlyMap<string, Brush> = new Map();
  #highlight: WireRun | undefined;

  constructor(events: ParallelEvents) {
    this.#events = events;
    this.element = h(
      'div',
      { class: 'parallel', role: 'group', 'aria-label': 'Parallel coordinates' },
      this.#canvas,
      this.#over,
      this.#strips,
      this.#label,
    );
    this.element.addEventListener('pointermove', (event) => this.#hover(event));
    this.element.addEventListener('pointerleave', () => this.highlight(undefined));
    this.element.addEventListener('click', (event) => {
      const onStrip = (event.target as Element).closest('.strip');
      if (!onStrip && this.#highlight) events.onOpen(this.#highlight.key);
    });
    this.#observer.observe(this.element);
  }

  show(
    axes: readonly Axis[],
    runs: readonly WireRun[],
    within: readonly WireRun[],
    brushes: ReadonlyMap<string, Brush>,
    colourBy: Axis | undefined,
  ): void {
    const same = axes.map(({ id }) => id).join() === this.#axes.map(({ id }) => id).join();
    [this.#axes, this.#runs, this.#brushes, this.#colourBy] = [axes, runs, brushes, colourBy];
    this.#within = new Set(within.map(({ key }) => key));
    if (!same) this.#makeStrips();
    this.#placeStrips();
    this.#draw();
  }

  /** Draws one run on top of the others. */
  highlight(run: WireRun | undefined): void {
    if (run === this.#highlight) return;
    this.#highlight = run;
    this.#paintHighlight();
  }

  close(): void {
    this.#observer.disconnect();
  }

  get #inner() {
    const { clientWidth, clientHeight } = this.element;
    return { width: clientWidth - 2 * SIDE, height: clientHeight - TOP - BOTTOM };
  }

  #x(i: number): number {
    const last = this.#axes.length - 1;
    return SIDE + (last === 0 ? 0.5 : i / last) * this.#inner.width;
  }

  #y(place: number): number {
    return TOP + (1 - place) * this.#inner.height;
  }

  #path(run: WireRun): [number, number][] {
    return this.#axes.map(({ place, id }, i) => {
      const at = place(run);
      // Runs of equal settings would hide one another.
      const spread =
        at === undefined || this.#runs.length < 40 || !id.startsWith('config.')
          ? 0
          : jitter(run.key);
      return [this.#x(i), this.#y((at ?? MISSING) + spread)];
    });
  }

  #paint(): void {
    const { context } = canvasContext(this.#canvas);
    const front = this.#runs.filter(({ key }) => this.#within.has(key));
    context.lineWidth = 1;
    context.globalAlpha = 1;
    if (front.length < this.#runs.length) {
      context.strokeStyle = styleOf('--hairline');
      context.beginPath();
      for (const run of this.#runs) if (!this.#within.has(run.key)) line(context, this.#path(run));
      context.stroke();
    }
    const missing = styleOf('--faint');
    const ranks = this.#ranks(front);
    const ramp = [0, 1, 2].map((i) => styleOf(`--ramp-${i}`));
    context.globalAlpha = Math.max(0.1, Math.min(0.9, 8 / Math.sqrt(front.length)));
    context.lineWidth = front.length < 200 ? 1.4 : 1;
    for (const run of front) {
      const share = ranks.get(run.key);
      context.strokeStyle = share === undefined ? missing : rampColour(ramp, share);
      context.beginPath();
      line(context, this.#path(run));
      context.stroke();
    }
    context.globalAlpha = 1;
    this.#drawAxes(context);
    this.#paintHighlight();
  }

  /** Place of each run in the order of the colour's axis, 0 .. 1: one far-off run leaves it alone. */
  #ranks(runs: readonly WireRun[]): Map<string, number> {
    const placed = runs.flatMap((run) => {
      const at = this.#colourBy?.place(run);
      return at === undefined ? [] : [{ key: run.key, at }];
    });
    const levels = [...new Set(placed.map(({ at }) => at))].sort((a, b) => a - b);
    const rank = new Map(levels.map((at, i) => [at, i / Math.max(1, levels.length - 1)]));
    return new Map(placed.map(({ key, at }) => [key, rank.get(at) as number]));
  }

  #drawAxes(context: CanvasRenderingContext2D): void {
    const [ink, card] = [styleOf('--muted'), styleOf('--card')];
    context.font = `11.5px ${styleOf('--font')}`;
    context.textBaseline = 'middle';
    context.lineJoin = 'round';
    this.#axes.forEach((axis, i) => {
      const x = Math.round(this.#x(i)) + 0.5;
      context.strokeStyle = styleOf('--axis');
      context.lineWidth = 1;
      context.beginPath();
      context.moveTo(x, this.#y(1));
      context.lineTo(x, this.#y(0));
      context.stroke();
      const right = i < this.#axes.length - 1 || this.#axes.length === 1;
      context.textAlign = right ? 'left' : 'right';
      for (const { place, text } of axis.ticks) {
        const at = x + (right ? 7 : -7);
        context.strokeStyle = card;
        context.lineWidth = 4;
        context.strokeText(shortened(text), at, this.#y(place));
        context.fillStyle = ink;
        context.fillText(shortened(text), at, this.#y(place));
        context.fillRect(x - 2.5, Math.round(this.#y(place)) - 0.5, 5, 1);
      }
    });
  }

  #paintHighlight(): void {
    const { context } = canvasContext(this.#over);
    const run = this.#highlight;
    replace(this.#label, run ? shortKey(run.key) : '');
    if (!run) return;
    context.lineJoin = 'round';
    for (const [colour, width] of [
      ['--card', 5],
      ['--ink', 2],
    ] as const) {
      context.strokeStyle = styleOf(colour);
      context.lineWidth = width;
      context.beginPath();
      line(context, this.#path(run));
      context.stroke();
    }
  }

  #hover(event: PointerEvent): void {
    if (event.buttons !== 0) return;
    const box = this.element.getBoundingClientRect();
    const [x, y] = [event.clientX - box.left, event.clientY - box.top];
    const step = this.#inner.width / Math.max(1, this.#axes.length - 1);
    const i = Math.floor((x - SIDE) / step);
    let found: WireRun | undefined;
    let best = NEAR;
    if (i >= 0 && i < this.#axes.length - 1 && y > TOP) {
      const share = (x - SIDE) / step - i;
      for (const run of this.#runs) {
        if (!this.#within.has(run.key)) continue;
        const path = this.#path(run);
        const distance = Math.abs(path[i][1] + share * (path[i + 1][1] - path[i][1]) - y);
        if (distance < best) [best, found] = [distance, run];
      }
    }
    this.element.classList.toggle('over-line', found !== undefined);
    this.highlight(found);
  }

  #makeStrips(): void {
    replace(
      this.#strips,
      this.#axes.map((axis) => this.#strip(axis)),
    );
  }

  #strip({ id }: Axis): HTMLElement {
    const title = id.slice(id.indexOf('.') + 1);
    const dot = title.lastIndexOf('.');
    const strip = h(
      'div',
      {
        class: 'strip',
        'data-axis': id,
        role: 'slider',
        tabindex: 0,
        'aria-orientation': 'vertical',
        'aria-label': `${title}: Enter brushes, arrows move the brush, with Shift they widen it, Escape clears it`,
        'aria-valuemin': 0,
        'aria-valuemax': 100,
      },
      h(
        'span',
        { class: 'axis-title', title },
        h('small', {}, title.slice(0, dot + 1)),
        title.slice(dot + 1),
      ),
      h('i', { class: 'brush' }),
    );
    brushWith(strip, {
      brush: () => this.#brushes.get(id),
      placeOf: ({ clientY }) =>
        1 - (clientY - this.element.getBoundingClientRect().top - TOP) / this.#inner.height,
      length: () => this.#inner.height,
      onBrush: (brush) => this.#events.onBrush(id, brush),
    });
    return strip;
  }

  #placeStrips(): void {
    const strips = [...this.#strips.children] as HTMLElement[];
    strips.forEach((strip, i) => {
      const axis = this.#axes[i];
      const brush = this.#brushes.get(axis.id);
      strip.style.left = `${this.#x(i)}px`;
      strip.classList.toggle('brushed', brush !== undefined);
      const band = strip.querySelector<HTMLElement>('.brush');
      if (band && brush) {
        band.style.top = `${this.#y(brush.high)}px`;
        band.style.height = `${this.#y(brush.low) - this.#y(brush.high)}px`;
      }
      const middle = brush ? (brush.low + brush.high) / 2 : 0.5;
      strip.setAttribute('aria-valuenow', String(Math.round(100 * middle)));
      const text = brush ? `${axis.textAt(brush.low)} to ${axis.textAt(brush.high)}` : 'all';
      strip.setAttribute('aria-valuetext', text);
    });
  }
}

function line(
  context: CanvasRenderingContext2D,
  path: readonly (readonly [number, number])[],
): void {
  for (const [i, [x, y]] of path.entries()) {
    if (i === 0) context.moveTo(x, y);
    else context.lineTo(x, y);
  }
}

/** Between three colours `#rrggbb`. */
function rampColour(ramp: readonly string[], share: number): string {
  const at = Math.max(0, Math.min(1, share)) * (ramp.length - 1);
  const below = Math.min(ramp.length - 2, Math.floor(at));
  const [a, b] = [ramp[below], ramp[below + 1]].map((hex) =>
    [1, 3, 5].map((i) => Number.parseInt(hex.slice(i, i + 2), 16)),
  );
  const mixed = a.map((c, i) => Math.round(c + (b[i] - c) * (at - below)));
  return `rgb(${mixed.join(' ')})`;
}

/** A little, always the same for a key. */
function jitter(key: string): number {
  let hash = 0;
  for (let i = 0; i < key.length; i++) hash = (hash * 31 + key.charCodeAt(i)) | 0;
  return ((((hash >>> 8) % 1000) / 1000 - 0.5) * 3) / 100;
}

function shortened(text: string): string {
  return text.length > 16 ? `${text.slice(0, 15)}…` : text;
}
