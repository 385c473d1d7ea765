import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { DataError } from '../core/errors.ts';
import { readBytes } from '../core/files.ts';
import { isSamePicture, textsOf } from '../figures/png.ts';
import { provenanceOf, renderPng } from '../figures/render.ts';
import { canonicalJson } from '../train/run.ts';

/** One run behind a figure, as its JSON names it. */
export interface FigureRun {
  readonly key?: string;
  /** Of the parameters that were drawn; for a published checkpoint, of the rounded ones. */
  readonly checksum?: string;
  readonly from?: 'run' | 'checkpoint';
  readonly dataset?: string;
  readonly model?: string;
  readonly seed?: number;
  readonly config?: object;
  readonly metrics?: Readonly<Record<string, number>>;
}

/** What stands beside a picture. */
export interface FigureRecord {
  readonly figure: string;
  readonly preset?: string;
  readonly seed?: number;
  readonly renderer?: Readonly<Record<string, string>>;
  readonly runs: readonly FigureRun[];
}

export interface FigureFiles {
  readonly name: string;
  readonly record: FigureRecord;
  readonly svg: string;
  readonly png: Uint8Array;
}

/** The figures of a folder, by the path of their JSON. */
export function figuresIn(folder: string): string[] {
  return readdirSync(folder)
    .filter((name) => name.endsWith('.json'))
    .sort()
    .map((name) => join(folder, name));
}

/**
 * The three files of a figure.
 * @param path of any of them.
 * @throws DataError when one is missing, or the JSON is none of a figure.
 */
export function readFigure(path: string): FigureFiles {
  const stem = path.replace(/\.(json|svg|png)$/, '');
  for (const extension of ['json', 'svg', 'png']) {
    if (!existsSync(`${stem}.${extension}`)) {
      throw new DataError(`${basename(stem)}.${extension} is missing`);
    }
  }
  const record = recordOf(`${stem}.json`);
  const svg = readFileSync(`${stem}.svg`, 'utf8');
  return { name: basename(stem), record, svg, png: readBytes(`${stem}.png`) };
}

/** What is wrong between the three files themselves; empty when they tell one story. */
export function disagreements({ record, svg, png }: FigureFiles): string[] {
  const inSvg = provenanceOf(svg);
  if (inSvg === undefined) return ['the SVG carries no provenance'];
  const inPng = textsOf(png)['gibbs'];
  const found: string[] = [];
  if (inPng === undefined || canonicalJson(JSON.parse(inPng)) !== canonicalJson(inSvg)) {
    found.push('the PNG carries another provenance than the SVG');
  }
  const differing = firstDifference(inSvg, record);
  if (differing !== undefined) found.push(`the JSON says something else of ${differing}`);
  if (!isSamePicture(renderPng(svg), png)) found.push('the PNG does not show the SVG');
  return found;
}

/** Path of the first leaf of `part` that `whole` lacks or has otherwise. */
export function firstDifference(part: unknown, whole: unknown, path = ''): string | undefined {
  if (typeof part !== 'object' || part === null) return part === whole ? undefined : path;
  if (typeof whole !== 'object' || whole === null) return path;
  if (Array.isArray(part) && (whole as unknown[]).length !== part.length) return path;
  for (const [key, value] of Object.entries(part)) {
    const other = (whole as Record<string, unknown>)[key];
    const found = firstDifference(value, other, path === '' ? key : `${path}.${key}`);
    if (found !== undefined) return found;
  }
  return undefined;
}

function recordOf(path: string): FigureRecord {
  let found: Partial<FigureRecord>;
  try {
    found = JSON.parse(readFileSync(path, 'utf8')) as Partial<FigureRecord>;
  } catch (error) {
    throw new DataError(`${basename(path)} is no JSON: ${(error as Error).message}`, {
      cause: error,
    });
  }
  if (typeof found.figure !== 'string' || !Array.isArray(found.runs)) {
    throw new DataError(`${basename(path)} names no figure and no runs`);
  }
  return found as FigureRecord;
}
