import type TypeScript from 'typescript';
import { compiler } from './compiler.ts';
import { parseCell, parseErrors } from './parse.ts';
import type { Completeness } from './types.ts';

type Ts = typeof TypeScript;

const COMPLETE: Completeness = { status: 'complete', indent: '' };
const INVALID: Completeness = { status: 'invalid', indent: '' };

/** Unterminated template literal; end of comment expected: the text goes on, and its indentation is its own. */
const OPEN_TEXT = new Set([1160, 1010]);
/** Unterminated string or regular expression: a line break cannot mend them. */
const OPEN_LINE = new Set([1002, 1161]);

/**
 * Whether `code` can be run as it stands (`complete`), goes on (`incomplete`, with the indentation
 * of the next line) or is wrong whatever follows (`invalid`). Decided by TypeScript's parser alone;
 * `unknown` only when the parser itself fails.
 */
export function isComplete(code: string): Completeness {
  const ts = compiler();
  let source: TypeScript.SourceFile;
  try {
    source = parseCell(ts, code);
  } catch {
    return { status: 'unknown', indent: '' };
  }
  const errors = parseErrors(source);
  if (errors.some((e) => OPEN_LINE.has(e.code) && !endsInBackslash(code))) return INVALID;
  // The parser puts what is missing behind the last token; an error before cannot be mended.
  const end = source.endOfFileToken.getFullStart();
  if (errors.some((e) => e.start < end && !OPEN_LINE.has(e.code))) return INVALID;
  if (errors.some((e) => OPEN_TEXT.has(e.code) || OPEN_LINE.has(e.code))) {
    return { status: 'incomplete', indent: '' };
  }
  if (errors.length > 0 || awaitsBody(ts, source)) {
    return { status: 'incomplete', indent: nextIndent(ts, source, code) };
  }
  return COMPLETE;
}

const endsInBackslash = (code: string) => /\\\r?\n?$/.test(code);

/** `function f(x: number)` alone parses as an overload: in a cell its body is still to come. */
function awaitsBody(ts: Ts, source: TypeScript.SourceFile): boolean {
  const last = source.statements.at(-1);
  if (!last || !ts.isFunctionDeclaration(last) || last.body) return false;
  const ambient = last.modifiers?.some((m) => m.kind === ts.SyntaxKind.DeclareKeyword);
  return !ambient && !last.getText(source).endsWith(';');
}

/** The indentation of the line with the innermost open bracket (or the last line), and one more. */
function nextIndent(ts: Ts, source: TypeScript.SourceFile, code: string): string {
  const open: number[] = [];
  const K = ts.SyntaxKind;
  const visit = (node: TypeScript.Node): void => {
    if (node.kind >= K.FirstJSDocNode && node.kind <= K.LastJSDocNode) return;
    const children = node.getChildren(source);
    if (children.length === 0 && node.getWidth(source) > 0) {
      if (
        node.kind === K.OpenBraceToken ||
        node.kind === K.OpenParenToken ||
        node.kind === K.OpenBracketToken
      ) {
        open.push(node.getStart(source));
      } else if (
        node.kind === K.CloseBraceToken ||
        node.kind === K.CloseParenToken ||
        node.kind === K.CloseBracketToken
      ) {
        open.pop();
      }
    }
    for (const child of children) visit(child);
  };
  visit(source);
  const at = open.at(-1) ?? code.trimEnd().length;
  const lineStart = code.lastIndexOf('\n', at - 1) + 1;
  const leading = /^[ \t]*/.exec(code.slice(lineStart))?.[0] ?? '';
  return leading + indentUnit(code);
}

/** One level as the code indents itself: a tab, or the narrowest run of spaces; two by default. */
function indentUnit(code: string): string {
  if (/^\t/m.test(code)) return '\t';
  const widths = [...code.matchAll(/^( {2,8})\S/gm)].map((m) => m[1].length);
  return ' '.repeat(widths.length > 0 ? Math.min(...widths) : 2);
}
