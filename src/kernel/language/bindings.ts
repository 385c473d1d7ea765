import ts from 'typescript';

/**
 * How a top-level name of a cell is seen by later cells:
 * `fixed` (const, function, class, enum, namespace, type) cannot be assigned, `variable` (let, var)
 * can, `import` is imported again wherever it is used.
 */
export interface Binding {
  readonly name: string;
  readonly form: 'fixed' | 'variable' | 'import';
  /** For completion lists: `'const' | 'let' | 'function' | 'class' | 'module' | …` */
  readonly kind: string;
  /** The statement that imports this name alone; only when `form` is `'import'`. */
  readonly statement?: string;
  /** The JSDoc comment before a variable, which its stand-in in other cells repeats. */
  readonly comment?: string | undefined;
  /** Whether the cell itself exports the name under its own name. */
  readonly exported: boolean;
}

/** The names that `source` (one cell, parsed) declares or imports at its top level. */
export function topLevelBindings(source: ts.SourceFile): Map<string, Binding> {
  const found = new Map<string, Binding>();
  const add = (binding: Binding) => {
    // `interface A` beside `let A` would lose its type side as a variable.
    const before = found.get(binding.name);
    if (before && before.form !== binding.form)
      found.set(binding.name, { ...binding, form: 'fixed' });
    else if (!before) found.set(binding.name, binding);
  };
  for (const statement of source.statements) {
    if (ts.isImportDeclaration(statement)) for (const b of imported(statement)) add(b);
    else if (ts.isImportEqualsDeclaration(statement)) add(importEquals(statement, source));
    else for (const b of declared(statement)) add(b);
  }
  for (const statement of source.statements) {
    if (!ts.isExportDeclaration(statement) || statement.moduleSpecifier) continue;
    if (!statement.exportClause || !ts.isNamedExports(statement.exportClause)) continue;
    for (const e of statement.exportClause.elements) {
      const b = found.get(e.name.text);
      if (b) found.set(b.name, { ...b, exported: true });
    }
  }
  return found;
}

/** Every identifier that occurs in `source`: a superset of the outer names it uses. */
export function identifiers(source: ts.SourceFile): Set<string> {
  const names = new Set<string>();
  const visit = (node: ts.Node): void => {
    if (ts.isIdentifier(node)) names.add(node.text);
    ts.forEachChild(node, visit);
  };
  visit(source);
  return names;
}

function hasModifier(node: ts.Node, kind: ts.SyntaxKind): boolean {
  return ts.canHaveModifiers(node) && !!ts.getModifiers(node)?.some((m) => m.kind === kind);
}

function* declared(statement: ts.Statement): Generator<Binding> {
  const exported =
    hasModifier(statement, ts.SyntaxKind.ExportKeyword) &&
    !hasModifier(statement, ts.SyntaxKind.DefaultKeyword);
  if (ts.isVariableStatement(statement)) {
    yield* variables(statement.declarationList, exported, commentOf(statement));
    return;
  }
  const kind = DECLARATION_KIND[statement.kind];
  if (kind === undefined) {
    yield* hoistedVars(statement);
    return;
  }
  const { name } = statement as ts.DeclarationStatement;
  // `declare global` and `declare module 'x'` bind nothing here.
  if (!name || !ts.isIdentifier(name) || name.text === 'global') return;
  yield { name: name.text, form: 'fixed', kind, exported };
}

const DECLARATION_KIND: { readonly [K in ts.SyntaxKind]?: string } = {
  [ts.SyntaxKind.FunctionDeclaration]: 'function',
  [ts.SyntaxKind.ClassDeclaration]: 'class',
  [ts.SyntaxKind.EnumDeclaration]: 'enum',
  [ts.SyntaxKind.ModuleDeclaration]: 'module',
  [ts.SyntaxKind.InterfaceDeclaration]: 'interface',
  [ts.SyntaxKind.TypeAliasDeclaration]: 'type',
};

function commentOf(statement: ts.Node): string {
  const comment = ts.getJSDocCommentsAndTags(statement).find(ts.isJSDoc);
  return comment?.getText() ?? '';
}

function* variables(
  list: ts.VariableDeclarationList,
  exported: boolean,
  comment = '',
): Generator<Binding> {
  const scope = list.flags & ts.NodeFlags.BlockScoped;
  const kind = scope === ts.NodeFlags.Let ? 'let' : scope === 0 ? 'var' : 'const';
  const form = kind === 'const' ? 'fixed' : 'variable';
  for (const declaration of list.declarations) {
    for (const name of patternNames(declaration.name))
      yield { name, form, kind, comment, exported };
  }
}

function* patternNames(name: ts.BindingName): Generator<string> {
  if (ts.isIdentifier(name)) {
    if (name.text !== '') yield name.text;
    return;
  }
  for (const element of name.elements) {
    if (ts.isBindingElement(element)) yield* patternNames(element.name);
  }
}

/** `var`s inside blocks and loops belong to the whole cell. */
function* hoistedVars(node: ts.Node): Generator<Binding> {
  if (ts.isVariableDeclarationList(node) && (node.flags & ts.NodeFlags.BlockScoped) === 0) {
    yield* variables(node, false);
  }
  if (ts.isFunctionLike(node) || ts.isClassLike(node) || ts.isExpressionStatement(node)) return;
  const children: ts.Node[] = [];
  ts.forEachChild(node, (child) => {
    children.push(child);
  });
  for (const child of children) yield* hoistedVars(child);
}

function* imported(statement: ts.ImportDeclaration): Generator<Binding> {
  const clause = statement.importClause;
  if (!clause || !ts.isStringLiteral(statement.moduleSpecifier)) return;
  const from = `from ${JSON.stringify(statement.moduleSpecifier.text)}`;
  const attributes = statement.attributes ? ` ${statement.attributes.getText()}` : '';
  const keyword = clause.isTypeOnly ? 'import type' : 'import';
  const binding = (name: string, what: string, kind: string): Binding => ({
    name,
    form: 'import',
    kind,
    statement: `${keyword} ${what} ${from}${attributes};`,
    exported: false,
  });
  if (clause.name) yield binding(clause.name.text, clause.name.text, 'alias');
  const named = clause.namedBindings;
  if (!named) return;
  if (ts.isNamespaceImport(named)) {
    yield binding(named.name.text, `* as ${named.name.text}`, 'module');
    return;
  }
  for (const e of named.elements) yield binding(e.name.text, `{ ${e.getText()} }`, 'alias');
}

function importEquals(statement: ts.ImportEqualsDeclaration, source: ts.SourceFile): Binding {
  return {
    name: statement.name.text,
    form: 'import',
    kind: 'module',
    statement: statement.getText(source),
    exported: false,
  };
}
