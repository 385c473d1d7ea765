import type { Diagnostic } from '../language/types.ts';
import type { Content } from './message.ts';

export type TypesMode = 'warn' | 'block' | 'off';

/** The mode of a cell: its directive `// @gibbs types=off`, else the environment, else `warn`. */
export function typesMode(code: string): TypesMode {
  const directive = /^\s*\/\/\s*@gibbs\b.*\btypes=(warn|block|off)\b/m.exec(code)?.[1];
  const mode = directive ?? process.env['GIBBS_KERNEL_TYPES'];
  return mode === 'block' || mode === 'off' ? mode : 'warn';
}

/** Diagnostics as lines of text. */
export function diagnosticsText(cell: string, diagnostics: readonly Diagnostic[]): string {
  return diagnostics
    .map((d) => `${cell}:${d.line}:${d.column} - ${d.category} TS${d.code}: ${d.message}\n`)
    .join('');
}

/** The language as `kernel_info` describes it; Lab highlights by these. */
export const LANGUAGE_INFO: Content = {
  name: 'typescript',
  version: '6.0.3',
  mimetype: 'text/typescript',
  file_extension: '.ts',
  pygments_lexer: 'typescript',
  codemirror_mode: { name: 'javascript', typescript: true },
  nbconvert_exporter: 'script',
};
