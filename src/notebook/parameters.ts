import type TypeScript from 'typescript';
import { ConfigError, unknownName } from '../core/errors.ts';
import { compiler } from '../kernel/language/compiler.ts';
import { parseCell } from '../kernel/language/parse.ts';
import { type CodeCell, type Json, type Notebook, tagsOf } from './document.ts';
import { INJECTED_TAG } from './normalise.ts';

/** Values for the names that the cell tagged `parameters` declares. */
export type Parameters = Readonly<Record<string, Json>>;

interface Declared {
  readonly name: string;
  readonly constant: boolean;
  /** The type of its default, where that is a literal. */
  readonly type: 'number' | 'string' | 'boolean' | undefined;
  readonly default: string;
  /** As declared, e.g. `Preset`. */
  readonly annotation: string | undefined;
}

/**
 * Reads `name=value` words: the value is JSON, or else the text itself (`preset=smoke`).
 * @throws ConfigError for a word without `=` or a name that is none.
 */
export function parseSettings(words: readonly string[]): Parameters {
  const values: Record<string, Json> = {};
  for (const word of words) {
    const [, name, text] = /^([\p{ID_Start}$_][\p{ID_Continue}$]*)=(.*)$/su.exec(word) ?? [];
    if (name === undefined || text === undefined) {
      throw new ConfigError(`notebook run --set: expected name=value, got '${word}'`);
    }
    values[name] = jsonOrText(text);
  }
  return values;
}

function jsonOrText(text: string): Json {
  try {
    return JSON.parse(text) as Json;
  } catch {
    return text;
  }
}

/**
 * The notebook with a cell after its `parameters` cell that gives the names other values, as
 * papermill does; one from an earlier run is replaced.
 * @throws ConfigError when no cell has the tag, a name is not declared there, or a value is of
 * another type than the default.
 */
export function injectParameters(notebook: Notebook, values: Parameters, path: string): Notebook {
  const cells = notebook.cells.filter((cell) => !tagsOf(cell).includes(INJECTED_TAG));
  const at = cells.findIndex((c) => c.cell_type === 'code' && tagsOf(c).includes('parameters'));
  if (at < 0) {
    throw new ConfigError(
      `notebook run --set: ${path} has no code cell tagged 'parameters'; ` +
        'tag the one that declares them (in JupyterLab: property inspector, Cell tags)',
    );
  }
  const declared = declarations(cells[at].source);
  const lines = Object.entries(values).map(([name, value]) => {
    const known = declared.find((d) => d.name === name);
    if (!known)
      throw unknownName(
        'parameter',
        name,
        declared.map((d) => d.name),
      );
    if (known.type !== undefined && typeof value !== known.type) {
      throw new ConfigError(
        `notebook run --set: ${name} is a ${known.type} (${known.default} by default), ` +
          `got ${JSON.stringify(value)}`,
      );
    }
    const json = JSON.stringify(value);
    if (!known.constant) return `${name} = ${json};`;
    // Without a type the constant would have this value for its type, and comparing it with
    // another would be an error.
    const type = known.annotation ?? known.type;
    return `const ${name}${type === undefined ? '' : `: ${type}`} = ${json};`;
  });
  const injected: CodeCell = {
    cell_type: 'code',
    id: INJECTED_TAG,
    metadata: { tags: [INJECTED_TAG] },
    source: `// Parameters of this run\n${lines.join('\n')}`,
    execution_count: null,
    outputs: [],
  };
  return { ...notebook, cells: [...cells.slice(0, at + 1), injected, ...cells.slice(at + 1)] };
}

function declarations(source: string): Declared[] {
  const ts = compiler();
  const found: Declared[] = [];
  for (const statement of parseCell(ts, source).statements) {
    if (!ts.isVariableStatement(statement)) continue;
    const constant = (statement.declarationList.flags & ts.NodeFlags.Const) !== 0;
    for (const { name, initializer, type } of statement.declarationList.declarations) {
      if (!ts.isIdentifier(name)) continue;
      const text = initializer?.getText() ?? 'undefined';
      found.push({
        name: name.text,
        constant,
        type: literalType(ts, initializer),
        default: text,
        annotation: type?.getText(),
      });
    }
  }
  return found;
}

function literalType(
  ts: typeof TypeScript,
  initializer: TypeScript.Expression | undefined,
): Declared['type'] {
  if (!initializer) return undefined;
  if (ts.isAsExpression(initializer) || ts.isSatisfiesExpression(initializer)) {
    return literalType(ts, initializer.expression);
  }
  if (ts.isPrefixUnaryExpression(initializer)) return literalType(ts, initializer.operand);
  if (ts.isNumericLiteral(initializer)) return 'number';
  if (ts.isStringLiteralLike(initializer)) return 'string';
  const { kind } = initializer;
  if (kind === ts.SyntaxKind.TrueKeyword || kind === ts.SyntaxKind.FalseKeyword) return 'boolean';
  return undefined;
}
