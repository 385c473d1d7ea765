import { readFileSync } from 'node:fs';
import { relative } from 'node:path';
import ts from 'typescript';
import { withoutModules } from './diagnostics.ts';
import { parseCell } from './parse.ts';
import type { LanguageSession, OpenCell } from './session.ts';

const SOURCE_LINES = 200;

/**
 * Markdown about what stands at UTF-16 `offset` of the open cell: signature, documentation and tags;
 * at level 1 also the source of its declaration. `null` where nothing with a type stands.
 */
export function inspect(
  session: LanguageSession,
  cell: OpenCell,
  offset: number,
  level: 0 | 1,
): string | null {
  const at = Math.min(Math.max(offset, 0), cell.code.length);
  for (const position of [at, calleeEnd(cell, at)]) {
    if (position === undefined) continue;
    const info = session.service.getQuickInfoAtPosition(cell.path, position);
    if (!info || info.textSpan.start >= cell.code.length) continue;
    const shown = signature(info);
    if (shown === 'any') continue;
    const parts = [fenced(shown)];
    const docs = markdown(info.documentation);
    if (docs !== '') parts.push(docs);
    const tags = (info.tags ?? []).map(tagLine).filter((line) => line !== '');
    if (tags.length > 0) parts.push(tags.join('\n\n'));
    if (level === 1) parts.push(...sources(session, cell, position));
    return parts.join('\n\n');
  }
  return null;
}

/** Inside the parentheses of a call, Shift-Tab asks about the function called. */
function calleeEnd(cell: OpenCell, offset: number): number | undefined {
  let end: number | undefined;
  const visit = (node: ts.Node): void => {
    if (offset < node.getFullStart() || offset > node.getEnd()) return;
    const called = ts.isCallExpression(node) || ts.isNewExpression(node);
    if (called && node.arguments && offset > node.expression.getEnd()) {
      end = node.expression.getEnd();
    }
    ts.forEachChild(node, visit);
  };
  visit(cell.source);
  return end;
}

