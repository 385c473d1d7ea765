import { homedir, tmpdir } from 'node:os';
import {
  type Cell,
  isObject,
  type Json,
  type JsonObject,
  type Notebook,
  tagsOf,
} from './document.ts';
import { normaliseOutputs, type PathNames, pick } from './outputs.ts';
import { slugIds } from './slugs.ts';

/** Cells that a run put in for `--set`; they are no part of the notebook. */
export const INJECTED_TAG = 'injected-parameters';

const NOTEBOOK_METADATA = ['gibbs', 'kernelspec', 'language_info', 'title'];
const KERNELSPEC = ['display_name', 'language', 'name'];
const LANGUAGE_INFO = ['file_extension', 'mimetype', 'name'];
const CELL_METADATA = ['slideshow', 'tags'];

/**
 * The normal form in which a notebook is committed: ids from content, no execution counts, timings,
 * progress bars or paths of this machine, metadata by allow-list, no empty cells. Applying it twice
 * changes nothing more. `root` is the folder that paths are shown relative to.
 */
export function normaliseNotebook(notebook: Notebook, root: string): Notebook {
  const paths = pathNames(root);
  const cells = notebook.cells
    .filter((cell) => !tagsOf(cell).includes(INJECTED_TAG))
    .map((cell) => normaliseCell(cell, paths))
    .filter((cell) => cell.source !== '' || (cell.cell_type === 'code' && cell.outputs.length > 0));
  const ids = slugIds(cells);
  return {
    metadata: notebookMetadata(notebook.metadata),
    cells: cells.map((cell, i) => ({ ...cell, id: ids[i] })),
  };
}

function pathNames(root: string): PathNames {
  return [
    [root, '.'],
    [tmpdir(), '<tmp>'],
    [homedir(), '~'],
  ];
}

function normaliseCell(cell: Cell, paths: PathNames): Cell {
  const source = cell.source.replace(/\r\n?/g, '\n').replace(/^\n+|\s+$/g, '');
  const metadata = cellMetadata(cell.metadata);
  if (cell.cell_type !== 'code') {
    const { cell_type, id, attachments } = cell;
    const attached = attachments !== undefined && Object.keys(attachments).length > 0;
    return { cell_type, id, metadata, source, ...(attached && { attachments }) };
  }
  return {
    cell_type: 'code',
    id: cell.id,
    metadata,
    source,
    execution_count: null,
    outputs: normaliseOutputs(cell.outputs, paths),
  };
}

function cellMetadata(metadata: JsonObject): JsonObject {
  const kept: Record<string, Json> = { ...pick(metadata, CELL_METADATA) };
  if (Array.isArray(kept['tags']) && kept['tags'].length === 0) delete kept['tags'];
  // Whether the source is folded away is the author's word to the reader; the rest is the view's.
  const jupyter = metadata['jupyter'];
  if (isObject(jupyter) && jupyter['source_hidden'] === true)
    kept['jupyter'] = { source_hidden: true };
  return kept;
}

function notebookMetadata(metadata: JsonObject): JsonObject {
  const kept: Record<string, Json> = { ...pick(metadata, NOTEBOOK_METADATA) };
  const { kernelspec, language_info: language } = kept;
  if (isObject(kernelspec)) kept['kernelspec'] = pick(kernelspec, KERNELSPEC);
  if (isObject(language)) kept['language_info'] = pick(language, LANGUAGE_INFO);
  return kept;
}
