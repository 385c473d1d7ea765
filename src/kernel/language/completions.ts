import ts from 'typescript';
import type { LanguageSession, OpenCell } from './session.ts';
import type { Completions, CompletionType } from './types.ts';

const PREFERENCES: ts.GetCompletionsAtPositionOptions = {
  includeCompletionsForModuleExports: false,
  includeCompletionsWithInsertText: true,
  includeCompletionsWithSnippetText: false,
  includeAutomaticOptionalChainCompletions: true,
  includeCompletionsWithClassMemberSnippets: false,
};

/** TypeScript's sort key for names in scope; its other keys order themselves around it. */
const NEAREST = '11';

/** More than any list is read; the frontend filters as the user goes on typing. */
const LIMIT = 1000;

export interface Candidate {
  readonly name: string;
  readonly text: string;
  readonly type: string;
  readonly start: number;
  readonly rank: string;
}

/** What can stand at UTF-16 `offset` of the open cell: best first. */
export function complete(session: LanguageSession, cell: OpenCell, offset: number): Completions {
  const at = Math.min(Math.max(offset, 0), cell.code.length);
  return ranked(cell.code, at, candidatesAt(session, cell, at));
}

/** What can stand at a place, whatever has been typed of it so far. */
export interface Candidates {
  readonly found: readonly Candidate[];
  /** Where the text ends that a match replaces. */
  readonly end: number;
}

/** Asks the type checker. */
export function candidatesAt(session: LanguageSession, cell: OpenCell, at: number): Candidates {
  const list = session.service.getCompletionsAtPosition(cell.path, at, PREFERENCES);
  const word = wordStart(cell.code, at);
  if (!list) return { found: [], end: at };
  const candidates = new Map<string, Candidate>();
  let end = at;
  for (const entry of list.entries) {
    if (entry.kind === ts.ScriptElementKind.warning || symbolKeyed(entry)) continue;
    const span = entry.replacementSpan;
    if (span && span.start + span.length <= cell.code.length) {
      end = Math.max(end, span.start + span.length);
    }
    const candidate = candidateOf(entry, span?.start ?? word);
    if (candidate.text !== '') candidates.set(candidate.name, candidate);
  }
  if (list.isGlobalCompletion) addBindings(session, candidates, word);
  return { found: [...candidates.values()], end };
}

/** Those of the candidates that go on with what is typed before `at`: best first. */
export function ranked(code: string, at: number, { found, end }: Candidates): Completions {
  const typed = (c: Candidate) => code.slice(c.start, at);
  const fits = found.filter((c) =>
    unquoted(c.text)
      .toLowerCase()
      .startsWith(unquoted(typed(c)).toLowerCase()),
  );
  fits.sort((a, b) => compare(a, b, typed));
  const kept = fits.slice(0, LIMIT);
  const start = Math.min(at, ...kept.map((c) => c.start));
  const full = (c: Candidate) => code.slice(start, c.start) + c.text;
  const types = kept.map((c): CompletionType => ({ text: full(c), type: c.type, start, end }));
  return { matches: types.map((t) => t.text), start, end, types };
}

/** `[Symbol.iterator]` would make every other match begin with the dot it replaces. */
const symbolKeyed = (entry: ts.CompletionEntry) => /^\??\.?\[[^'"`]/.test(entry.insertText ?? '');

function candidateOf(entry: ts.CompletionEntry, start: number): Candidate {
  const own = entry.sortText.startsWith('10') || entry.sortText.startsWith('11');
  const rank = entry.kind === ts.ScriptElementKind.keyword && !own ? '15z' : entry.sortText;
  return {
    name: entry.name,
    text: entry.insertText ?? entry.name,
    type: kindOf(entry.kind),
    start,
    rank,
  };
}

/** Names of earlier cells that the open one does not mention yet are not in its document. */
function addBindings(session: LanguageSession, into: Map<string, Candidate>, start: number): void {
  for (const { name, kind } of session.bindings()) {
    into.set(name, { name, text: name, type: kindOf(kind), start, rank: NEAREST });
  }
  for (const name of into.keys()) if (name.startsWith('gibbs-')) into.delete(name);
}

/** Exact case first, then TypeScript's order (nearest scope first), underscores last. */
function compare(a: Candidate, b: Candidate, typed: (c: Candidate) => string): number {
  const exact = (c: Candidate) => (unquoted(c.text).startsWith(unquoted(typed(c))) ? 0 : 1);
  const hidden = (c: Candidate) => (c.name.startsWith('_') ? 1 : 0);
  return (
    exact(a) - exact(b) ||
    hidden(a) - hidden(b) ||
    (a.rank < b.rank ? -1 : a.rank > b.rank ? 1 : 0) ||
    (a.name < b.name ? -1 : 1)
  );
}

/** `?.name` and `["name"]` are chosen by their name too. */
const unquoted = (text: string) => text.replace(/^[?.[\s]*['"`]?/, '');

/** Where the word begins that ends at `offset`. */
export function wordStart(code: string, offset: number): number {
  let at = offset;
  while (at > 0 && /[\p{ID_Continue}$\u200c\u200d]/u.test(lastCharacter(code, at))) {
    at -= lastCharacter(code, at).length;
  }
  return code[at - 1] === '#' ? at - 1 : at;
}

function lastCharacter(code: string, offset: number): string {
  const pair = code.slice(offset - 2, offset);
  return /^[\ud800-\udbff][\udc00-\udfff]$/.test(pair) ? pair : code.slice(offset - 1, offset);
}

/** TypeScript's kinds in the words that frontends have icons for. */
function kindOf(kind: string): string {
  const K = ts.ScriptElementKind;
  switch (kind) {
    case K.memberFunctionElement:
    case K.constructSignatureElement:
    case K.callSignatureElement:
      return 'method';
    case K.functionElement:
    case K.localFunctionElement:
      return 'function';
    case K.memberVariableElement:
    case K.memberGetAccessorElement:
    case K.memberSetAccessorElement:
    case K.memberAccessorVariableElement:
      return 'property';
    case K.classElement:
    case K.localClassElement:
      return 'class';
    case K.interfaceElement:
    case K.typeElement:
    case K.typeParameterElement:
      return 'interface';
    case K.enumElement:
    case K.enumMemberElement:
      return 'enum';
    case K.moduleElement:
    case K.externalModuleName:
    case K.alias:
      return 'module';
    case K.keyword:
    case K.primitiveType:
      return 'keyword';
    case K.string:
      return 'text';
    case K.directory:
    case K.scriptElement:
      return 'path';
    default:
      return 'variable';
  }
}
