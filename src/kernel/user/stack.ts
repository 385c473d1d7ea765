import { fileURLToPath } from 'node:url';
import { inspect } from 'node:util';
import { type Mappings, originalPosition, type Position } from '../cell/source-position.ts';
import type { ErrorContent } from './wire.ts';

/** A cell or a local file, as stack traces need it. */
class Source {
  /** As typed; only of cells. */
  readonly code: string | undefined;
  #mappings: Mappings | (() => Mappings);

  constructor(mappings: Mappings | (() => Mappings), code?: string) {
    this.#mappings = mappings;
    this.code = code;
  }

  get mappings(): Mappings {
    if (typeof this.#mappings === 'function') this.#mappings = this.#mappings();
    return this.#mappings;
  }
}

const MAX_CAUSES = 8;
/** Where the kernel lies: its modules go by their URL, its bundles by their path. */
const OWN = new URL('..', import.meta.url);
const OWN_FILES = [OWN.href, fileURLToPath(OWN)];

/** Names of compiled variables in texts of V8: `(0 , f·.v)` is what was typed as `f`. */
export function plainNames(text: string): string {
  if (!text.includes('·')) return text;
  return text.replace(/\(0 ?, ([^\s().]+)·\.[vgc]\)/g, '$1').replace(/·\.[vgc]\b/g, '');
}

/** Makes stack traces speak of what the user typed: `Cell [3]:2:5`, without frames of ours. */
export class StackTraces {
  readonly #sources = new Map<string, Source>();
  readonly #unsettled: Source[] = [];

  /** Keeps `mappings` as it is until a trace or {@link settle} asks: a cell need not wait for it. */
  addCell(name: string, code: string, mappings: () => Mappings): void {
    const source = new Source(mappings, code);
    this.#sources.set(name, source);
    this.#unsettled.push(source);
  }

  /** Makes what was put off, and lets go of what it is made from. */
  settle(): void {
    for (const source of this.#unsettled.splice(0)) void source.mappings;
  }

  addFile(url: string, mappings: Mappings): void {
    this.#sources.set(url, new Source(mappings));
  }

  /** Installs itself as the way that this thread renders `error.stack`. */
  install(): void {
    Error.stackTraceLimit = 40;
    Error.prepareStackTrace = (error, sites) => this.#render(error, sites);
  }

  #render(error: Error, sites: NodeJS.CallSite[]): string {
    const lines: string[] = [];
    for (const site of sites) {
      const file = site.getFileName() ?? '';
      if (OWN_FILES.some((own) => file.startsWith(own))) continue;
      if (file.startsWith('node:internal/') || file === 'node:vm') continue;
      lines.push(`    at ${this.#frame(site, file)}`);
      if (file.startsWith('Cell [') && isTopLevel(site)) break;
    }
    return [plainNames(headline(error)), ...lines].join('\n');
  }

  #frame(site: NodeJS.CallSite, file: string): string {
    const text = plainNames(String(site));
    const source = this.#sources.get(file);
    const [line, column] = [site.getLineNumber(), site.getColumnNumber()];
    if (source === undefined || line === null || column === null) return text;
    const at = originalPosition(source.mappings, { line, column });
    return text.replace(`${file}:${line}:${column}`, `${file}:${at.line}:${at.column}`);
  }

  /** What an `error` message says about any thrown value. */
  describe(thrown: unknown): ErrorContent {
    if (!isErrorLike(thrown)) {
      const evalue = inspect(thrown, { depth: 2, maxStringLength: 2000 });
      return {
        ename: thrown === null || typeof thrown !== 'object' ? 'Uncaught' : constructorName(thrown),
        evalue,
        traceback: [`${red('Uncaught')} ${evalue}`],
      };
    }
    const ename = String(thrown.name ?? 'Error');
    const evalue = plainNames(String(thrown.message ?? ''));
    return { ename, evalue, traceback: this.#traceback(thrown) };
  }

  #traceback(error: Error): string[] {
    const out: string[] = [];
    let current: unknown = error;
    for (let depth = 0; current !== undefined && depth < MAX_CAUSES; depth++) {
      const prefix = depth === 0 ? '' : '[cause]: ';
      if (!isErrorLike(current)) {
        out.push(`${prefix}${inspect(current, { depth: 2 })}`);
        break;
      }
      out.push(...this.#section(current, prefix));
      const { errors } = current as AggregateError;
      if (Array.isArray(errors)) {
        for (const inner of errors.slice(0, MAX_CAUSES)) {
          out.push(
            ...(isErrorLike(inner)
              ? this.#section(inner, '[errors]: ')
              : [`[errors]: ${inspect(inner, { depth: 2 })}`]),
          );
        }
      }
      current = current.cause;
    }
    return out;
  }

  #section(error: Error, prefix: string): string[] {
    const stack = plainNames(String(error.stack ?? headline(error)));
    const lines = stack.split('\n');
    const at = lines.findIndex((line) => line.startsWith('    at '));
    const head = (at < 0 ? lines : lines.slice(0, at)).join('\n');
    const frames = at < 0 ? [] : lines.slice(at);
    const [first, ...rest] = head.split('\n');
    const colon = first.indexOf(':');
    const title = colon < 0 ? red(first) : red(first.slice(0, colon)) + first.slice(colon);
    const out = [`${prefix}${[title, ...rest].join('\n')}`, ...frames, ...this.#excerpt(frames)];
    const extra = extraProperties(error);
    if (extra !== '') out.push(extra);
    return out;
  }

  /** The line of the cell that the first frame in a cell points to. */
  #excerpt(frames: readonly string[]): string[] {
    for (const frame of frames) {
      const match = /(Cell \[[^\]]*\]):(\d+):(\d+)/.exec(frame);
      if (match === null) continue;
      const code = this.#sources.get(match[1])?.code;
      const at: Position = { line: Number(match[2]), column: Number(match[3]) };
      const text = code?.split('\n')[at.line - 1];
      if (text === undefined || text.length > 300) return [];
      const gutter = `${at.line} | `;
      return ['', gutter + text, ' '.repeat(gutter.length + at.column - 1) + red('^')];
    }
    return [];
  }
}

/** The function that the compiler wraps a cell in. */
function isTopLevel(site: NodeJS.CallSite): boolean {
  return site.getFunctionName() === null && !site.isEval() && site.getTypeName() === null;
}

function headline(error: Error): string {
  try {
    return String(error);
  } catch {
    return 'Error';
  }
}

function isErrorLike(value: unknown): value is Error {
  return (
    value instanceof Error ||
    (typeof value === 'object' &&
      value !== null &&
      typeof (value as Error).stack === 'string' &&
      typeof (value as Error).message === 'string')
  );
}

function constructorName(value: object): string {
  const maker: unknown = value.constructor;
  return typeof maker === 'function' && maker.name !== '' ? maker.name : 'Object';
}

function extraProperties(error: Error): string {
  const hidden = new Set(['stack', 'message', 'name', 'cause', 'errors', 'code']);
  const keys = Object.keys(error).filter((key) => !hidden.has(key));
  if (keys.length === 0) return '';
  const source = error as unknown as Record<string, unknown>;
  return inspect(Object.fromEntries(keys.map((key) => [key, source[key]])), { depth: 1 });
}

function red(text: string): string {
  return `\u001b[31m${text}\u001b[39m`;
}
