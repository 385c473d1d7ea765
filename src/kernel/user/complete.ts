import { types } from 'node:util';
import type { Scope } from '../cell/box.ts';
import { MARK } from '../cell/notebook-names.ts';

/** A name, and what it stands for, as completion menus show it; `global` for names of Node. */
export interface RuntimeMatch {
  readonly text: string;
  readonly type: string;
}

const CHAIN =
  /(?:([\p{ID_Start}$_][\p{ID_Continue}$]*(?:\??\.[\p{ID_Start}$_][\p{ID_Continue}$]*)*)\??\.)?([\p{ID_Start}$_][\p{ID_Continue}$]*)?$/u;

/**
 * Names that the living values offer at `offset`: variables of the notebook, or properties of a
 * chain of names such as `model.layers.`. Nothing is called and no getter runs.
 */
export function completeRuntime(
  code: string,
  offset: number,
  scope: Scope,
): { matches: RuntimeMatch[]; start: number; end: number } {
  const before = code.slice(0, offset);
  const match = CHAIN.exec(before);
  const prefix = match?.[2] ?? '';
  const start = offset - prefix.length;
  const chain = match?.[1]?.split(/\??\./);
  const inLiteral = chain === undefined && /[.'"`]$/.test(before.slice(0, start));
  if (inLiteral) return { matches: [], start, end: offset };
  let candidates: RuntimeMatch[];
  if (chain === undefined) {
    candidates = [...scope.boxes.values()]
      .filter((box) => box.initialised && !box.name.endsWith(MARK))
      .map((box): RuntimeMatch => ({ text: box.name, type: kindOf(box.v) }));
    candidates.push(
      ...properties(globalThis)
        .filter((p) => !scope.boxes.has(p.text))
        .map((p) => ({ ...p, type: 'global' })),
    );
  } else candidates = properties(follow(chain, scope));
  const matches = candidates.filter((c) => c.text.startsWith(prefix) && c.text !== prefix);
  return { matches: matches.slice(0, 500), start, end: offset };
}

/** The value of a chain of plain properties, or undefined where an accessor is in the way. */
function follow(chain: readonly string[], scope: Scope): unknown {
  const box = scope.boxes.get(chain[0]);
  let value: unknown = box?.initialised ? box.v : dataProperty(globalThis, chain[0]);
  for (const name of chain.slice(1)) value = dataProperty(value, name);
  return value;
}

function dataProperty(holder: unknown, name: string): unknown {
  for (let object = toObject(holder); object !== null; object = prototypeOf(object)) {
    const descriptor = descriptorOf(object, name);
    if (descriptor !== undefined) return 'value' in descriptor ? descriptor.value : undefined;
  }
  return undefined;
}

function properties(value: unknown): RuntimeMatch[] {
  const found = new Map<string, RuntimeMatch>();
  for (let object = toObject(value); object !== null; object = prototypeOf(object)) {
    if (object === Object.prototype && found.size > 0) break;
    let names: string[];
    try {
      names = Object.getOwnPropertyNames(object);
    } catch {
      break;
    }
    for (const text of names.slice(0, 2000)) {
      if (found.has(text) || !/^[\p{ID_Start}$_][\p{ID_Continue}$]*$/u.test(text)) continue;
      const descriptor = descriptorOf(object, text);
      const isValue = descriptor !== undefined && 'value' in descriptor;
      found.set(text, { text, type: isValue ? kindOf(descriptor.value, true) : 'property' });
    }
  }
  return [...found.values()];
}

/** Proxies run code for every look at them. */
function isProxy(object: object): boolean {
  return types.isProxy(object);
}

function toObject(value: unknown): object | null {
  if (value === null || value === undefined) return null;
  const object = Object(value) as object;
  return isProxy(object) ? null : object;
}

function prototypeOf(object: object): object | null {
  const prototype = Object.getPrototypeOf(object) as object | null;
  return prototype !== null && isProxy(prototype) ? null : prototype;
}

function descriptorOf(object: object, name: string): PropertyDescriptor | undefined {
  try {
    return Object.getOwnPropertyDescriptor(object, name);
  } catch {
    return undefined;
  }
}

function kindOf(value: unknown, member = false): string {
  if (typeof value === 'function') {
    if (/^class\b/.test(Function.prototype.toString.call(value))) return 'class';
    return member ? 'method' : 'function';
  }
  return member ? 'property' : 'instance';
}
