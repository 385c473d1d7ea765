import { GibbsError } from '../core/errors.ts';
import type { Cell, Notebook } from './document.ts';
import { formatNotebook } from './format.ts';
import { changes, freshnessOf, notebookRoot, recordedFreshness } from './freshness.ts';
import { INJECTED_TAG, normaliseNotebook } from './normalise.ts';
import { parseNotebook, readNotebookText } from './read.ts';

/** A committed notebook is read in a browser and kept for ever in the history. */
export const MAX_BYTES = 500_000;

/** Something that keeps a notebook from being committed; `message` says what and what to do. */
export interface Problem {
  readonly kind: 'unreadable' | 'unnormalised' | 'size' | 'failed' | 'stale';
  readonly message: string;
}

/** What is wrong with the notebook file at `path`; empty when it can be committed. Never throws. */
export function checkNotebook(path: string): Problem[] {
  let text: string;
  let notebook: Notebook;
  try {
    text = readNotebookText(path);
    notebook = parseNotebook(text, path);
  } catch (error) {
    if (!(error instanceof GibbsError)) throw error;
    return [{ kind: 'unreadable', message: error.message }];
  }
  const normal = normaliseNotebook(notebook, notebookRoot(path));
  return [
    ...(formatNotebook(normal) === text ? [] : [unnormalised(notebook, normal)]),
    ...size(text, normal),
    ...failed(normal),
    ...stale(normal, path),
  ];
}

function unnormalised(notebook: Notebook, normal: Notebook): Problem {
  const reasons = [...new Set(differences(notebook, normal))];
  const shown = reasons.length > 0 ? reasons.slice(0, 5).join('; ') : 'key order or line layout';
  const more = reasons.length > 5 ? `; and ${reasons.length - 5} more` : '';
  return {
    kind: 'unnormalised',
    message: `not in normal form (${shown}${more}): run \`gibbs notebook clean\` on it`,
  };
}

function* differences(notebook: Notebook, normal: Notebook): Generator<string> {
  const dropped = notebook.cells.filter(
    (c) => c.metadata['tags'] && hasTag(c, INJECTED_TAG),
  ).length;
  if (dropped > 0) yield 'injected parameters';
  if (notebook.cells.length - dropped !== normal.cells.length) {
    yield 'empty cells';
    return;
  }
  const kept = notebook.cells.filter((c) => !hasTag(c, INJECTED_TAG));
  for (const [i, cell] of kept.entries()) {
    const clean = normal.cells[i];
    const at = `cell ${i + 1} '${clean.id}'`;
    if (cell.id !== clean.id) yield `${at} has the id '${cell.id}'`;
    if (cell.source !== clean.source) yield `${at} has blank lines at an end`;
    if (!same(cell.metadata, clean.metadata)) yield `${at} has metadata to drop`;
    if (cell.cell_type !== 'code' || clean.cell_type !== 'code') continue;
    if (cell.execution_count !== null) yield 'execution counts';
    const counts = (o: unknown) => ({ ...(o as object), execution_count: null });
    if (!same(cell.outputs.map(counts), clean.outputs.map(counts))) {
      yield `${at} has outputs with paths, progress bars, metadata or streams in pieces`;
    }
  }
  if (!same(notebook.metadata, normal.metadata)) yield 'notebook metadata to drop';
}

const hasTag = (cell: Cell, tag: string) =>
  Array.isArray(cell.metadata['tags']) && cell.metadata['tags'].includes(tag);

const same = (a: unknown, b: unknown) => JSON.stringify(a) === JSON.stringify(b);

function size(text: string, notebook: Notebook): Problem[] {
  const bytes = Buffer.byteLength(text);
  if (bytes <= MAX_BYTES) return [];
  const weights = notebook.cells.map((c) => JSON.stringify(c).length);
  const heaviest = weights.indexOf(Math.max(...weights));
  return [
    {
      kind: 'size',
      message:
        `${Math.ceil(bytes / 1000)} kB, more than ${MAX_BYTES / 1000} kB: show less or smaller; ` +
        `cell ${heaviest + 1} '${notebook.cells[heaviest].id}' alone has ` +
        `${Math.ceil(weights[heaviest] / 1000)} kB`,
    },
  ];
}

function failed(notebook: Notebook): Problem[] {
  for (const [i, cell] of notebook.cells.entries()) {
    if (cell.cell_type !== 'code') continue;
    const error = cell.outputs.find((o) => o.output_type === 'error');
    if (error?.output_type === 'error') {
      const message = `cell ${i + 1} '${cell.id}' shows an error, ${error.ename}: ${error.evalue}`;
      return [{ kind: 'failed', message }];
    }
  }
  return [];
}

function stale(normal: Notebook, path: string): Problem[] {
  if (!normal.cells.some((c) => c.cell_type === 'code')) return [];
  const recorded = recordedFreshness(normal);
  if (!recorded) {
    const message = 'never run to its end: run `gibbs notebook run` on it';
    return [{ kind: 'stale', message }];
  }
  const reasons = changes(recorded, freshnessOf(normal, path));
  if (reasons.length === 0) return [];
  const message = `since its last run ${reasons.join(', ')}: run \`gibbs notebook run\` on it`;
  return [{ kind: 'stale', message }];
}
