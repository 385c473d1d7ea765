import { ConfigError } from '../../core/errors.ts';
import type { MimeBundle } from './render.ts';

export interface TableOptions {
  /** Columns shown, in this order; all by default. */
  readonly columns?: readonly string[];
  /** Rows shown; default 50. */
  readonly limit?: number;
}

type Row = Record<string, unknown>;

/** A table as HTML and as text. */
export function tableBundle(data: unknown, options: TableOptions = {}): MimeBundle {
  const rows = rowsOf(data);
  const columns = options.columns ?? [
    ...new Set(rows.slice(0, 1000).flatMap((r) => Object.keys(r))),
  ];
  const limit = options.limit ?? 50;
  const shown = rows.slice(0, limit);
  const more = rows.length > limit ? `${rows.length - limit} more rows` : '';
  return { 'text/html': html(shown, columns, more), 'text/plain': text(shown, columns, more) };
}

function rowsOf(data: unknown): Row[] {
  if (Array.isArray(data)) {
    return data.map((row: unknown) =>
      typeof row === 'object' && row !== null ? { ...(row as Row) } : { value: row },
    );
  }
  const table = data as { objects?: () => Row[] } | null;
  if (typeof table?.objects === 'function') return table.objects();
  if (typeof data === 'object' && data !== null) {
    const columns = Object.entries(data).filter(
      ([, value]) => Array.isArray(value) || ArrayBuffer.isView(value),
    ) as [string, ArrayLike<unknown>][];
    if (columns.length > 0) {
      const length = Math.max(...columns.map(([, values]) => values.length));
      return Array.from({ length }, (_, i) =>
        Object.fromEntries(columns.map(([name, values]) => [name, values[i]])),
      );
    }
    return Object.entries(data).map(([key, value]) => ({ key, value }));
  }
  throw new ConfigError(`display.table: expected rows or columns, got ${typeof data}`);
}

function cell(value: unknown): string {
  if (value === undefined || value === null) return '';
  if (typeof value === 'number' && !Number.isInteger(value)) {
    return String(Number(value.toPrecision(6)));
  }
  if (typeof value === 'object') return JSON.stringify(value) ?? '';
  return String(value);
}

function isNumeric(value: unknown): boolean {
  return typeof value === 'number' || typeof value === 'bigint';
}

const ESCAPES: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };

export function escapeHtml(value: string): string {
  return value.replace(/[&<>"]/g, (c) => ESCAPES[c]);
}

function html(rows: readonly Row[], columns: readonly string[], more: string): string {
  const head = columns.map((name) => `<th>${escapeHtml(name)}</th>`).join('');
  const body = rows.map((row) => {
    const cells = columns.map((name) => {
      const align = isNumeric(row[name]) ? ' style="text-align:right"' : '';
      return `<td${align}>${escapeHtml(cell(row[name]))}</td>`;
    });
    return `<tr>${cells.join('')}</tr>`;
  });
  const foot = more === '' ? '' : `<p>${more}</p>`;
  return `<table><thead><tr>${head}</tr></thead><tbody>${body.join('')}</tbody></table>${foot}`;
}

function text(rows: readonly Row[], columns: readonly string[], more: string): string {
  const grid = [columns, ...rows.map((row) => columns.map((name) => cell(row[name])))];
  const widths = columns.map((_, i) => Math.max(...grid.map((line) => line[i].length)));
  const lines = grid.map((line, y) =>
    line
      .map((value, i) =>
        y > 0 && isNumeric(rows[y - 1][columns[i]])
          ? value.padStart(widths[i])
          : value.padEnd(widths[i]),
      )
      .join('  ')
      .trimEnd(),
  );
  return [...lines, ...(more === '' ? [] : [more])].join('\n');
}
