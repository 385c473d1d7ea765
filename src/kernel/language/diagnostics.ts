import ts from 'typescript';
import { lineAndColumn } from './offsets.ts';
import { parseErrors } from './parse.ts';
import { flatten } from './project.ts';
import type { LanguageSession, OpenCell } from './session.ts';
import type { Diagnostic } from './types.ts';

/** True of a file of a project, noise in a cell, which the kernel runs all the same. */
const NOISE = new Set([
  1543, // a JSON import without an attribute: the kernel adds it
  2834, // a relative import without a file extension
  2835,
  7016, // a package without types: nothing to be done about it here
  7044, // suggestions about types that could be inferred
]);

/** "is possibly null or undefined": 2531–2533 of a value, 18047–18049 of a name. */
const POSSIBLY_NOTHING = new Set([2531, 2532, 2533, 18047, 18048, 18049]);
const ASSIGNMENT_TO_IMPORT = 2632;

/**
 * What is wrong with the open cell, by position. With syntax errors those alone: the rest would
 * follow from them.
 */
export function diagnose(session: LanguageSession, cell: OpenCell): Diagnostic[] {
  const syntax = parseErrors(cell.source);
  if (syntax.length > 0) return syntax.map((d) => report(cell, d, flatten(d)));
  return session.service
    .getSemanticDiagnostics(cell.path)
    .filter((d) => d.category === ts.DiagnosticCategory.Error && concerns(session, cell, d))
    .map((d) => report(cell, d, wording(cell, d)))
    .sort((a, b) => a.start - b.start);
}

function concerns(session: LanguageSession, cell: OpenCell, d: ts.Diagnostic): boolean {
  if (NOISE.has(d.code)) return false;
  // Past the cell's text lies what was added of earlier cells; errors there were theirs.
  const start = d.start ?? 0;
  if (start >= cell.code.length) return false;
  if (!POSSIBLY_NOTHING.has(d.code)) return true;
  // Another cell has assigned to it in between; which, only the run knows.
  const subject = cell.code.slice(start, start + (d.length ?? 0));
  return session.binding(subject)?.form !== 'variable' || cell.bindings.has(subject);
}

function report(cell: OpenCell, d: ts.Diagnostic, message: string): Diagnostic {
  const limit = cell.code.length;
  const start = Math.min(d.start ?? 0, limit);
  const end = Math.min(start + (d.length ?? 0), limit);
  return {
    code: d.code,
    category: d.category === ts.DiagnosticCategory.Error ? 'error' : 'warning',
    message,
    start,
    end,
    ...lineAndColumn(cell.code, start),
  };
}

function wording(cell: OpenCell, d: ts.Diagnostic): string {
  if (d.code === ASSIGNMENT_TO_IMPORT) {
    const name = cell.code.slice(d.start ?? 0, (d.start ?? 0) + (d.length ?? 0));
    return `Cannot assign to '${name}' because it is a constant.`;
  }
  return withoutModules(flatten(d));
}

/** `import("…/gibbs-cell-3").Model` is `Model` to whoever wrote the cell. */
export function withoutModules(text: string): string {
  return text.replace(/(?:typeof )?import\("[^"]*gibbs-(?:cell|predefined|tslab)[^"]*"\)\.?/g, '');
}
