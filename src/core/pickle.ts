import { DataError } from './errors.ts';
import { PickleReader } from './pickle-reader.ts';

/*
 * Python's pickle format is a program for a stack machine that can call any function. This machine
 * knows no functions: it builds numbers, strings, lists, tuples and dictionaries, and a caller may
 * add constructors for a fixed list of names. Every other name is refused where it is looked up.
 */

/** An attribute container such as `argparse.Namespace`. */
export interface PickleObject {
  readonly kind: 'object';
  /** Module and name, e.g. `argparse.Namespace`. */
  readonly type: string;
  readonly attributes: Map<PickleValue, PickleValue>;
}

export interface PickleTuple {
  readonly kind: 'tuple';
  readonly items: readonly PickleValue[];
}

/** What a caller's constructors make, e.g. tensors. */
export interface PickleForeign {
  readonly kind: 'foreign';
  readonly value: unknown;
}

/** Integers beyond ±2^53 are bigint. Dictionaries keep the order and type of their keys. */
export type PickleValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | PickleValue[]
  | Map<PickleValue, PickleValue>
  | PickleTuple
  | PickleObject
  | PickleForeign;

/** Makes a value from the arguments that the pickle gives. */
export type PickleConstructor = (args: readonly PickleValue[]) => PickleValue;

export interface PickleOptions {
  /** Names the data in errors. */
  readonly source: string;
  /** The names that may be looked up, as `module name`, and what a call of each makes. */
  readonly constructors?: Readonly<Record<string, PickleConstructor>>;
  /** Names, as `module name`, that stand for a value themselves, e.g. types of elements. */
  readonly symbols?: Readonly<Record<string, PickleForeign>>;
  /** What a persistent id stands for. */
  readonly persistent?: (id: PickleValue) => PickleValue;
}

/** A name on the stack, which only a call can consume. */
class NamedConstructor {
  readonly kind = 'constructor';
  readonly name: string;
  readonly make: PickleConstructor;

  constructor(name: string, make: PickleConstructor) {
    this.name = name;
    this.make = make;
  }
}

type Item = PickleValue | NamedConstructor;

const tuple = (items: readonly PickleValue[]): PickleTuple => ({ kind: 'tuple', items });

const asDict: PickleConstructor = (args) => {
  const map = new Map<PickleValue, PickleValue>();
  const pairs = args.length === 0 ? [] : itemsOf(args[0]);
  for (const pair of pairs ?? []) {
    const [key, value] = itemsOf(pair) ?? [];
    map.set(key as PickleValue, value as PickleValue);
  }
  return map;
};

/** Bytes are pickled as text in which each character is one byte. */
const asBytes: PickleConstructor = ([text, encoding]) => {
  if (typeof text !== 'string' || (encoding !== 'latin1' && encoding !== undefined)) {
    throw new Error('bytes in another encoding than latin1');
  }
  return Uint8Array.from(text, (c) => c.charCodeAt(0));
};

const emptyObject = (type: string): PickleConstructor => {
  return () => ({ kind: 'object', type, attributes: new Map() });
};

/** Plain containers of the standard library. */
const PLAIN: Readonly<Record<string, PickleConstructor>> = {
  'collections OrderedDict': asDict,
  '_codecs encode': asBytes,
  'argparse Namespace': emptyObject('argparse.Namespace'),
};

/** The items of a list or tuple. */
export function itemsOf(value: PickleValue | undefined): readonly PickleValue[] | undefined {
  if (Array.isArray(value)) return value;
  return isTuple(value) ? value.items : undefined;
}

export function isTuple(value: PickleValue | undefined): value is PickleTuple {
  return typeof value === 'object' && value !== null && 'kind' in value && value.kind === 'tuple';
}

/**
 * Reads one pickle (protocols 0 to 5) from `bytes`; returns its value and the position behind it.
 * @throws DataError when it is damaged, looks up a name that is not allowed, or uses an operation
 *   that plain data do not need.
 */
export function readPickle(
  bytes: Uint8Array,
  options: PickleOptions,
  begin = 0,
): { value: PickleValue; end: number } {
  const fail = (what: string) => new DataError(`${options.source}: ${what}`);
  const reader = new PickleReader(bytes, begin, fail);
  const machine = new Machine(reader, options, fail);
  try {
    return { value: machine.run(), end: reader.at };
  } catch (error) {
    if (error instanceof DataError) throw error;
    throw new DataError(`${options.source}: damaged pickle: ${(error as Error).message}`, {
      cause: error,
    });
  }
}

