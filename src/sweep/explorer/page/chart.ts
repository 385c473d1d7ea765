import { canvasContext, h, oncePerFrame, replace, styleOf } from './dom.ts';
import { formatCount, formatNumber } from './format.ts';
import { extent, type Point, padded, type Scale, scale, thinned } from './scale.ts';

/** One run's curve. */
export interface Curve {
  readonly key: string;
  readonly label: string;
  /** Index into the colours of the style sheet. */
  readonly colour: number;
  readonly points: readonly Point[];
  /** Still being written: its last point is marked. */
  readonly live: boolean;
}

/** How many colours the style sheet has; further curves are dashed. */
export const COLOURS = 8;
const MARGIN = { top: 8, right: 10, bottom: 22, left: 52 } as const;

/** A metric over iterations, for one run or several, with the values under the pointer. */
export class CurveChart {
  readonly element: HTMLElement;
  readonly #title: string;
  readonly #canvas = h('canvas', { role: 'img', tabindex: 0 });
  readonly #read = h('div', { class: 'chart-read' });
  readonly #log: HTMLButtonElement;
  readonly #draw = oncePerFrame(() => this.#paint());
  readonly #observer = new ResizeObserver(this.#draw);
  #curves: readonly Curve[] = [];
  #x: Scale = scale(0, 1);
  #pointer: number | undefined;

  constructor(title: string, log: boolean, onLog: (log: boolean) => void) {
    this.#title = title;
    this.#log = h(
      'button',
      {
        type: 'button',
        class: 'toggle',
        'aria-pressed': String(log),
        'aria-label': `${title}: logarithmic scale`,
      },
      'log',
    );
    this.#log.addEventListener('click', () => {
      const on = !this.#isLog();
      this.#log.setAttribute('aria-pressed', String(on));
      onLog(on);
      this.#draw();
    });
    const move = (event: PointerEvent) => this.#point(event.offsetX);
    this.#canvas.addEventListener('pointermove', move);
    this.#canvas.addEventListener('pointerleave', () => this.#point(undefined));
    this.#canvas.addEventListener('keydown', (event) => this.#key(event));
    this.#canvas.addEventListener('blur', () => this.#point(undefined));
    this.element = h(
      'figure',
      { class: 'chart' },
      h('figcaption', {}, h('b', {}, title), this.#log),
      this.#canvas,
      this.#read,
    );
    this.#observer.observe(this.#canvas);
  }

  show(curves: readonly Curve[]): void {
    this.#curves = curves;
    this.#draw();
  }

  close(): void {
    this.#observer.disconnect();
  }

  #isLog(): boolean {
    return this.#log.getAttribute('aria-pressed') === 'true';
  }

  #point(offset: number | undefined): void {
    if (offset === undefined) this.#pointer = undefined;
    else {
      const width = this.#canvas.clientWidth - MARGIN.left - MARGIN.right;
      this.#pointer = this.#x.value(Math.max(0, Math.min(1, (offset - MARGIN.left) / width)));
    }
    this.#draw();
  }

  /** Arrows walk along the longest curve. */
  #key(event: KeyboardEvent): void {
    const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    const points = this.#curves.reduce<readonly Point[]>(
      (longest, { points }) => (points.length > longest.length ? points : longest),
      [],
    );
    if (by === undefined || points.length === 0) return;
    event.preventDefault();
    const stride = event.shiftKey ? Math.max(1, Math.round(points.length / 20)) : 1;
    const now = this.#pointer === undefined ? points.length : nearest(points, this.#pointer);
    const to = Math.max(0, Math.min(points.length - 1, now + by * stride));
    this.#pointer = points[to][0];
    this.#draw();
  }

  #paint(): void {
    const { context, width, height } = canvasContext(this.#canvas);
    const log = this.#isLog();
    const box = {
      left: MARGIN.left,
      top: MARGIN.top,
      width: width - MARGIN.left - MARGIN.right,
      height: height - MARGIN.top - MARGIN.bottom,
    };
    const last = extent(this.#curves.flatMap(({ points }) => points.at(-1)?.[0] ?? []));
    const ys = extent(valuesOf(this.#curves), log);
    this.#describe(log, ys);
    if (box.width <= 0 || !last || !ys) {
      context.fillStyle = styleOf('--muted');
      context.font = `13px ${styleOf('--font')}`;
      const why =
        this.#curves.length > 0 && last
          ? 'no positive value for a logarithmic scale'
          : 'no point yet';
      context.fillText(why, MARGIN.left, height / 2);
      replace(this.#read);
      return;
    }
    this.#x = scale(0, Math.max(1, last[1]));
    const y = scale(...padded(ys, log), log);
    const px = (value: number) => box.left + this.#x.place(value) * box.width;
    const py = (value: number) => box.top + (1 - y.place(value)) * box.height;
    drawAxes(context, box, this.#x, y);
    context.save();
    context.beginPath();
    context.rect(box.left, box.top - 2, box.width + MARGIN.right, box.height + 4);
    context.clip();
    for (const curve of this.#curves) drawCurve(context, curve, px, py, log, box.width);
    context.restore();
    this.#drawPointer(context, px, py, box);
  }

  #drawPointer(
    context: CanvasRenderingContext2D,
    px: (value: number) => number,
    py: (value: number) => number,
    box: Box,
  ): void {
    const at = this.#pointer;
    const several = this.#curves.length > 1;
    const shown = this.#curves.flatMap((curve) => {
      if (curve.points.length === 0) return [];
      const found = at === undefined ? curve.points.length - 1 : nearest(curve.points, at);
      return [{ curve, point: curve.points[found] }];
    });
    if (at !== undefined && shown.length > 0) {
      context.strokeStyle = styleOf('--faint');
      context.lineWidth = 1;
      context.beginPath();
      context.moveTo(Math.round(px(at)) + 0.5, box.top);
      context.lineTo(Math.round(px(at)) + 0.5, box.top + box.height);
      context.stroke();
      for (const { curve, point } of shown)
        dot(context, px(point[0]), py(point[1]), colourOf(curve), 3);
    }
    this.element.classList.toggle('several', several);
    this.element.classList.toggle('at-right', at !== undefined && this.#x.place(at) > 0.5);
    const most = at === undefined && several ? 0 : 10;
    replace(
      this.#read,
      shown
        .slice(0, most)
        .map(({ curve, point: [step, value] }) =>
          h(
            'span',
            { class: `value colour-${curve.colour % COLOURS}` },
            several && h('i', { class: 'swatch' }),
            several ? curve.label : `step ${formatCount(step)}  `,
            h('b', {}, formatNumber(value)),
          ),
        ),
    );
  }

  #describe(log: boolean, ys: readonly [number, number] | undefined): void {
    const what = this.#curves.map(({ label, points }) => {
      const last = points.at(-1);
      return last
        ? `${label}: ${points.length} points, ${formatNumber(last[1])} at step ${last[0]}`
        : `${label}: no point yet`;
    });
    const range = ys ? `, from ${formatNumber(ys[0])} to ${formatNumber(ys[1])}` : '';
    const text = `${this.#title}${log ? ', logarithmic' : ''}${range}. ${what.slice(0, 8).join('; ')}`;
    this.#canvas.setAttribute('aria-label', text);
  }
}