function signature(info: ts.QuickInfo): string {
  const text = withoutModules(ts.displayPartsToString(info.displayParts));
  if (!text.startsWith('(alias) ')) return text;
  // Names of earlier cells reach the document by an import that the user did not write.
  const plain = text.slice('(alias) '.length).replace(/\n(?:import|export) [^\n]*$/, '');
  return /^[\w$.]+[(<]/.test(plain) ? `function ${plain}` : plain;
}

/** JSDoc text as Markdown: inline links become code. */
function markdown(parts: readonly ts.SymbolDisplayPart[] | undefined): string {
  return (parts ?? [])
    .map((p) => (p.kind === 'linkName' ? `\`${p.text}\`` : p.kind === 'link' ? '' : p.text))
    .join('')
    .trim();
}

function tagLine(tag: ts.JSDocTagInfo): string {
  const text = markdown(tag.text);
  if (tag.name === 'example') return `*@example*\n${text.includes('```') ? text : fenced(text)}`;
  if (tag.name === 'param' || tag.name === 'template') {
    const [, name = '', rest = ''] = /^(\S+)\s*(?:-\s*)?([\s\S]*)$/.exec(text) ?? [];
    return `*@${tag.name}* \`${name}\`${rest === '' ? '' : ` — ${rest}`}`;
  }
  return `*@${tag.name}*${text === '' ? '' : ` — ${text}`}`;
}

const fenced = (text: string) => `\`\`\`ts\n${text}\n\`\`\``;

function sources(session: LanguageSession, cell: OpenCell, position: number): string[] {
  const definitions = session.service.getDefinitionAtPosition(cell.path, position) ?? [];
  const found = new Map<string, string>();
  for (const definition of definitions) {
    const source = sourceOf(session, cell, definition);
    if (source && !found.has(source.text)) found.set(source.text, source.where);
  }
  return [...found].slice(0, 3).map(([text, where]) => `*${where}*\n${fenced(clipped(text))}`);
}

interface Source {
  readonly where: string;
  readonly text: string;
}

function sourceOf(
  session: LanguageSession,
  cell: OpenCell,
  definition: ts.DefinitionInfo,
): Source | undefined {
  const program = session.service.getProgram();
  const file = program?.getSourceFile(definition.fileName);
  if (!file) return undefined;
  const node = declarationAt(file, definition.textSpan.start);
  const executed = session.cellOf(definition.fileName);
  if (executed) {
    const path = node ? namesAbove(node) : [definition.name];
    const text = find(parseCell(ts, executed.code), path) ?? executed.code;
    return { where: `Cell [${executed.executionCount}]`, text };
  }
  if (definition.fileName === cell.path) {
    if (definition.textSpan.start >= cell.code.length) {
      const binding = session.binding(definition.name);
      if (!binding) return undefined;
      const text = find(parseCell(ts, binding.cell.code), [binding.name]) ?? binding.cell.code;
      return { where: `Cell [${binding.cell.executionCount}]`, text };
    }
    return { where: 'this cell', text: node ? withComment(node, file) : cell.code };
  }
  if (/gibbs-predefined/.test(definition.fileName)) return undefined;
  const where = `${relative(program?.getCurrentDirectory() ?? '', file.fileName)}:${
    file.getLineAndCharacterOfPosition(definition.textSpan.start).line + 1
  }`;
  if (node && !ts.isSourceFile(node)) return { where, text: withComment(node, file) };
  return { where, text: readFileSync(file.fileName, 'utf8') };
}

/** The declaration whose name begins at `position`. */
function declarationAt(file: ts.SourceFile, position: number): ts.Node | undefined {
  let found: ts.Node | undefined;
  const visit = (node: ts.Node): void => {
    if (position < node.getFullStart() || position >= node.getEnd()) return;
    if (nameOf(node)?.getStart(file) === position) found = node;
    ts.forEachChild(node, visit);
  };
  visit(file);
  return found;
}

function nameOf(node: ts.Node): ts.Node | undefined {
  return (node as ts.NamedDeclaration).name;
}

/** `['Model', 'fit']` of the method `fit` of class `Model`. */
function namesAbove(node: ts.Node): string[] {
  const names: string[] = [];
  for (let at: ts.Node | undefined = node; at; at = at.parent) {
    const name = nameOf(at);
    if (name && ts.isIdentifier(name)) names.unshift(name.text);
  }
  return names;
}

/** The text of the declaration that `path` names, found from the outside in. */
function find(source: ts.SourceFile, path: readonly string[]): string | undefined {
  let scope: ts.Node = source;
  for (const name of path) {
    const inner = search(scope, name);
    if (!inner) break;
    scope = inner;
  }
  return scope === source ? undefined : withComment(scope, source);
}

function search(scope: ts.Node, name: string): ts.Node | undefined {
  let found: ts.Node | undefined;
  const visit = (node: ts.Node): void => {
    if (found) return;
    const own = nameOf(node);
    const binds = !ts.isImportSpecifier(node) && !ts.isPropertyAccessExpression(node);
    if (binds && node !== scope && own && ts.isIdentifier(own) && own.text === name) found = node;
    else ts.forEachChild(node, visit);
  };
  ts.forEachChild(scope, visit);
  return found;
}

/** A variable is shown with its whole statement; comments that lead a declaration belong to it. */
function withComment(node: ts.Node, file: ts.SourceFile): string {
  let whole = node;
  while (
    ts.isBindingElement(whole) ||
    ts.isBindingName(whole) ||
    ts.isVariableDeclaration(whole) ||
    ts.isVariableDeclarationList(whole)
  ) {
    whole = whole.parent;
  }
  return dedented(file.text.slice(whole.getFullStart(), whole.getEnd()));
}

/** Without the indentation that the first line with text has. */
function dedented(text: string): string {
  const body = text.replace(/^(?:[ \t]*\r?\n)+/, '');
  const margin = /^[ \t]*/.exec(body)?.[0] ?? '';
  return body.replaceAll(`\n${margin}`, '\n').trim();
}

function clipped(text: string): string {
  const lines = text.split('\n');
  if (lines.length <= SOURCE_LINES) return text;
  return [...lines.slice(0, SOURCE_LINES), `// … ${lines.length - SOURCE_LINES} more lines`].join(
    '\n',
  );
}
