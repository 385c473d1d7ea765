import { fileURLToPath } from 'node:url';
import { TraceError } from '../../core/errors.ts';
import { tf } from '../tf.ts';

/** Ops that draw random numbers on the host; inside a trace their values would be baked in. */
const RANDOM_OPS = new Set([
  'randomNormal',
  'randomUniform',
  'randomUniformInt',
  'randomStandardNormal',
  'randomGamma',
  'truncatedNormal',
  'multinomial',
  'rand',
  'dropout',
]);

/** Names of the TensorFlow.js ops being run, outermost first. */
function opStack(): string[] {
  const scopes = (tf.engine().state as unknown as { scopeStack: { name: string }[] }).scopeStack;
  return scopes.flatMap(({ name }) => (name?.endsWith('__op') ? [name.slice(0, -4)] : []));
}

/** The op the user called, as far as the engine knows. */
export function activeOp(): string {
  return opStack()[0] ?? 'tensor';
}

/** The random op that is running, if one is. */
export function activeRandomOp(): string | undefined {
  return opStack().find((name) => RANDOM_OPS.has(name));
}

const JIT_FOLDER = fileURLToPath(new URL('..', import.meta.url));

/** `file:line:column` of the code that called into the engine, skipping libraries. */
export function callerLine(): string {
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = 200;
  const frames = (new Error().stack ?? '').split('\n').slice(1);
  Error.stackTraceLimit = stackTraceLimit;
  for (const frame of frames) {
    const place = /\(?((?:file:\/\/)?[^()\s]+:\d+:\d+)\)?$/.exec(frame.trim())?.[1];
    if (place === undefined || place.startsWith('node:')) continue;
    const path = place.startsWith('file://') ? decodeURIComponent(place.slice(7)) : place;
    if (path.includes('/node_modules/') || path.startsWith(JIT_FOLDER)) continue;
    return path;
  }
  return 'unknown line';
}

export function traceError(op: string, why: string): TraceError {
  return new TraceError(op, `${op} at ${callerLine()} ${why}`);
}
