import { SourceMap, type SourceMapPayload } from 'node:module';

/** Line and column, both from 1. */
export interface Position {
  readonly line: number;
  readonly column: number;
}

/**
 * The way from compiled code back to its source: the `mappings` of the source map of each step, the
 * last step first. Text only: a notebook keeps it of every cell.
 */
export type Mappings = readonly string[];

/** Decoded maps of the latest errors; a loop that catches errors asks again and again. */
const decoded = new Map<string, SourceMap>();
const KEPT = 16;

function decode(mappings: string): SourceMap {
  let map = decoded.get(mappings);
  if (map === undefined) {
    const payload: Partial<SourceMapPayload> = {
      version: 3,
      sources: ['cell'],
      names: [],
      mappings,
    };
    map = new SourceMap(payload as SourceMapPayload);
    decoded.set(mappings, map);
    if (decoded.size > KEPT) decoded.delete(decoded.keys().next().value as string);
  }
  return map;
}

/** The position in the source; where a map says nothing, the position stays. */
export function originalPosition(mappings: Mappings, compiled: Position): Position {
  let at = compiled;
  for (const step of mappings) {
    const entry = decode(step).findEntry(at.line - 1, at.column - 1);
    if ('originalLine' in entry && entry.originalLine !== undefined) {
      at = { line: entry.originalLine + 1, column: entry.originalColumn + 1 };
    }
  }
  return at;
}
