import type MagicString from 'magic-string';
import type { Scope } from './box.ts';
import {
  eachChild,
  isClass,
  isFunction,
  isNode,
  lexicalNames,
  type Node,
  patternNames,
  varNames,
} from './syntax.ts';

/** What marks the identifiers of the compiler; never typed by people. */
export const MARK = '·';

interface Local {
  readonly names: ReadonlySet<string>;
  readonly parent: Local | undefined;
}

/** Names with a meaning of their own, which are never variables of the notebook. */
const RESERVED = new Set(['undefined', 'NaN', 'Infinity', 'arguments', 'eval', 'globalThis']);

export interface RewriteContext {
  readonly source: string;
  readonly out: MagicString;
  readonly scope: Scope;
  /** Top-level names of this cell, and the offset behind which each is initialised. */
  readonly declared: Map<string, { constant: boolean; end: number }>;
  /** Every box that the cell refers to. */
  readonly used: Set<string>;
}

/**
 * Turns uses of notebook variables into accesses of their boxes. Names bound inside functions and
 * blocks stay as they are.
 */
export class ReferenceRewriter {
  readonly #context: RewriteContext;
  readonly #enums = new Set<string>();

  constructor(context: RewriteContext) {
    this.#context = context;
  }

  /** True when `name`, not bound locally, is a variable of the notebook. */
  #isNotebookName(name: string): boolean {
    if (RESERVED.has(name) || name.endsWith(MARK)) return false;
    if (this.#context.declared.has(name) || this.#context.scope.boxes.has(name)) return true;
    return !(name in globalThis) && name !== 'babelHelpers';
  }

