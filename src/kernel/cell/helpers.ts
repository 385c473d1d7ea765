/**
 * What lowered syntax calls at run time, under the names that the transform uses: `using` and the
 * older decorators.
 */
interface Disposable {
  readonly value: unknown;
  readonly dispose: ((this: unknown) => unknown) | undefined;
  readonly isAsync: boolean;
}

type Decorator = (...args: never[]) => unknown;

const DISPOSE: symbol = Symbol.dispose ?? Symbol.for('nodejs.dispose');
const ASYNC_DISPOSE: symbol = Symbol.asyncDispose ?? Symbol.for('nodejs.asyncDispose');
const NOTHING = Symbol('nothing thrown');

function usingContext() {
  const stack: Disposable[] = [];
  const hold = (value: unknown, isAsync: boolean): unknown => {
    if (value === null || value === undefined) {
      if (isAsync) stack.push({ value, dispose: undefined, isAsync });
      return value;
    }
    const holder = value as Record<symbol, Disposable['dispose']>;
    const dispose = (isAsync ? holder[ASYNC_DISPOSE] : undefined) ?? holder[DISPOSE];
    if (typeof dispose !== 'function') {
      throw new TypeError('using: the value has no [Symbol.dispose] method');
    }
    stack.push({ value, dispose, isAsync });
    return value;
  };
  const context = {
    /** What the body threw. */
    e: NOTHING as unknown,
    u: (value: unknown) => hold(value, false),
    a: (value: unknown) => hold(value, true),
    d(): Promise<void> | undefined {
      let thrown = context.e;
      const failed = (error: unknown) => {
        thrown = thrown === NOTHING ? error : new SuppressedErrorLike(error, thrown);
      };
      const finish = () => {
        if (thrown !== NOTHING) throw thrown;
      };
      if (!stack.some((item) => item.isAsync)) {
        for (const item of stack.reverse()) {
          try {
            item.dispose?.call(item.value);
          } catch (error) {
            failed(error);
          }
        }
        finish();
        return undefined;
      }
      return (async () => {
        for (const item of stack.reverse()) {
          try {
            const result = item.dispose?.call(item.value);
            if (item.isAsync) await result;
          } catch (error) {
            failed(error);
          }
        }
        finish();
      })();
    },
  };
  return context;
}

class SuppressedErrorLike extends Error {
  readonly error: unknown;
  readonly suppressed: unknown;

  constructor(error: unknown, suppressed: unknown) {
    super('an error while disposing hid an earlier one');
    this.name = 'SuppressedError';
    this.error = error;
    this.suppressed = suppressed;
  }
}

/** Applies decorators of the `experimentalDecorators` kind, last first. */
function decorate(
  decorators: readonly Decorator[],
  target: object,
  key?: PropertyKey,
  descriptor?: PropertyDescriptor | null,
): unknown {
  const ofMember = key !== undefined;
  let result: unknown = target;
  if (ofMember) {
    result = descriptor === null ? Object.getOwnPropertyDescriptor(target, key) : descriptor;
  }
  for (const decorator of [...decorators].reverse()) {
    const call = decorator as (...args: unknown[]) => unknown;
    const next = ofMember ? call(target, key, result) : call(result);
    if (next !== undefined) result = next;
  }
  if (ofMember && result) Object.defineProperty(target, key, result as PropertyDescriptor);
  return result;
}

function decorateParam(index: number, decorator: Decorator): Decorator {
  const call = decorator as (...args: unknown[]) => unknown;
  return (target: unknown, key: unknown) => call(target, key, index) as undefined;
}

/** `design:type` metadata, where a `Reflect.metadata` library is loaded. */
function decorateMetadata(key: string, value: unknown): Decorator {
  const { metadata } = Reflect as { metadata?: (key: string, value: unknown) => Decorator };
  return metadata === undefined ? () => undefined : metadata(key, value);
}

export const babelHelpers = { usingCtx: usingContext, decorate, decorateParam, decorateMetadata };
