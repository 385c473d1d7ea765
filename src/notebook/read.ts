import { readFileSync } from 'node:fs';
import { DataError, StoreError } from '../core/errors.ts';
import { toStoreError } from '../core/files.ts';
import {
  type Cell,
  isObject,
  type Json,
  type JsonObject,
  type Notebook,
  type Output,
} from './document.ts';
import { slugIds } from './slugs.ts';

/**
 * Reads a notebook file.
 * @throws StoreError when the file cannot be read, DataError when it is not a notebook of nbformat 4.
 */
export function readNotebook(path: string): Notebook {
  return parseNotebook(readNotebookText(path), path);
}

/** @throws StoreError when the file is missing or cannot be read. */
export function readNotebookText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw toStoreError(error, 'read', path);
    throw new StoreError(`notebook ${path} does not exist; check the path`, { cause: error });
  }
}

/**
 * Parses and checks the text of a notebook; `path` is for messages. Cells of nbformat 4.0–4.4, which
 * have no ids, get the ids of the normal form.
 * @throws DataError naming the place, e.g. `cells[3].outputs[0].name`, and what belongs there.
 */
export function parseNotebook(text: string, path: string): Notebook {
  const reader = new Reader(path);
  const raw = reader.json(text);
  if (!isObject(raw)) throw reader.wrong('', 'an object', raw);
  const major = raw['nbformat'];
  if (raw['worksheets'] !== undefined || (typeof major === 'number' && major < 4)) {
    throw new DataError(
      `notebook ${path} is of nbformat ${major ?? 3}, which is no longer in use; ` +
        'convert it with `jupyter nbconvert --to notebook` first',
    );
  }
  if (major !== 4) throw reader.wrong('nbformat', '4', major);
  const minor = raw['nbformat_minor'];
  if (typeof minor !== 'number' || !Number.isInteger(minor) || minor < 0) {
    throw reader.wrong('nbformat_minor', 'a whole number', minor);
  }
  const cells = reader.array(raw['cells'], 'cells').map((c, i) => reader.cell(c, `cells[${i}]`));
  const slugs = slugIds(cells);
  return {
    metadata: reader.object(raw['metadata'] ?? {}, 'metadata'),
    cells: cells.map((cell, i) => (cell.id === '' ? { ...cell, id: slugs[i] } : cell)),
  };
}

class Reader {
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
  }

  json(text: string): unknown {
    try {
      return JSON.parse(text.replace(/^\ufeff/, ''));
    } catch (error) {
      const hint = /^<{7} /m.test(text)
        ? 'it holds merge conflict markers (<<<<<<<): resolve them, or take one side and run again'
        : text.trim() === ''
          ? 'it is empty'
          : `${(error as Error).message}; restore it from version control`;
      throw new DataError(`notebook ${this.#path} is not valid JSON: ${hint}`, { cause: error });
    }
  }

  wrong(where: string, expected: string, got: unknown): DataError {
    const shown = got === undefined ? 'nothing' : (JSON.stringify(got) ?? String(got));
    const place = where === '' ? '' : `${where}: `;
    return new DataError(
      `notebook ${this.#path}: ${place}expected ${expected}, got ${shown.slice(0, 80)}; ` +
        'open and save it in Jupyter, or restore it from version control',
    );
  }

  object(value: unknown, where: string): JsonObject {
    if (!isObject(value)) throw this.wrong(where, 'an object', value);
    return value;
  }

  array(value: unknown, where: string): readonly unknown[] {
    if (!Array.isArray(value)) throw this.wrong(where, 'a list', value);
    return value;
  }

  string(value: unknown, where: string): string {
    if (typeof value !== 'string') throw this.wrong(where, 'a text', value);
    return value;
  }

  /** A text, or a list of its lines. */
  text(value: unknown, where: string): string {
    if (typeof value === 'string') return value;
    if (Array.isArray(value) && value.every((line) => typeof line === 'string'))
      return value.join('');
    throw this.wrong(where, 'a text or a list of lines', value);
  }

  count(value: unknown, where: string): number | null {
    if (value === null || value === undefined) return null;
    if (typeof value === 'number' && Number.isInteger(value)) return value;
    throw this.wrong(where, 'a whole number or null', value);
  }

  cell(value: unknown, where: string): Cell {
    const raw = this.object(value, where);
    const type = raw['cell_type'];
    const id = raw['id'] === undefined ? '' : this.string(raw['id'], `${where}.id`);
    if (id !== '' && !/^[\w-]{1,64}$/.test(id)) {
      throw this.wrong(`${where}.id`, '1 to 64 letters, digits, - or _', id);
    }
    const metadata = this.object(raw['metadata'] ?? {}, `${where}.metadata`);
    const source = this.text(raw['source'], `${where}.source`);
    if (type === 'code') {
      return {
        cell_type: 'code',
        id,
        metadata,
        source,
        execution_count: this.count(raw['execution_count'], `${where}.execution_count`),
        outputs: this.array(raw['outputs'], `${where}.outputs`).map((output, i) =>
          this.output(output, `${where}.outputs[${i}]`),
        ),
      };
    }
    if (type !== 'markdown' && type !== 'raw') {
      throw this.wrong(`${where}.cell_type`, "'code', 'markdown' or 'raw'", type);
    }
    const attachments = raw['attachments'];
    return {
      cell_type: type,
      id,
      metadata,
      source,
      ...(attachments !== undefined && {
        attachments: this.object(attachments, `${where}.attachments`),
      }),
    };
  }

  output(value: unknown, where: string): Output {
    const raw = this.object(value, where);
    const type = raw['output_type'];
    switch (type) {
      case 'stream': {
        const name = raw['name'];
        if (name !== 'stdout' && name !== 'stderr') {
          throw this.wrong(`${where}.name`, "'stdout' or 'stderr'", name);
        }
        return { output_type: 'stream', name, text: this.text(raw['text'], `${where}.text`) };
      }
      case 'display_data':
        return { output_type: type, ...this.bundle(raw, where) };
      case 'execute_result':
        return {
          output_type: type,
          execution_count: this.count(raw['execution_count'], `${where}.execution_count`),
          ...this.bundle(raw, where),
        };
      case 'error':
        return {
          output_type: 'error',
          ename: this.string(raw['ename'], `${where}.ename`),
          evalue: this.string(raw['evalue'], `${where}.evalue`),
          traceback: this.array(raw['traceback'], `${where}.traceback`).map((line, i) =>
            this.string(line, `${where}.traceback[${i}]`),
          ),
        };
      default:
        throw this.wrong(
          `${where}.output_type`,
          "'stream', 'display_data', 'execute_result' or 'error'",
          type,
        );
    }
  }

  bundle(raw: JsonObject, where: string): { data: JsonObject; metadata: JsonObject } {
    const data = this.object(raw['data'], `${where}.data`);
    const joined = Object.entries(data).map(([mime, value]): [string, Json] => [
      mime,
      isJsonMime(mime) ? value : this.text(value, `${where}.data['${mime}']`),
    ]);
    return {
      data: Object.fromEntries(joined),
      metadata: this.object(raw['metadata'] ?? {}, `${where}.metadata`),
    };
  }
}

/** `application/json`, `application/vnd.vegalite.v6+json`, …: values of any form. */
export function isJsonMime(mime: string): boolean {
  return /^application\/(?:.*\+)?json$/.test(mime);
}