class Machine {
  readonly #r: PickleReader;
  readonly #options: PickleOptions;
  readonly #fail: (what: string) => DataError;
  readonly #memo = new Map<number, Item>();
  #stack: Item[] = [];
  readonly #marks: Item[][] = [];

  constructor(reader: PickleReader, options: PickleOptions, fail: (what: string) => DataError) {
    this.#r = reader;
    this.#options = options;
    this.#fail = fail;
  }

  run(): PickleValue {
    for (;;) {
      const op = this.#r.byte();
      if (op === STOP) return this.#value();
      const action = ACTIONS[op];
      if (action === undefined) {
        const code = op.toString(16).padStart(2, '0');
        throw this.#fail(`the pickle uses operation 0x${code}, which plain data do not need`);
      }
      action(this);
    }
  }

  get reader(): PickleReader {
    return this.#r;
  }

  push(item: Item): void {
    this.#stack.push(item);
  }

  #pop(): Item {
    if (this.#stack.length === 0) throw this.#fail('damaged pickle: its stack is empty');
    return this.#stack.pop() as Item;
  }

  /** The top of the stack, which must be a value. */
  #value(): PickleValue {
    const item = this.#pop();
    if (item instanceof NamedConstructor) {
      throw this.#fail(`the pickle holds '${item.name}' itself, which is no data`);
    }
    return item;
  }

  value = (): PickleValue => this.#value();

  text(): string {
    const value = this.#value();
    if (typeof value !== 'string') throw this.#fail('damaged pickle: a name is no string');
    return value;
  }

  mark(): void {
    this.#marks.push(this.#stack);
    this.#stack = [];
  }

  /** What was pushed since the last mark. */
  sinceMark(): PickleValue[] {
    const before = this.#marks.pop();
    if (before === undefined) throw this.#fail('damaged pickle: a mark is missing');
    const items = this.#stack;
    this.#stack = before;
    const named = items.find((i) => i instanceof NamedConstructor);
    if (named !== undefined) throw this.#fail('damaged pickle: a function among data');
    return items as PickleValue[];
  }

  discard(): void {
    if (this.#stack.length === 0 && this.#marks.length > 0) this.sinceMark();
    else this.#pop();
  }

  duplicate(): void {
    const item = this.#pop();
    this.#stack.push(item, item);
  }

  remember(index: number): void {
    const item = this.#pop();
    this.#stack.push(item);
    this.#memo.set(index, item);
  }

  rememberNext(): void {
    this.remember(this.#memo.size);
  }

  recall(index: number): void {
    const item = this.#memo.get(index);
    if (item === undefined) throw this.#fail(`damaged pickle: memory ${index} is empty`);
    this.#stack.push(item);
  }

  append(items: readonly PickleValue[]): void {
    const list = this.#value();
    if (!Array.isArray(list)) throw this.#fail('damaged pickle: it appends to no list');
    for (const item of items) list.push(item);
    this.#stack.push(list);
  }

  setItems(items: readonly PickleValue[]): void {
    const map = this.#value();
    if (!(map instanceof Map) || items.length % 2 !== 0) {
      throw this.#fail('damaged pickle: it sets entries of no dictionary');
    }
    for (let i = 0; i < items.length; i += 2) map.set(items[i], items[i + 1]);
    this.#stack.push(map);
  }

  lookUp(module: string, name: string): void {
    const key = `${module} ${name}`;
    const { symbols = {}, constructors = {} } = this.#options;
    if (Object.hasOwn(symbols, key)) {
      this.#stack.push(symbols[key]);
      return;
    }
    const table = [constructors, PLAIN].find((t) => Object.hasOwn(t, key));
    if (table === undefined) {
      throw this.#fail(
        `the pickle asks for '${module}.${name}', which is not among the plain data types that are read; nothing was run`,
      );
    }
    this.#stack.push(new NamedConstructor(`${module}.${name}`, table[key]));
  }

  call(): void {
    const args = itemsOf(this.#value());
    const callee = this.#pop();
    if (!(callee instanceof NamedConstructor) || args === undefined) {
      throw this.#fail('damaged pickle: it calls what is no constructor');
    }
    this.#stack.push(callee.make(args));
  }

  /** Attributes of a container; those of a dictionary (the official `_metadata`) are dropped. */
  build(): void {
    const state = this.#value();
    const target = this.#value();
    if (target instanceof Map) {
      this.#stack.push(target);
      return;
    }
    const isObject =
      typeof target === 'object' && target !== null && 'kind' in target && target.kind === 'object';
    if (!isObject || !(state instanceof Map)) {
      throw this.#fail('the pickle sets the state of a type that has none');
    }
    for (const [key, value] of state) target.attributes.set(key, value);
    this.#stack.push(target);
  }

  persistent(): void {
    const id = this.#value();
    if (this.#options.persistent === undefined) {
      throw this.#fail('the pickle refers to data outside of it');
    }
    this.#stack.push(this.#options.persistent(id));
  }
}

const STOP = 0x2e;

/** Joins the top `n` items to a tuple. */
const tupleOf = (n: number) => (m: Machine) => {
  const items = Array.from({ length: n }, () => m.value()).reverse();
  m.push(tuple(items));
};

const unsigned = (bytes: 1 | 2 | 4) => (m: Machine) => m.push(m.reader.uint(bytes));

const ACTIONS: Readonly<Record<number, (m: Machine) => void>> = {
  128: (m) => m.reader.protocol(),
  149: (m) => m.reader.skipFrameLength(),
  40: (m) => m.mark(),
  48: (m) => m.discard(),
  49: (m) => void m.sinceMark(),
  50: (m) => m.duplicate(),
  78: (m) => m.push(null),
  136: (m) => m.push(true),
  137: (m) => m.push(false),
  73: (m) => m.push(m.reader.integerLine()),
  76: (m) => m.push(m.reader.longLine()),
  70: (m) => m.push(m.reader.floatLine()),
  74: (m) => m.push(m.reader.int32()),
  75: unsigned(1),
  77: unsigned(2),
  71: (m) => m.push(m.reader.float64()),
  138: (m) => m.push(m.reader.long(1)),
  139: (m) => m.push(m.reader.long(4)),
  86: (m) => m.push(m.reader.line()),
  88: (m) => m.push(m.reader.utf8(4)),
  140: (m) => m.push(m.reader.utf8(1)),
  141: (m) => m.push(m.reader.utf8(8)),
  84: (m) => m.push(m.reader.latin1(4)),
  85: (m) => m.push(m.reader.latin1(1)),
  66: (m) => m.push(m.reader.bytes(4)),
  67: (m) => m.push(m.reader.bytes(1)),
  142: (m) => m.push(m.reader.bytes(8)),
  93: (m) => m.push([]),
  108: (m) => m.push(m.sinceMark()),
  97: (m) => {
    const item = m.value();
    m.append([item]);
  },
  101: (m) => m.append(m.sinceMark()),
  41: (m) => m.push(tuple([])),
  116: (m) => m.push(tuple(m.sinceMark())),
  133: tupleOf(1),
  134: tupleOf(2),
  135: tupleOf(3),
  125: (m) => m.push(new Map()),
  100: (m) => {
    const items = m.sinceMark();
    m.push(new Map());
    m.setItems(items);
  },
  115: (m) => {
    const value = m.value();
    const key = m.value();
    m.setItems([key, value]);
  },
  117: (m) => m.setItems(m.sinceMark()),
  112: (m) => m.remember(Number(m.reader.integerLine())),
  113: (m) => m.remember(m.reader.uint(1)),
  114: (m) => m.remember(m.reader.uint(4)),
  148: (m) => m.rememberNext(),
  103: (m) => m.recall(Number(m.reader.integerLine())),
  104: (m) => m.recall(m.reader.uint(1)),
  106: (m) => m.recall(m.reader.uint(4)),
  99: (m) => {
    const module = m.reader.line();
    m.lookUp(module, m.reader.line());
  },
  147: (m) => {
    const name = m.text();
    m.lookUp(m.text(), name);
  },
  82: (m) => m.call(),
  129: (m) => m.call(),
  98: (m) => m.build(),
  81: (m) => m.persistent(),
};
