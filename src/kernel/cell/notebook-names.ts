import type { Scope } from './box.ts';

/** What marks the identifiers of the compiler; never typed by people. */
export const MARK = '·';

/** Names with a meaning of their own, which are never variables of the notebook. */
const RESERVED = new Set(['undefined', 'NaN', 'Infinity', 'arguments', 'eval', 'globalThis']);

/** Top-level names of a cell, and the offset behind which each is initialised. */
export type Declared = Map<string, { constant: boolean; end: number }>;

/** Names bound inside functions and blocks, innermost first. */
export interface Local {
  readonly names: ReadonlySet<string>;
  readonly parent: Local | undefined;
}

export function isBound(name: string, local: Local | undefined): boolean {
  for (let scope = local; scope !== undefined; scope = scope.parent) {
    if (scope.names.has(name)) return true;
  }
  return false;
}

/** The variables of the notebook as the code of one cell writes them. */
export class NotebookNames {
  readonly declared: Declared;
  /** Every box that the cell refers to. */
  readonly used = new Set<string>();
  readonly #scope: Scope;

  constructor(scope: Scope, declared: Declared) {
    this.#scope = scope;
    this.declared = declared;
  }

  /** True when `name`, used where `local` holds, is a variable of the notebook. */
  has(name: string, local: Local | undefined): boolean {
    if (isBound(name, local) || RESERVED.has(name) || name.endsWith(MARK)) return false;
    if (this.declared.has(name) || this.#scope.boxes.has(name)) return true;
    return !(name in globalThis) && name !== 'babelHelpers';
  }

  isConstant(name: string): boolean {
    const here = this.declared.get(name);
    if (here !== undefined) return here.constant;
    return this.#scope.boxes.get(name)?.constant === true;
  }

  /** The box itself. */
  box(name: string): string {
    this.used.add(name);
    return name + MARK;
  }

  /** The text that reads the variable at offset `at`. */
  read(name: string, at: number): string {
    const here = this.declared.get(name);
    const sure =
      here === undefined ? this.#scope.boxes.get(name)?.initialised === true : at >= here.end;
    return `${this.box(name)}.${sure ? 'v' : 'g'}`;
  }

  /** The text that an assignment writes to. */
  target(name: string, initialising = false): string {
    return `${this.box(name)}.${!initialising && this.isConstant(name) ? 'c' : 'v'}`;
  }
}
