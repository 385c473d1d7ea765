import type MagicString from 'magic-string';
import { isBound, type Local, MARK, type NotebookNames } from './notebook-names.ts';
import { BindingRewriter } from './rewrite-bindings.ts';
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

/**
 * Turns uses of notebook variables into accesses of their boxes. Names bound inside functions and
 * blocks stay as they are.
 */
export class ReferenceRewriter {
  readonly names: NotebookNames;
  readonly bindings: BindingRewriter;
  readonly #out: MagicString;

  constructor(out: MagicString, names: NotebookNames) {
    this.#out = out;
    this.names = names;
    this.bindings = new BindingRewriter(out, names, (node, local) => this.visit(node, local));
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
        if (node['operator'] === '=') this.bindings.assignmentTarget(node['left'] as Node, local);
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
          this.#out.update(node.start, node.end, `meta${MARK}`);
        }
        return;
      case 'ImportExpression':
        this.#out.update(node.start, node.start + 'import'.length, `import${MARK}`);
        this.visit(node['source'] as Node, local);
        if (isNode(node['options'])) this.visit(node['options'], local);
        return;
      case 'VariableDeclaration':
        if (node['kind'] === 'var' && this.#isTopLevelVar(node, local)) {
          this.bindings.declaration(node, local, ';');
          return;
        }
        for (const declarator of node['declarations'] as Node[]) {
          this.bindings.localPattern(declarator['id'] as Node, local);
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
        if (isNode(param)) this.bindings.localPattern(param, inner);
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
    for (const param of params) this.bindings.localPattern(param, inner);
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

  /** What `+=` or `++` reads and writes. */
  #modified(node: Node, local: Local | undefined): void {
    const name = node['name'] as string;
    const isVariable = node.type === 'Identifier' && this.names.has(name, local);
    if (isVariable && !this.names.isConstant(name)) {
      this.#out.update(node.start, node.end, this.names.read(name, node.start));
    } else this.bindings.assignmentTarget(node, local);
  }

  #identifier(node: Node, local: Local | undefined): void {
    const name = node['name'] as string;
    if (!this.names.has(name, local)) return;
    this.#out.update(node.start, node.end, this.names.read(name, node.start));
  }

  #call(node: Node, local: Local | undefined): void {
    const key = node.type === 'CallExpression' ? 'callee' : 'tag';
    const callee = node[key] as Node;
    const name = callee['name'] as string;
    if (callee.type === 'Identifier' && this.names.has(name, local)) {
      // The comma keeps `this` undefined in the callee.
      const read = `(0, ${this.names.read(name, callee.start)})`;
      this.#out.update(callee.start, callee.end, read);
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
      this.names.has(name, local)
    ) {
      this.#out.update(argument.start, argument.end, `${this.names.box(name)}.peek()`);
    } else this.visit(argument, local);
  }

  #property(node: Node, local: Local | undefined): void {
    if (node['computed'] === true) this.visit(node['key'] as Node, local);
    const value = node['value'] as Node;
    if (node['shorthand'] === true && value.type === 'Identifier') {
      const name = value['name'] as string;
      if (!this.names.has(name, local)) return;
      const text = `${name}: ${this.names.read(name, value.start)}`;
      this.#out.update(node.start, node.end, text);
    } else this.visit(value, local);
  }

  #loop(node: Node, local: Local | undefined): void {
    const head = (node['init'] ?? node['left']) as Node | null;
    let inner = local;
    if (head?.type === 'VariableDeclaration') {
      const names = (head['declarations'] as Node[]).flatMap((d) => patternNames(d['id'] as Node));
      if (head['kind'] !== 'var') inner = this.#enter(names, local);
      else if (this.#isTopLevelVar(head, local)) {
        if (node.type === 'ForStatement') this.bindings.declaration(head, local, '');
        else {
          const id = (head['declarations'] as Node[])[0]['id'] as Node;
          this.#out.update(head.start, id.start, '');
          this.bindings.assignmentTarget(id, local, true);
        }
        eachChild(node, (child, key) => {
          if (key !== 'init' && key !== 'left') this.visit(child, local);
        });
        return;
      }
    } else if (head !== null && node.type !== 'ForStatement') {
      this.bindings.assignmentTarget(head, local);
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

  /** `var` inside blocks belongs to the notebook unless a function around it holds the name. */
  #isTopLevelVar(node: Node, local: Local | undefined): boolean {
    const names = (node['declarations'] as Node[]).flatMap((d) => patternNames(d['id'] as Node));
    return names.every((name) => !isBound(name, local) && this.names.declared.has(name));
  }
}
