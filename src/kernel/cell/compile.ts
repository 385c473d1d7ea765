import MagicString from 'magic-string';
import { parseSync } from 'rolldown/utils';
import type { Scope } from './box.ts';
import { type Lowered, type LoweringOptions, lowerTypeScript } from './lower.ts';
import { type Declared, MARK, NotebookNames } from './notebook-names.ts';
import { plainProgram } from './plain.ts';
import { ReferenceRewriter } from './rewrite.ts';
import type { Mappings } from './source-position.ts';
import { isNode, lexicalNames, type Node, varNames } from './syntax.ts';

/** A cell ready to run. */
export interface CompiledCell {
  /**
   * Body of a function with the parameters {@link params}; what was typed begins on its second line.
   */
  readonly body: string;
  /** `value·` (the box of the result), `import·`, `meta·`, `babelHelpers`, one for each of `boxes`. */
  readonly params: readonly string[];
  /** The function must be async. */
  readonly isAsync: boolean;
  readonly boxes: readonly string[];
  /** Names that the cell declares at its top level. */
  readonly declared: readonly { readonly name: string; readonly constant: boolean }[];
  /** From `body` less its first line to what was typed; made when asked for. */
  readonly mappings: () => Mappings;
}

export interface CellOptions {
  /** Name shown in errors and stack traces, e.g. `Cell [3]`. */
  readonly fileName: string;
  /** Asked for only where there is something to lower: to look for a tsconfig.json takes time. */
  readonly lowering?: () => Omit<LoweringOptions, 'fileName'>;
}

/**
 * Compiles one cell: TypeScript to JavaScript, static imports to awaited calls, top-level names to
 * boxes of `scope`, and the value of a last expression statement to the result.
 * @throws SyntaxError with the position in its message.
 */
export function compileCell(
  code: string,
  scope: Scope,
  { fileName, lowering }: CellOptions,
): CompiledCell {
  const plain = plainProgram(code, fileName);
  const lowered: Lowered =
    plain === undefined
      ? lowerTypeScript(code, { fileName, ...lowering?.() })
      : { code, mappings: [] };
  const js = lowered.code;
  const program = plain ?? parseJavaScript(js, fileName);
  const body = program['body'] as Node[];
  const out = new MagicString(js);
  const declared: Declared = new Map();
  const names = new NotebookNames(scope, declared);
  const rewriter = new ReferenceRewriter(out, names);

  const statements = lowered.usesTopLevel === true ? unwrapUsing(body) : body;
  declareNames(program, statements, declared);

  const imports: string[] = [];
  let functionsEnd = 0;
  const last = statements.findLast((s) => s.type !== 'EmptyStatement' && !isBareExport(s));
  const visitStatement = (statement: Node): void => {
    const node = exported(statement, out);
    switch (node.type) {
      case 'ImportDeclaration':
        imports.push(importCode(node, names));
        out.remove(node.start, node.end);
        return;
      case 'ExportAllDeclaration':
      case 'ExportNamedDeclaration':
        if (isNode(node['source'])) imports.push(`await import${MARK}(${node['source']['raw']});`);
        out.remove(node.start, node.end);
        return;
      case 'VariableDeclaration':
        rewriter.bindings.declaration(node, undefined, ';');
        return;
      case 'FunctionDeclaration': {
        const name = (node['id'] as Node)['name'] as string;
        out.appendRight(node.start, `${names.target(name, true)} = `);
        rewriter.function(node, undefined, false);
        out.appendLeft(node.end, ';');
        // Hoisted: callable above its declaration.
        if (statement.start > functionsEnd) out.move(node.start, node.end, functionsEnd);
        else functionsEnd = node.end;
        return;
      }
      case 'ClassDeclaration': {
        const name = (node['id'] as Node)['name'] as string;
        out.appendRight(node.start, `;${names.target(name, true)} = `);
        rewriter.class(node, undefined);
        out.appendLeft(node.end, ';');
        return;
      }
      case 'ExpressionStatement':
        if (statement === last && !isEmitted(node['expression'] as Node)) {
          out.appendRight(node.start, `;value${MARK}.v = (`);
          rewriter.visit(node);
          out.appendLeft(js[node.end - 1] === ';' ? node.end - 1 : node.end, ')');
          return;
        }
        // A call may come to begin with a parenthesis, which would go on with the line above.
        if (plain !== undefined) out.appendRight(node.start, ';');
        rewriter.visit(node);
        return;
      default:
        if (isExpression(node)) {
          out.appendRight(node.start, `;value${MARK}.v = (`);
          rewriter.visit(node);
          out.appendLeft(node.end, ');');
          return;
        }
        rewriter.visit(node);
    }
  };
  if (statements === body) for (const statement of body) visitStatement(statement);
  else {
    for (const statement of body) {
      if ((statement['block'] as Node | undefined)?.['body'] !== statements)
        visitStatement(statement);
      else {
        for (const inner of statements) visitStatement(inner);
        rewriter.visit(statement['handler'] as Node);
        rewriter.visit(statement['finalizer'] as Node);
      }
    }
  }

  const boxes = [...names.used];
  out.prepend(imports.join(' '));
  const text = out.toString();
  return {
    body: `'use strict';\n${text}\n`,
    params: [`value${MARK}`, `import${MARK}`, `meta${MARK}`, 'babelHelpers'].concat(
      boxes.map((name) => name + MARK),
    ),
    // Also where the word stands in a text: then it costs a little and changes nothing.
    isAsync: /\bawait\b/.test(text),
    boxes,
    declared: [...declared]
      .filter(([name]) => !name.startsWith('_usingCtx'))
      .map(([name, { constant }]) => ({ name, constant })),
    // Joined by `concat`, which leaves no room to grow: a notebook keeps this of every cell.
    mappings: () => [out.generateMap({ hires: 'boundary' }).mappings].concat(lowered.mappings),
  };
}

