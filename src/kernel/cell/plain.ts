import { parseSync } from 'rolldown/utils';
import { eachChild, type Node } from './syntax.ts';

/** Longer cells seldom are expressions only, and lowering them takes long anyway. */
const LONGEST = 500;

/** What only other cells hold: the attempt would be in vain. */
const OTHER = /=>|@|\b(?:const|let|var|function|class|import|export|for|if|while|return|as)\b/;

/** Nodes of expressions that mean the same in TypeScript and in JavaScript of every version. */
const PLAIN = new Set([
  ...['Program', 'ExpressionStatement', 'EmptyStatement', 'Identifier', 'Literal'],
  ...['MemberExpression', 'CallExpression', 'NewExpression', 'ChainExpression'],
  ...['BinaryExpression', 'LogicalExpression', 'UnaryExpression', 'UpdateExpression'],
  ...['AssignmentExpression', 'ConditionalExpression', 'SequenceExpression', 'AwaitExpression'],
  ...['ArrayExpression', 'ObjectExpression', 'Property', 'SpreadElement'],
  ...['TemplateLiteral', 'TemplateElement'],
]);

/**
 * The syntax tree of a cell that consists of plain expressions, as most short cells do: such a cell
 * needs no lowering. Undefined for every other cell and for one whose syntax is wrong.
 */
export function plainProgram(code: string, fileName: string): Node | undefined {
  if (code.length > LONGEST || OTHER.test(code)) return undefined;
  const parsed = parseSync(fileName, code, {
    lang: 'ts',
    sourceType: 'module',
    preserveParens: false,
    showSemanticErrors: true,
  });
  if (parsed.errors.length > 0) return undefined;
  const program = parsed.program as unknown as Node;
  return isPlain(program) ? program : undefined;
}

function isPlain(node: Node): boolean {
  if (!PLAIN.has(node.type)) return false;
  let plain = true;
  eachChild(node, (child) => {
    plain &&= isPlain(child);
  });
  return plain;
}
