/**
 * Every error Gibbs raises on purpose. A message says what was expected, what was got and what to
 * do about it; `code` is stable and meant for programs, the message for people.
 */
export class GibbsError extends Error {
  /** Stable identifier, e.g. `'shape'`. */
  readonly code: string;

  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
    this.name = new.target.name;
  }
}

/** A tensor or array has the wrong shape, rank or dtype. */
export class ShapeError extends GibbsError {
  constructor(message: string, options?: ErrorOptions) {
    super('shape', message, options);
  }
}

/** An argument, option, preset or name is not one that exists, or is out of range. */
export class ConfigError extends GibbsError {
  constructor(message: string, options?: ErrorOptions) {
    super('config', message, options);
  }
}

/** A file or data set is missing, truncated, corrupt, or in another format than stated. */
export class DataError extends GibbsError {
  constructor(message: string, options?: ErrorOptions) {
    super('data', message, options);
  }
}

/** A folder or store cannot be read, written or locked. */
export class StoreError extends GibbsError {
  constructor(message: string, options?: ErrorOptions) {
    super('store', message, options);
  }
}

/** A device is not there, its driver or libraries are missing, it failed or is out of memory. */
export class DeviceError extends GibbsError {
  constructor(message: string, options?: ErrorOptions) {
    super('device', message, options);
  }
}

/** A computation produced NaN or infinity; says at which step and in which tensor. */
export class NumericError extends GibbsError {
  constructor(message: string, options?: ErrorOptions) {
    super('numeric', message, options);
  }
}

/** A function cannot be traced: a random draw, a read of a value, an op without a rule. */
export class TraceError extends GibbsError {
  /** The op or kernel at fault, as TensorFlow.js names it. */
  readonly op: string;

  constructor(op: string, message: string, options?: ErrorOptions) {
    super('trace', message, options);
    this.op = op;
  }
}

/** Why a native library could not be made; see `NativeBuildError`. */
export type NativeBuildReason = 'no-compiler' | 'compile' | 'killed' | 'disk' | 'load';

/**
 * A traced step could not be compiled to a native library, or the library could not be loaded. It
 * says why; whoever asked goes on with ONNX Runtime.
 */
export class NativeBuildError extends GibbsError {
  readonly reason: NativeBuildReason;

  constructor(reason: NativeBuildReason, message: string, options?: ErrorOptions) {
    super('native-build', message, options);
    this.reason = reason;
  }
}

/** Execution was stopped by the user (Stop in a notebook, Ctrl-C). State before it is kept. */
export class InterruptedError extends GibbsError {
  constructor(message = 'stopped by the user', options?: ErrorOptions) {
    super('interrupted', message, options);
  }
}

/** The processes of one job cannot work together: one is lost, or they differ. */
export class ParallelError extends GibbsError {
  constructor(message: string, options?: ErrorOptions) {
    super('parallel', message, options);
  }
}

/** The nearest of `known` to `name` by edit distance, for "did you mean". */
export function suggest(name: string, known: readonly string[]): string | undefined {
  let best: string | undefined;
  let bestDistance = Math.max(2, Math.floor(name.length / 3)) + 1;
  for (const candidate of known) {
    const d = editDistance(name.toLowerCase(), candidate.toLowerCase());
    if (d < bestDistance) {
      best = candidate;
      bestDistance = d;
    }
  }
  return best;
}

/** The error for a name that is none of `known`: lists them and the likeliest. */
export function unknownName(kind: string, name: string, known: readonly string[]): ConfigError {
  const near = suggest(name, known);
  const hint = near === undefined ? '' : `; did you mean '${near}'?`;
  return new ConfigError(`unknown ${kind} '${name}'${hint} (known: ${known.join(', ')})`);
}

function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const substitution = row[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(substitution, row[j] + 1, next[j - 1] + 1));
    }
    row = next;
  }
  return row[b.length];
}
