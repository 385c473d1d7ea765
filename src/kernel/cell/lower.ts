import { parseSync, transformSync } from 'rolldown/utils';
import type { Mappings } from './source-position.ts';
import type { Node } from './syntax.ts';

/** What of a tsconfig.json changes how TypeScript is lowered. */
export interface LoweringOptions {
  /** Name shown in errors, e.g. `Cell [3]` or a path. */
  readonly fileName: string;
  readonly experimentalDecorators?: boolean;
  readonly emitDecoratorMetadata?: boolean;
  readonly useDefineForClassFields?: boolean;
  readonly jsx?: {
    readonly runtime: 'automatic' | 'classic';
    readonly importSource?: string;
    readonly pragma?: string;
    readonly pragmaFrag?: string;
  };
  /** A file rather than a cell: nothing outside it uses its imports. */
  readonly module?: boolean;
  /** `verbatimModuleSyntax`: imports of types without `type` stay. */
  readonly verbatim?: boolean;
  /** Lowers with the TypeScript compiler: the only one here that knows standard decorators. */
  readonly typescriptCompiler?: (code: string, fileName: string) => Lowered;
}

export interface Lowered {
  readonly code: string;
  /** Of the source map from `code` to the input. */
  readonly mappings: Mappings;
  /** `using` stands at the top level: everything lies in one try statement. */
  readonly usesTopLevel?: boolean;
}

/** TypeScript (or JavaScript) to JavaScript that Node runs, syntax only: nothing is checked. */
export function lowerTypeScript(code: string, options: LoweringOptions): Lowered {
  const tsx = /\.[jt]sx$/.test(options.fileName);
  const standardDecorators =
    options.experimentalDecorators !== true && /(^|[^\w.'"`])@[\w(]/m.test(code);
  const { enums, using } = options.module ? { enums: '', using: false } : topLevel(code);
  const result = transformSync(options.fileName, code + enums, {
    lang: tsx ? 'tsx' : 'ts',
    sourceType: 'module',
    sourcemap: true,
    target: 'es2022',
    tsconfig: false,
    helpers: { mode: 'External' },
    // What this cell does not use, the next one may.
    typescript: { onlyRemoveTypeImports: options.module !== true || options.verbatim === true },
    ...(options.useDefineForClassFields === false && {
      assumptions: { setPublicClassFields: true },
    }),
    ...(options.experimentalDecorators === true && {
      decorator: { legacy: true, emitDecoratorMetadata: options.emitDecoratorMetadata === true },
    }),
    ...(options.jsx !== undefined && { jsx: options.jsx }),
  });
  const error = result.errors[0] as
    | { message: string; loc?: { line: number; column: number } }
    | undefined;
  if (error !== undefined) throw syntaxError(code, error, options.fileName);
  if (standardDecorators && options.typescriptCompiler && /@[\w(]/.test(result.code)) {
    return options.typescriptCompiler(code, options.fileName);
  }
  const mappings = result.map ? [result.map.mappings] : [];
  return { code: result.code, mappings, usesTopLevel: using };
}

/** What of the top level of a cell the transform loses. */
function topLevel(code: string): { enums: string; using: boolean } {
  if (!/\b(enum|using)\b/.test(code)) return { enums: '', using: false };
  const program = parseSync('cell.ts', code, { lang: 'ts', sourceType: 'module' }).program;
  const body = program.body as unknown as Node[];
  // Unless an enum is exported, its members are inlined and it goes; a later cell may use it.
  const names = body
    .filter((node) => node.type === 'TSEnumDeclaration' && node['declare'] !== true)
    .map((node) => (node['id'] as Node)['name']);
  return {
    enums: names.length === 0 ? '' : `\n;export { ${names.join(', ')} };`,
    using: body.some((node) => String(node['kind']).endsWith('using')),
  };
}

/** A SyntaxError as Node prints one, with the line and a caret under it. */
function syntaxError(
  code: string,
  error: { message: string; loc?: { line: number; column: number } },
  fileName: string,
): SyntaxError {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the parser colours its messages.
  const plain = error.message.replace(/\x1b\[[\d;]*m/g, '');
  const message = plain.split('\n')[0].replace(/^\[\w+\]\s*/, '');
  const result = new SyntaxError(message);
  if (error.loc === undefined) {
    result.stack = `SyntaxError: ${message}\n    at ${fileName}`;
    return result;
  }
  const { line, column } = error.loc;
  const text = code.split('\n')[line - 1] ?? '';
  result.stack =
    `SyntaxError: ${message}\n    at ${fileName}:${line}:${column + 1}\n\n` +
    `${text}\n${' '.repeat(column)}^`;
  return result;
}
