import { SourceMap, type SourceMapPayload } from 'node:module';
import type { RawSourceMap } from './lower.ts';

/** Line and column, both from 1. */
export interface Position {
  readonly line: number;
  readonly column: number;
}

export type MapPosition = (line: number, column: number) => Position;

/** The original position through one map, or the position itself where the map says nothing. */
export function mapThrough(map: RawSourceMap | undefined): MapPosition {
  let decoded: SourceMap | undefined;
  return (line, column) => {
    if (map === undefined) return { line, column };
    decoded ??= new SourceMap(map as unknown as SourceMapPayload);
    const entry = decoded.findEntry(line - 1, column - 1);
    if (!('originalLine' in entry) || entry.originalLine === undefined) return { line, column };
    return { line: entry.originalLine + 1, column: entry.originalColumn + 1 };
  };
}

/** The second step of a compilation first, then the first. */
export function composeMaps(
  second: RawSourceMap | undefined,
  first: RawSourceMap | undefined,
): MapPosition {
  const outer = mapThrough(second);
  const inner = mapThrough(first);
  return (line, column) => {
    const middle = outer(line, column);
    return inner(middle.line, middle.column);
  };
}

/**
 * Only what positions need, as text: a notebook keeps the maps of all its cells, and they must not
 * keep syntax trees alive with them.
 */
export function slimMap(map: RawSourceMap | undefined): RawSourceMap | undefined {
  if (map === undefined) return undefined;
  return { version: 3, sources: ['cell'], names: [], mappings: map.mappings };
}
