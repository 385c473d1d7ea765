import type { DType } from '../../../core/host-tensor.ts';
import { MEMORY_TYPE } from './elements.ts';

/** An array that a unit is given, from its `offset`-th element on; base −1 is its scratch space. */
export interface Parameter {
  readonly base: number;
  readonly offset: number;
  readonly dtype: DType;
  readonly written: boolean;
}

/** The code of one unit, independent of where its arrays lie: equal units share one function. */
export interface UnitCode {
  readonly parameters: readonly Parameter[];
  readonly body: string;
  /** Functions that the body calls, as C text. */
  readonly helpers: readonly string[];
  /** Floats of scratch space, of each thread. */
  readonly scratch: number;
  /** Whether it is given `me` and `all`, and thread `me` of `all` does its share. */
  readonly shared: boolean;
}

export const SCRATCH = -1;

/** Gives every array that a body mentions a name. */
export class Parameters {
  readonly list: Parameter[] = [];
  private readonly names = new Map<string, string>();

  name(base: number, offset: number, dtype: DType, written: boolean): string {
    const key = `${base} ${offset} ${written}`;
    let name = this.names.get(key);
    if (name === undefined) {
      name = `p${this.list.length}`;
      this.names.set(key, name);
      this.list.push({ base, offset, dtype, written });
    }
    return name;
  }
}

export function declaration({ dtype, written }: Parameter, index: number): string {
  return `${written ? '' : 'const '}${MEMORY_TYPE[dtype]} *restrict p${index}`;
}
