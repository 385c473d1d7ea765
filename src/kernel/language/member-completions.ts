import ts from 'typescript';
import { type Candidates, candidatesAt, complete, ranked, wordStart } from './completions.ts';
import { parseCell } from './parse.ts';
import type { LanguageSession } from './session.ts';
import type { Completions } from './types.ts';

/**
 * Completion of members of the notebook's variables (`model.layers.`), as one types. What there is
 * to choose from depends on earlier cells alone, so that it is asked of the type checker, which
 * makes a program of each text it is asked about, once after each cell and not at each key.
 */
export class MemberCompletions {
  readonly #session: LanguageSession;
  readonly #known = new Map<string, Candidates>();
  /** The state of the session that the known lists belong to. */
  #version = -1;

  constructor(session: LanguageSession) {
    this.#session = session;
  }

  /** What can stand at UTF-16 `offset` of `code`: best first. */
  complete(code: string, offset: number): Completions {
    const session = this.#session;
    const at = Math.min(Math.max(offset, 0), code.length);
    const word = wordStart(code, at);
    const chain = chainBefore(code, word);
    if (chain === undefined || !this.#isFromEarlierCells(chain, code, at)) {
      return complete(session, session.open(code), at);
    }
    const version = session.version();
    if (version !== this.#version) this.#known.clear();
    this.#version = version;
    let known = this.#known.get(chain);
    if (known === undefined) {
      known = candidatesAt(session, session.open(code), at);
      // A match that replaces the dot too belongs to its place.
      if (known.end !== at || known.found.some((c) => c.start !== word)) {
        return ranked(code, at, known);
      }
      this.#known.set(chain, known);
    }
    const found = known.found.map((c) => ({ ...c, start: word }));
    return ranked(code, at, { found, end: at });
  }

  /**
   * True when the chain is an expression, not a type, of a variable that an earlier cell has made
   * and this one mentions nowhere else: neither declares nor narrows it.
   */
  #isFromEarlierCells(chain: string, code: string, at: number): boolean {
    const root = chain.slice(0, /[.]|$/.exec(chain)?.index);
    if (this.#session.binding(root) === undefined) return false;
    let mentions = 0;
    let isExpression = false;
    const visit = (node: ts.Node): void => {
      if (ts.isIdentifier(node) && node.text === root) mentions++;
      if (ts.isPropertyAccessExpression(node) && node.expression.end < at && at <= node.name.end) {
        isExpression ||= node.expression.getText(source) === chain;
      }
      ts.forEachChild(node, visit);
    };
    const source = parseCell(ts, code);
    visit(source);
    return isExpression && mentions === 1;
  }
}

const CHAIN =
  /(?<![\p{ID_Continue}$.)\]'"`}])[\p{ID_Start}$_][\p{ID_Continue}$]*(?:\.[\p{ID_Start}$_][\p{ID_Continue}$]*)*(?=\.$)/u;

/** The names joined by dots whose member begins at `word`. */
function chainBefore(code: string, word: number): string | undefined {
  return CHAIN.exec(code.slice(0, word))?.[0];
}
