import type { Json, JsonObject, Output, StreamOutput } from './document.ts';
import { isObject } from './document.ts';

/** A message on iopub, as much of it as outputs are made from. */
export interface OutputMessage {
  readonly type: string;
  readonly content: JsonObject;
}

/**
 * Builds the outputs of the cells of one run from the kernel's messages: streams joined, displays
 * replaced by `update_display_data` wherever they stand, `clear_output` with and without `wait`.
 */
export class OutputCollector {
  readonly #cells: Output[][];
  readonly #clearNext = new Set<number>();
  readonly #displays = new Map<string, { cell: number; index: number }[]>();

  constructor(cells: number) {
    this.#cells = Array.from({ length: cells }, () => []);
  }

  outputs(cell: number): readonly Output[] {
    return this.#cells[cell];
  }

  /** Takes in a message of cell number `cell`; false when it makes no output. */
  accept(cell: number, { type, content }: OutputMessage): boolean {
    if (type === 'clear_output') {
      if (content['wait'] === true) this.#clearNext.add(cell);
      else this.#clear(cell);
      return true;
    }
    if (type === 'update_display_data') return this.#update(content);
    const output = outputOf(type, content);
    if (!output) return false;
    if (this.#clearNext.delete(cell)) this.#clear(cell);
    const outputs = this.#cells[cell];
    const last = outputs.at(-1);
    if (
      output.output_type === 'stream' &&
      last?.output_type === 'stream' &&
      last.name === output.name
    ) {
      outputs[outputs.length - 1] = { ...last, text: last.text + output.text };
      return true;
    }
    outputs.push(output);
    const id = displayId(content);
    if (id !== undefined) {
      const places = this.#displays.get(id) ?? [];
      this.#displays.set(id, [...places, { cell, index: outputs.length - 1 }]);
    }
    return true;
  }

  #clear(cell: number): void {
    this.#cells[cell].length = 0;
    for (const [id, places] of this.#displays) {
      this.#displays.set(
        id,
        places.filter((place) => place.cell !== cell),
      );
    }
  }

  #update(content: JsonObject): boolean {
    const places = this.#displays.get(displayId(content) ?? '') ?? [];
    for (const { cell, index } of places) {
      const before = this.#cells[cell][index];
      if (before.output_type !== 'display_data' && before.output_type !== 'execute_result')
        continue;
      this.#cells[cell][index] = { ...before, ...bundle(content) };
    }
    return places.length > 0;
  }
}

function outputOf(type: string, content: JsonObject): Output | undefined {
  switch (type) {
    case 'stream': {
      const name: StreamOutput['name'] = content['name'] === 'stderr' ? 'stderr' : 'stdout';
      return { output_type: 'stream', name, text: text(content['text']) };
    }
    case 'display_data':
      return { output_type: 'display_data', ...bundle(content) };
    case 'execute_result': {
      const count = content['execution_count'];
      return {
        output_type: 'execute_result',
        execution_count: typeof count === 'number' ? count : null,
        ...bundle(content),
      };
    }
    case 'error': {
      const traceback = content['traceback'];
      return {
        output_type: 'error',
        ename: text(content['ename']),
        evalue: text(content['evalue']),
        traceback: Array.isArray(traceback) ? traceback.map(text) : [],
      };
    }
    default:
      return undefined;
  }
}

function bundle(content: JsonObject): { data: JsonObject; metadata: JsonObject } {
  const { data, metadata } = content;
  return { data: isObject(data) ? data : {}, metadata: isObject(metadata) ? metadata : {} };
}

function displayId(content: JsonObject): string | undefined {
  const transient = content['transient'];
  const id = isObject(transient) ? transient['display_id'] : undefined;
  return typeof id === 'string' ? id : undefined;
}

const text = (value: Json | undefined): string => (typeof value === 'string' ? value : '');