  #isConstant(name: string): boolean {
    const here = this.#context.declared.get(name);
    if (here !== undefined) return here.constant;
    return this.#context.scope.boxes.get(name)?.constant === true;
  }

  /** The text that reads the variable at offset `at`. */
  #read(name: string, at: number): string {
    this.#context.used.add(name);
    const here = this.#context.declared.get(name);
    const sure =
      here === undefined
        ? this.#context.scope.boxes.get(name)?.initialised === true
        : at >= here.end;
    return `${name}${MARK}.${sure ? 'v' : 'g'}`;
  }

  /** The text that an assignment writes to. */
  target(name: string, initialising = false): string {
    this.#context.used.add(name);
    return `${name}${MARK}.${!initialising && this.#isConstant(name) ? 'c' : 'v'}`;
  }

  visit(node: Node, local?: Local): void {
    switch (node.type) {
      case 'Identifier':
        this.#identifier(node, local);
        return;
      case 'MemberExpression':
        this.visit(node['object'] as Node, local);
        if (node['computed'] === true) this.visit(node['property'] as Node, local);
        return;
      case 'CallExpression':
      case 'TaggedTemplateExpression':
        this.#call(node, local);
        return;
      case 'UnaryExpression':
        this.#unary(node, local);
        return;
      case 'Property':
        this.#property(node, local);
        return;
      case 'MethodDefinition':
      case 'PropertyDefinition':
      case 'AccessorProperty':
        if (node['computed'] === true) this.visit(node['key'] as Node, local);
        if (isNode(node['value'])) this.visit(node['value'], local);
        for (const decorator of (node['decorators'] as Node[] | undefined) ?? []) {
          this.visit(decorator, local);
        }
        return;
      case 'AssignmentExpression':
        if (node['operator'] === '=') this.assignmentTarget(node['left'] as Node, local);
        else this.#modified(node['left'] as Node, local);
        this.visit(node['right'] as Node, local);
        return;
      case 'UpdateExpression':
        this.#modified(node['argument'] as Node, local);
        return;
      case 'LabeledStatement':
        this.visit(node['body'] as Node, local);
        return;
      case 'BreakStatement':
      case 'ContinueStatement':
        return;
      case 'MetaProperty':
        if ((node['meta'] as Node)['name'] === 'import') {
          this.#context.out.update(node.start, node.end, `meta${MARK}`);
        }
        return;
      case 'ImportExpression':
        this.#context.out.update(node.start, node.start + 'import'.length, `import${MARK}`);
        this.visit(node['source'] as Node, local);
        if (isNode(node['options'])) this.visit(node['options'], local);
        return;
      case 'VariableDeclaration':
        if (node['kind'] === 'var' && this.#isTopLevelVar(node, local)) {
          this.declaration(node, local, ';');
          return;
        }
        for (const declarator of node['declarations'] as Node[]) {
          this.#pattern(declarator['id'] as Node, local);
          if (isNode(declarator['init'])) this.visit(declarator['init'], local);
        }
        return;
      case 'ForStatement':
      case 'ForInStatement':
      case 'ForOfStatement':
        this.#loop(node, local);
        return;
      case 'BlockStatement':
      case 'StaticBlock':
        this.#children(node, this.#enter(lexicalNames(node['body'] as Node[]), local));
        return;
      case 'SwitchStatement': {
        this.visit(node['discriminant'] as Node, local);
        const cases = node['cases'] as Node[];
        const names = cases.flatMap((c) => lexicalNames(c['consequent'] as Node[]));
        const inner = this.#enter(names, local);
        for (const c of cases) this.#children(c, inner);
        return;
      }
      case 'CatchClause': {
        const param = node['param'];
        const inner = this.#enter(isNode(param) ? patternNames(param) : [], local);
        if (isNode(param)) this.#pattern(param, inner);
        this.visit(node['body'] as Node, inner);
        return;
      }
    }
    if (isFunction(node)) this.function(node, local);
    else if (isClass(node)) this.class(node, local);
    else this.#children(node, local);
  }

  /** A function; `ownName` false when its name is a variable of the notebook. */
  function(node: Node, local: Local | undefined, ownName = true): void {
    const names: string[] = ['arguments'];
    if (ownName && node.type === 'FunctionExpression' && isNode(node['id'])) {
      names.push(node['id']['name'] as string);
    }
    const params = node['params'] as Node[];
    for (const param of params) patternNames(param, names);
    const body = node['body'] as Node;
    if (body.type === 'BlockStatement') {
      varNames(body, names);
      names.push(...lexicalNames(body['body'] as Node[]));
    }
    const inner = this.#enter(names, local);
    for (const param of params) this.#pattern(param, inner);
    if (body.type === 'BlockStatement') this.#children(body, inner);
    else this.visit(body, inner);
  }

  class(node: Node, local: Local | undefined): void {
    const inner = isNode(node['id']) ? this.#enter([node['id']['name'] as string], local) : local;
    if (isNode(node['superClass'])) this.visit(node['superClass'], inner);
    for (const decorator of (node['decorators'] as Node[] | undefined) ?? []) {
      this.visit(decorator, local);
    }
    this.#children(node['body'] as Node, inner);
  }

  /**
   * A top-level declaration becomes assignments to boxes. `lead` replaces the keyword: `;` where a
   * statement begins, nothing in the head of a loop.
   */
  declaration(node: Node, local: Local | undefined, lead: string): void {
    const { out } = this.#context;
    const declarators = node['declarations'] as Node[];
    out.update(node.start, declarators[0].start, lead);
    for (const declarator of declarators) {
      const id = declarator['id'] as Node;
      const init = declarator['init'];
      if (id.type !== 'Identifier') {
        out.appendRight(declarator.start, '(');
        this.assignmentTarget(id, local, true);
        this.visit(init as Node, local);
        out.appendLeft(declarator.end, ')');
        continue;
      }
      const name = id['name'] as string;
      const target = this.target(name, true);
      if (isNode(init)) {
        out.update(id.start, id.end, target);
        const merged = mergedEnum(name, init);
        if (merged !== undefined && !this.#enums.has(name)) {
          // The enum of a cell that runs again starts afresh.
          this.#enums.add(name);
          out.update(merged.start, merged.end, '{}');
          this.visit(init['callee'] as Node, local);
        } else this.visit(init, local);
        if (takesName(init)) {
          out.appendRight(init.start, `{${JSON.stringify(name)}: `);
          out.appendLeft(init.end, `}[${JSON.stringify(name)}]`);
        }
      } else if (node['kind'] === 'var') {
        out.update(id.start, id.end, `${name}${MARK}.hoist()`);
      } else {
        out.update(id.start, id.end, `${target} = undefined`);
      }
    }
  }

  /** The left side of an assignment, or a binding pattern whose names are boxes. */
  assignmentTarget(node: Node, local: Local | undefined, initialising = false): void {
    const { out } = this.#context;
    switch (node.type) {
      case 'Identifier': {
        const name = node['name'] as string;
        if (!this.#bound(name, local) && this.#isNotebookName(name)) {
          out.update(node.start, node.end, this.target(name, initialising));
        }
        return;
      }
      case 'ObjectPattern':
        for (const property of node['properties'] as Node[]) {
          if (property.type === 'RestElement') {
            this.assignmentTarget(property['argument'] as Node, local, initialising);
            continue;
          }
          if (property['computed'] === true) this.visit(property['key'] as Node, local);
          const value = property['value'] as Node;
          if (property['shorthand'] === true) {
            const id = (value.type === 'AssignmentPattern' ? value['left'] : value) as Node;
            out.appendRight(property.start, `${id['name']}: `);
          }
          this.assignmentTarget(value, local, initialising);
        }
        return;
      case 'ArrayPattern':
        for (const element of node['elements'] as (Node | null)[]) {
          if (element !== null) this.assignmentTarget(element, local, initialising);
        }
        return;
      case 'AssignmentPattern':
        this.assignmentTarget(node['left'] as Node, local, initialising);
        this.visit(node['right'] as Node, local);
        return;
      case 'RestElement':
        this.assignmentTarget(node['argument'] as Node, local, initialising);
        return;
      default:
        this.visit(node, local);
    }
  }

  /** What `+=` or `++` reads and writes. */
  #modified(node: Node, local: Local | undefined): void {
    const name = node['name'] as string;
    const isVariable =
      node.type === 'Identifier' && !this.#bound(name, local) && this.#isNotebookName(name);
    if (isVariable && !this.#isConstant(name)) {
      this.#context.out.update(node.start, node.end, this.#read(name, node.start));
    } else this.assignmentTarget(node, local);
  }

  /** A binding pattern of local names: only defaults and computed keys hold references. */
  #pattern(node: Node, local: Local | undefined): void {
    switch (node.type) {
      case 'Identifier':
        return;
      case 'ObjectPattern':
        for (const property of node['properties'] as Node[]) {
          if (property['computed'] === true) this.visit(property['key'] as Node, local);
          this.#pattern((property['value'] ?? property['argument']) as Node, local);
        }
        return;
      case 'ArrayPattern':
        for (const element of node['elements'] as (Node | null)[]) {
          if (element !== null) this.#pattern(element, local);
        }
        return;
      case 'AssignmentPattern':
        this.#pattern(node['left'] as Node, local);
        this.visit(node['right'] as Node, local);
        return;
      case 'RestElement':
        this.#pattern(node['argument'] as Node, local);
        return;
    }
  }

  #identifier(node: Node, local: Local | undefined): void {
    const name = node['name'] as string;
    if (this.#bound(name, local) || !this.#isNotebookName(name)) return;
    this.#context.out.update(node.start, node.end, this.#read(name, node.start));
  }

  #call(node: Node, local: Local | undefined): void {
    const key = node.type === 'CallExpression' ? 'callee' : 'tag';
    const callee = node[key] as Node;
    const name = callee['name'] as string;
    if (callee.type === 'Identifier' && !this.#bound(name, local) && this.#isNotebookName(name)) {
      // The comma keeps `this` undefined in the callee.
      const read = `(0, ${this.#read(name, callee.start)})`;
      this.#context.out.update(callee.start, callee.end, read);
    } else this.visit(callee, local);
    for (const argument of (node['arguments'] as Node[] | undefined) ?? []) {
      this.visit(argument, local);
    }
    if (isNode(node['quasi'])) this.visit(node['quasi'], local);
  }

  #unary(node: Node, local: Local | undefined): void {
    const argument = node['argument'] as Node;
    const name = argument['name'] as string;
    if (
      node['operator'] === 'typeof' &&
      argument.type === 'Identifier' &&
      !this.#bound(name, local) &&
      this.#isNotebookName(name)
    ) {
      this.#context.used.add(name);
      this.#context.out.update(argument.start, argument.end, `${name}${MARK}.peek()`);
    } else this.visit(argument, local);
  }

  #property(node: Node, local: Local | undefined): void {
    if (node['computed'] === true) this.visit(node['key'] as Node, local);
    const value = node['value'] as Node;
    if (node['shorthand'] === true && value.type === 'Identifier') {
      const name = value['name'] as string;
      if (this.#bound(name, local) || !this.#isNotebookName(name)) return;
      const text = `${name}: ${this.#read(name, value.start)}`;
      this.#context.out.update(node.start, node.end, text);
    } else this.visit(value, local);
  }

  #loop(node: Node, local: Local | undefined): void {
    const head = (node['init'] ?? node['left']) as Node | null;
    let inner = local;
    if (head?.type === 'VariableDeclaration') {
      const names = (head['declarations'] as Node[]).flatMap((d) => patternNames(d['id'] as Node));
      if (head['kind'] !== 'var') inner = this.#enter(names, local);
      else if (this.#isTopLevelVar(head, local)) {
        if (node.type === 'ForStatement') this.declaration(head, local, '');
        else {
          const id = (head['declarations'] as Node[])[0]['id'] as Node;
          this.#context.out.update(head.start, id.start, '');
          this.assignmentTarget(id, local, true);
        }
        eachChild(node, (child, key) => {
          if (key !== 'init' && key !== 'left') this.visit(child, local);
        });
        return;
      }
    } else if (head !== null && node.type !== 'ForStatement') {
      this.assignmentTarget(head, local);
      this.visit(node['right'] as Node, local);
      this.visit(node['body'] as Node, local);
      return;
    }
    this.#children(node, inner);
  }

  #children(node: Node, local: Local | undefined): void {
    eachChild(node, (child) => this.visit(child, local));
  }

  #enter(names: readonly string[], parent: Local | undefined): Local {
    return { names: new Set(names), parent };
  }

  #bound(name: string, local: Local | undefined): boolean {
    for (let scope = local; scope !== undefined; scope = scope.parent) {
      if (scope.names.has(name)) return true;
    }
    return false;
  }

  /** `var` inside blocks belongs to the notebook unless a function around it holds the name. */
  #isTopLevelVar(node: Node, local: Local | undefined): boolean {
    const names = (node['declarations'] as Node[]).flatMap((d) => patternNames(d['id'] as Node));
    return names.every((name) => !this.#bound(name, local) && this.#context.declared.has(name));
  }
}

/** True for an anonymous function or class, which takes the name of what it is assigned to. */
function takesName(node: Node): boolean {
  if (node.type === 'ArrowFunctionExpression') return true;
  return (
    (node.type === 'FunctionExpression' || node.type === 'ClassExpression') && !isNode(node['id'])
  );
}

/** The argument `E || {}` of a lowered enum, by which the enums of one file merge. */
function mergedEnum(name: string, init: Node): Node | undefined {
  if (init.type !== 'CallExpression') return undefined;
  const argument = (init['arguments'] as Node[])[0];
  const merges =
    (init['callee'] as Node).type === 'FunctionExpression' &&
    argument?.type === 'LogicalExpression' &&
    (argument['left'] as Node)['name'] === name;
  return merges ? argument : undefined;
}