interface Box {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

function drawAxes(context: CanvasRenderingContext2D, box: Box, x: Scale, y: Scale): void {
  context.font = `11.5px ${styleOf('--font')}`;
  context.fillStyle = styleOf('--muted');
  context.strokeStyle = styleOf('--hairline');
  context.lineWidth = 1;
  context.textAlign = 'right';
  context.textBaseline = 'middle';
  for (const tick of y.ticks(Math.max(2, Math.floor(box.height / 34)))) {
    const at = Math.round(box.top + (1 - y.place(tick)) * box.height) + 0.5;
    context.beginPath();
    context.moveTo(box.left, at);
    context.lineTo(box.left + box.width, at);
    context.stroke();
    context.fillText(formatNumber(tick), box.left - 7, at);
  }
  context.textBaseline = 'top';
  const bottom = box.top + box.height;
  for (const tick of x.ticks(Math.max(2, Math.floor(box.width / 80)))) {
    const at = box.left + x.place(tick) * box.width;
    context.textAlign =
      at > box.left + box.width - 16 ? 'right' : at < box.left + 8 ? 'left' : 'center';
    context.fillText(formatCount(tick), at, bottom + 7);
  }
  context.strokeStyle = styleOf('--line');
  context.beginPath();
  context.moveTo(box.left, bottom + 0.5);
  context.lineTo(box.left + box.width, bottom + 0.5);
  context.stroke();
}

function drawCurve(
  context: CanvasRenderingContext2D,
  curve: Curve,
  px: (value: number) => number,
  py: (value: number) => number,
  log: boolean,
  width: number,
): void {
  const drawable = curve.points.filter(([, v]) => Number.isFinite(v) && (!log || v > 0));
  const last = drawable.at(-1);
  if (!last) return;
  context.strokeStyle = colourOf(curve);
  context.lineWidth = 1.5;
  context.lineJoin = 'round';
  context.setLineDash(curve.colour >= COLOURS ? [5, 3] : []);
  context.beginPath();
  for (const [step, value] of thinned(drawable, Math.floor(width)))
    context.lineTo(px(step), py(value));
  context.stroke();
  context.setLineDash([]);
  if (curve.live || drawable.length === 1)
    dot(context, px(last[0]), py(last[1]), colourOf(curve), 3.5);
}

function dot(
  context: CanvasRenderingContext2D,
  x: number,
  y: number,
  colour: string,
  r: number,
): void {
  context.fillStyle = colour;
  context.strokeStyle = styleOf('--card');
  context.lineWidth = 1.5;
  context.beginPath();
  context.arc(x, y, r, 0, 2 * Math.PI);
  context.fill();
  context.stroke();
}

function colourOf({ colour }: Curve): string {
  return styleOf(`--curve-${colour % COLOURS}`);
}

function* valuesOf(curves: readonly Curve[]): Generator<number> {
  for (const { points } of curves) for (const [, value] of points) yield value;
}

function nearest(points: readonly Point[], x: number): number {
  let [low, high] = [0, points.length - 1];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (points[middle][0] < x) low = middle + 1;
    else high = middle;
  }
  return low > 0 && x - points[low - 1][0] < points[low][0] - x ? low - 1 : low;
}