function parseJavaScript(code: string, fileName: string): Node {
  const parse = { lang: 'js', sourceType: 'module', preserveParens: false } as const;
  return parseSync(fileName, code, parse).program as unknown as Node;
}

/** `using` at the top level is lowered to one try statement around everything. */
function unwrapUsing(body: Node[]): Node[] {
  const wrapper = body.findLast((s) => s.type === 'TryStatement');
  return wrapper === undefined ? body : ((wrapper['block'] as Node)['body'] as Node[]);
}

function declareNames(program: Node, statements: readonly Node[], declared: Declared): void {
  for (const name of varNames(program)) declared.set(name, { constant: false, end: 0 });
  for (const statement of statements) {
    if (statement.type === 'ImportDeclaration') {
      for (const specifier of statement['specifiers'] as Node[]) {
        const name = (specifier['local'] as Node)['name'] as string;
        declared.set(name, { constant: true, end: Number.POSITIVE_INFINITY });
      }
      continue;
    }
    const node = isNode(statement['declaration']) ? statement['declaration'] : statement;
    for (const name of lexicalNames([statement])) {
      const constant = node.type === 'VariableDeclaration' && node['kind'] === 'const';
      const end = node.type === 'FunctionDeclaration' ? 0 : node.end;
      declared.set(name, { constant, end });
    }
  }
}

/** Strips `export`; a default export becomes its expression. */
function exported(statement: Node, out: MagicString): Node {
  const declaration = statement['declaration'];
  const exports =
    statement.type === 'ExportNamedDeclaration' || statement.type === 'ExportDefaultDeclaration';
  if (!exports || !isNode(declaration)) return statement;
  out.remove(statement.start, declaration.start);
  const anonymous = declaration['id'] === null || declaration['id'] === undefined;
  if (anonymous && declaration.type.endsWith('Declaration')) {
    if (declaration.type === 'VariableDeclaration') return declaration;
    return { ...declaration, type: declaration.type.replace('Declaration', 'Expression') };
  }
  return declaration;
}

function isBareExport(statement: Node): boolean {
  return statement.type === 'ExportNamedDeclaration' && !isNode(statement['declaration']);
}

function isExpression(node: Node): boolean {
  return /Expression$|^Identifier$|Literal$/.test(node.type);
}

/** True for an expression that lowering emits for a namespace or a decorator. */
function isEmitted(expression: Node): boolean {
  let node = expression;
  if (node.type === 'AssignmentExpression') node = node['right'] as Node;
  if (node.type !== 'CallExpression') return false;
  const callee = node['callee'] as Node;
  if (callee.type === 'MemberExpression') {
    return (callee['object'] as Node)['name'] === 'babelHelpers';
  }
  const argument = (node['arguments'] as Node[])[0];
  const param = callee.type === 'FunctionExpression' ? (callee['params'] as Node[])[0] : undefined;
  return (
    argument?.type === 'LogicalExpression' &&
    param?.['name'] === `_${(argument['left'] as Node)['name']}`
  );
}

/** `import a, { b as c } from 'x'` as an awaited call that fills boxes. */
function importCode(node: Node, names: NotebookNames): string {
  const source = (node['source'] as Node)['raw'] as string;
  const links = (node['specifiers'] as Node[]).map((specifier) => {
    const local = (specifier['local'] as Node)['name'] as string;
    let name = '*';
    if (specifier.type === 'ImportDefaultSpecifier') name = 'default';
    else if (specifier.type === 'ImportSpecifier') {
      const imported = specifier['imported'] as Node;
      name = (imported['name'] ?? imported['value']) as string;
    }
    return `[${names.box(local)}, ${JSON.stringify(name)}]`;
  });
  return `await import${MARK}(${source}, undefined, [${links.join(', ')}]);`;
}
