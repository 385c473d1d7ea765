import type TypeScript from 'typescript';

type Ts = typeof TypeScript;

/**
 * `code` as TypeScript parses a module, so that `await` at the top level is the operator. Takes the
 * compiler as an argument: one caller loads it lazily, the other at once.
 */
export function parseCell(ts: Ts, code: string): TypeScript.SourceFile {
  return ts.createSourceFile(
    'cell.mts',
    code,
    {
      languageVersion: ts.ScriptTarget.Latest,
      impliedNodeFormat: ts.ModuleKind.ESNext,
      setExternalModuleIndicator: (file) => {
        (file as { externalModuleIndicator?: unknown }).externalModuleIndicator ??= true;
      },
    },
    true,
    ts.ScriptKind.TS,
  );
}

/** What the parser alone finds wrong, in order of position. */
export function parseErrors(
  source: TypeScript.SourceFile,
): readonly TypeScript.DiagnosticWithLocation[] {
  // Not in the public type, and the only way to the errors without building a program.
  return (
    (source as { parseDiagnostics?: readonly TypeScript.DiagnosticWithLocation[] })
      .parseDiagnostics ?? []
  );
}
