import { inspect } from 'node:util';
import { imageBundle, isTensorLike, tensorText } from './tensor.ts';

/** MIME type → what a front end shows of it. */
export type MimeBundle = Record<string, unknown>;

/** The method by which a value says how it is shown: returns a MIME bundle or a promise of one. */
export const DISPLAY = Symbol.for('Jupyter.display');

const INSPECT = { depth: 4, maxArrayLength: 100, maxStringLength: 10_000, breakLength: 88 };

export function inspectText(value: unknown): string {
  try {
    return inspect(value, INSPECT);
  } catch (error) {
    return `[not shown: ${(error as Error).message}]`;
  }
}

/** How `value` is shown: by its own method, as a tensor, table or chart, or as text. */
export async function render(value: unknown): Promise<MimeBundle> {
  if (isObject(value)) {
    const own = (value as { [DISPLAY]?: () => unknown })[DISPLAY];
    if (typeof own === 'function') {
      const bundle = await own.call(value);
      if (isObject(bundle)) return bundle as MimeBundle;
    }
    if (isTensorLike(value)) return { ...imageBundle(value), 'text/plain': tensorText(value) };
    const chart = vegaMime(value);
    if (chart !== undefined) return { [chart]: value, 'text/plain': '<Vega chart>' };
    if (isTable(value)) {
      return { 'text/html': value.toHTML(), 'text/plain': inspectText(value) };
    }
  }
  return { 'text/plain': inspectText(value) };
}

/** The MIME type of a Vega or Vega-Lite specification; `undefined` for anything else. */
export function vegaMime(value: object): string | undefined {
  const schema = Object.getOwnPropertyDescriptor(value, '$schema')?.value as unknown;
  if (typeof schema !== 'string') return undefined;
  if (/\/vega-lite\//.test(schema)) return 'application/vnd.vegalite.v5+json';
  return /\/vega\//.test(schema) ? 'application/vnd.vega.v5+json' : undefined;
}

/** Tables of Arquero and its like. */
function isTable(value: object): value is { toHTML(): string } {
  const table = value as { toHTML?: unknown; numRows?: unknown };
  return typeof table.toHTML === 'function' && typeof table.numRows === 'function';
}

function isObject(value: unknown): value is object {
  return (typeof value === 'object' && value !== null) || typeof value === 'function';
}
