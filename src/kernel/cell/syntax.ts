/** ESTree as the parser returns it: enough of it for a generic walk. */
export interface Node {
  readonly type: string;
  readonly start: number;
  readonly end: number;
  readonly [key: string]: unknown;
}

export function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null && typeof (value as Node).type === 'string';
}

/** Calls `visit` for each child node, in source order of the keys. */
export function eachChild(node: Node, visit: (child: Node, key: string) => void): void {
  for (const key in node) {
    const value = node[key];
    if (Array.isArray(value)) {
      for (const item of value) if (isNode(item)) visit(item, key);
    } else if (isNode(value)) visit(value, key);
  }
}

const FUNCTIONS = new Set(['FunctionDeclaration', 'FunctionExpression', 'ArrowFunctionExpression']);

export function isFunction(node: Node): boolean {
  return FUNCTIONS.has(node.type);
}

export function isClass(node: Node): boolean {
  return node.type === 'ClassDeclaration' || node.type === 'ClassExpression';
}

/** The names that a binding pattern binds. */
export function patternNames(pattern: Node, out: string[] = []): string[] {
  switch (pattern.type) {
    case 'Identifier':
      out.push(pattern['name'] as string);
      break;
    case 'ObjectPattern':
      for (const property of pattern['properties'] as Node[]) {
        patternNames((property['value'] ?? property['argument']) as Node, out);
      }
      break;
    case 'ArrayPattern':
      for (const element of pattern['elements'] as (Node | null)[]) {
        if (element !== null) patternNames(element, out);
      }
      break;
    case 'AssignmentPattern':
      patternNames(pattern['left'] as Node, out);
      break;
    case 'RestElement':
      patternNames(pattern['argument'] as Node, out);
      break;
  }
  return out;
}

function declaratorNames(declaration: Node, out: string[]): void {
  for (const d of declaration['declarations'] as Node[]) patternNames(d['id'] as Node, out);
}

/** Names that `let`, `const`, `class` and `function` statements of one block declare. */
export function lexicalNames(statements: readonly Node[]): string[] {
  const out: string[] = [];
  for (const statement of statements) {
    const node = (
      statement.type.startsWith('Export') && isNode(statement['declaration'])
        ? statement['declaration']
        : statement
    ) as Node;
    if (node.type === 'VariableDeclaration' && node['kind'] !== 'var') declaratorNames(node, out);
    else if (node.type === 'FunctionDeclaration' || node.type === 'ClassDeclaration') {
      if (isNode(node['id'])) out.push(node['id']['name'] as string);
    }
  }
  return out;
}

/** Names that `var` declares anywhere in `node` without entering functions. */
export function varNames(node: Node, out: string[] = []): string[] {
  if (node.type === 'VariableDeclaration' && node['kind'] === 'var') declaratorNames(node, out);
  eachChild(node, (child) => {
    if (!isFunction(child) && !isClass(child)) varNames(child, out);
  });
  return out;
}
