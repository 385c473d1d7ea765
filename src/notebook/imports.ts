import type TypeScript from 'typescript';
import { compiler } from '../kernel/language/compiler.ts';
import { parseCell } from '../kernel/language/parse.ts';

/** What a module takes from another: all of it, or the exports named (`default` included). */
export interface ModuleUse {
  readonly specifier: string;
  readonly names: 'all' | readonly string[];
}

/** An export that is taken from another module: `export { name as exported } from specifier`. */
export interface ReExport {
  readonly specifier: string;
  readonly name: string;
  readonly exported: string;
}

export interface ModuleEdges {
  readonly uses: readonly ModuleUse[];
  readonly reExports: readonly ReExport[];
}

/**
 * The modules that `code` loads when it runs: imports, re-exports and `import('…')` of a literal.
 * What is imported as a type only is not loaded.
 */
export function moduleEdges(code: string): ModuleEdges {
  const ts = compiler();
  const source = parseCell(ts, code);
  const uses: ModuleUse[] = [];
  const reExports: ReExport[] = [];
  for (const statement of source.statements) {
    if (ts.isImportDeclaration(statement) && ts.isStringLiteral(statement.moduleSpecifier)) {
      const names = importedNames(ts, statement.importClause);
      if (names) uses.push({ specifier: statement.moduleSpecifier.text, names });
    } else if (ts.isExportDeclaration(statement) && !statement.isTypeOnly) {
      const { moduleSpecifier, exportClause } = statement;
      if (!moduleSpecifier || !ts.isStringLiteral(moduleSpecifier)) continue;
      const specifier = moduleSpecifier.text;
      if (!exportClause || !ts.isNamedExports(exportClause)) uses.push({ specifier, names: 'all' });
      else {
        for (const e of exportClause.elements) {
          if (e.isTypeOnly) continue;
          reExports.push({
            specifier,
            name: (e.propertyName ?? e.name).text,
            exported: e.name.text,
          });
        }
      }
    }
  }
  for (const specifier of dynamicImports(ts, source)) uses.push({ specifier, names: 'all' });
  return { uses, reExports };
}

function importedNames(
  ts: typeof TypeScript,
  clause: TypeScript.ImportClause | undefined,
): ModuleUse['names'] | undefined {
  if (!clause) return [];
  if (clause.isTypeOnly) return undefined;
  const names = clause.name ? ['default'] : [];
  const bindings = clause.namedBindings;
  if (!bindings) return names;
  if (ts.isNamespaceImport(bindings)) return 'all';
  for (const e of bindings.elements) {
    if (!e.isTypeOnly) names.push((e.propertyName ?? e.name).text);
  }
  return names.length === 0 && bindings.elements.length > 0 ? undefined : names;
}

function dynamicImports(ts: typeof TypeScript, source: TypeScript.SourceFile): string[] {
  const found: string[] = [];
  const visit = (node: TypeScript.Node): void => {
    if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) {
      const [argument] = node.arguments;
      if (argument && ts.isStringLiteralLike(argument)) found.push(argument.text);
    }
    ts.forEachChild(node, visit);
  };
  if (source.text.includes('import(')) visit(source);
  return found;
}
