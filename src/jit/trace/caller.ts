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

/** `at name (place)` or `at place`, where the place ends in line and column. */
function placeOf(frame: string): string | undefined {
  const named = frame.endsWith(')') ? frame.indexOf(' (') : -1;
  const place = named >= 0 ? frame.slice(named + 2, -1) : frame.replace(/^at (async )?/, '');
  return /:\d+:\d+$/.test(place) ? asPath(place) : undefined;
}

const asPath = (place: string) =>
  place.startsWith('file://') ? decodeURIComponent(place.slice(7)) : place;

const isOurs = (file: string) =>
  file.startsWith('node:') || file.includes('/node_modules/') || file.startsWith(JIT_FOLDER);

/**
 * The frames of the stack as printed, which is after source maps, beside the files that really
 * ran: a map may move a library's frames out of node_modules.
 */
function frames(): { printed: string; file: string }[] {
  const { stackTraceLimit, prepareStackTrace } = Error;
  Error.stackTraceLimit = 200;
  try {
    const printed = (new Error().stack ?? '').split('\n').filter((line) => /^\s+at /.test(line));
    Error.prepareStackTrace = (_, sites) => sites.map((site) => site.getFileName() ?? '');
    const files = new Error().stack as unknown as string[];
    return printed.map((line, i) => ({ printed: line.trim(), file: asPath(files[i] ?? '') }));
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
    Error.prepareStackTrace = prepareStackTrace;
  }
}

/** `file:line:column` of the code that called into the engine, skipping libraries. */
export function callerLine(): string {
  for (const { printed, file } of frames()) {
    const place = placeOf(printed);
    if (place === undefined || isOurs(place) || isOurs(file)) continue;
    return place;
  }
  return 'unknown line';
}

export function traceError(op: string, why: string): TraceError {
  return new TraceError(op, `${op} at ${callerLine()} ${why}`);
}
