/** What an uninitialised box holds. */
const EMPTY: unique symbol = Symbol('uninitialised');

const MISSING = Symbol('missing export');

/**
 * One variable of the notebook. Cells are compiled so that every use of a top-level name goes
 * through its box: closures of earlier cells see later redeclarations, a name may shadow a global
 * without changing it for libraries, and V8 optimises the access as an ordinary property.
 */
export class Box {
  readonly name: string;
  /** Declared by `const`, `import` or as a class that later cells must not assign to. */
  constant = false;
  /** The value, unchecked. */
  v: unknown = EMPTY;
  /** Where a missing export was asked for; see {@link Box.setMissing}. */
  [MISSING]: string | undefined = undefined;

  constructor(name: string) {
    this.name = name;
  }

  /** The value; falls back to a global of that name. Throws ReferenceError when there is none. */
  get g(): unknown {
    const value = this.v;
    return value === EMPTY ? this.#fallback() : value;
  }

  set g(value: unknown) {
    this.v = value;
  }

  /** The target of an assignment to a constant. */
  get c(): unknown {
    return this.g;
  }

  set c(_value: unknown) {
    throw new TypeError('Assignment to constant variable.');
  }

  /** The value or `undefined`, for `typeof name`. */
  peek(): unknown {
    if (this.v !== EMPTY) return this.v;
    return (globalThis as Record<string, unknown>)[this.name];
  }

  /** What `var name;` does. */
  hoist(): void {
    if (this.v === EMPTY) this.v = undefined;
  }

  get initialised(): boolean {
    return this.v !== EMPTY;
  }

  /** The name was imported, and the module has no such export: only using it is an error. */
  setMissing(specifier: string): void {
    this.v = EMPTY;
    this[MISSING] = specifier;
  }

  #fallback(): unknown {
    if (this.name in globalThis) return (globalThis as Record<string, unknown>)[this.name];
    const specifier = this[MISSING];
    if (specifier !== undefined) {
      throw new SyntaxError(
        `module '${specifier}' does not provide an export named '${this.name}'`,
      );
    }
    throw new ReferenceError(`${this.name} is not defined`);
  }
}

/** The variables of a notebook. */
export class Scope {
  readonly boxes = new Map<string, Box>();

  box(name: string): Box {
    let box = this.boxes.get(name);
    if (box === undefined) {
      box = new Box(name);
      this.boxes.set(name, box);
    }
    return box;
  }

  /** Defines a variable of the kernel's own, such as `display`. */
  define(name: string, value: unknown): void {
    this.box(name).v = value;
  }
}
