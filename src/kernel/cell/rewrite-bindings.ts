import type MagicString from 'magic-string';
import type { Local, NotebookNames } from './notebook-names.ts';
import { isNode, type Node } from './syntax.ts';

/** Turns what binds names at the top level (declarations, targets of assignments) into boxes. */
export class BindingRewriter {
  readonly #out: MagicString;
  readonly #names: NotebookNames;
  /** Rewrites the references in an expression. */
  readonly #visit: (node: Node, local: Local | undefined) => void;
  readonly #enums = new Set<string>();

  constructor(
    out: MagicString,
    names: NotebookNames,
    visit: (node: Node, local: Local | undefined) => void,
  ) {
    this.#out = out;
    this.#names = names;
    this.#visit = visit;
  }

  /**
   * A top-level declaration becomes assignments to boxes. `lead` replaces the keyword: `;` where a
   * statement begins, nothing in the head of a loop.
   */
  declaration(node: Node, local: Local | undefined, lead: string): void {
    const out = this.#out;
    const declarators = node['declarations'] as Node[];
    out.update(node.start, declarators[0].start, lead);
    for (const declarator of declarators) {
      const id = declarator['id'] as Node;
      const init = declarator['init'];
      if (id.type !== 'Identifier') {
        out.appendRight(declarator.start, '(');
        this.assignmentTarget(id, local, true);
        this.#visit(init as Node, local);
        out.appendLeft(declarator.end, ')');
        continue;
      }
      const name = id['name'] as string;
      const target = this.#names.target(name, true);
      if (isNode(init)) {
        out.update(id.start, id.end, target);
        const merged = mergedEnum(name, init);
        if (merged !== undefined && !this.#enums.has(name)) {
          // The enum of a cell that runs again starts afresh.
          this.#enums.add(name);
          out.update(merged.start, merged.end, '{}');
          this.#visit(init['callee'] as Node, local);
        } else this.#visit(init, local);
        if (takesName(init)) {
          out.appendRight(init.start, `{${JSON.stringify(name)}: `);
          out.appendLeft(init.end, `}[${JSON.stringify(name)}]`);
        }
      } else if (node['kind'] === 'var') {
        out.update(id.start, id.end, `${this.#names.box(name)}.hoist()`);
      } else {
        out.update(id.start, id.end, `${target} = undefined`);
      }
    }
  }

  /** The left side of an assignment, or a binding pattern whose names are boxes. */
  assignmentTarget(node: Node, local: Local | undefined, initialising = false): void {
    const out = this.#out;
    switch (node.type) {
      case 'Identifier': {
        const name = node['name'] as string;
        if (this.#names.has(name, local)) {
          out.update(node.start, node.end, this.#names.target(name, initialising));
        }
        return;
      }
      case 'ObjectPattern':
        for (const property of node['properties'] as Node[]) {
          if (property.type === 'RestElement') {
            this.assignmentTarget(property['argument'] as Node, local, initialising);
            continue;
          }
          if (property['computed'] === true) this.#visit(property['key'] as Node, local);
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
        this.#visit(node['right'] as Node, local);
        return;
      case 'RestElement':
        this.assignmentTarget(node['argument'] as Node, local, initialising);
        return;
      default:
        this.#visit(node, local);
    }
  }

  /** A binding pattern of local names: only defaults and computed keys hold references. */
  localPattern(node: Node, local: Local | undefined): void {
    switch (node.type) {
      case 'Identifier':
        return;
      case 'ObjectPattern':
        for (const property of node['properties'] as Node[]) {
          if (property['computed'] === true) this.#visit(property['key'] as Node, local);
          this.localPattern((property['value'] ?? property['argument']) as Node, local);
        }
        return;
      case 'ArrayPattern':
        for (const element of node['elements'] as (Node | null)[]) {
          if (element !== null) this.localPattern(element, local);
        }
        return;
      case 'AssignmentPattern':
        this.localPattern(node['left'] as Node, local);
        this.#visit(node['right'] as Node, local);
        return;
      case 'RestElement':
        this.localPattern(node['argument'] as Node, local);
        return;
    }
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
