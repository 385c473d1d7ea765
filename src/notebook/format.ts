import { type Cell, isObject, type Json, type Notebook, type Output } from './document.ts';

/**
 * The file of a notebook, byte for byte the same for the same notebook: nbformat 4.5, keys in
 * alphabetical order, one space of indentation, texts as lists of lines, a newline at the end. This
 * is what Jupyter writes too, so saving from JupyterLab changes nothing but what changed.
 */
export function formatNotebook(notebook: Notebook): string {
  const file: Json = {
    cells: notebook.cells.map(cellJson),
    metadata: notebook.metadata,
    nbformat: 4,
    nbformat_minor: 5,
  };
  return `${JSON.stringify(sorted(file), null, 1)}\n`;
}

/** The same JSON with the keys of every object in alphabetical order. */
export function sorted(value: Json): Json {
  if (Array.isArray(value)) return value.map(sorted);
  if (!isObject(value)) return value;
  const keys = Object.keys(value).sort();
  return Object.fromEntries(keys.map((key) => [key, sorted(value[key])]));
}

function cellJson(cell: Cell): Json {
  const source = lines(cell.source);
  if (cell.cell_type !== 'code') return { ...cell, source };
  return { ...cell, source, outputs: cell.outputs.map(outputJson) };
}

function outputJson(output: Output): Json {
  if (output.output_type === 'stream') return { ...output, text: lines(output.text) };
  if (output.output_type === 'error') return { ...output };
  const data = Object.entries(output.data).map(([mime, value]): [string, Json] => [
    mime,
    typeof value === 'string' && isSplit(mime) ? lines(value) : value,
  ]);
  return { ...output, data: Object.fromEntries(data) };
}

/** The MIME types whose texts are written line by line, as Jupyter does. */
function isSplit(mime: string): boolean {
  return mime.startsWith('text/') || mime === 'image/svg+xml' || mime === 'application/javascript';
}

function lines(text: string): string[] {
  return text === '' ? [] : text.split(/(?<=\n)/);
}
