import { createRequire } from 'node:module';
import type { Lowered } from '../cell/lower.ts';

type TypeScript = typeof import('typescript');

let compiler: TypeScript | undefined;

/**
 * Lowers one file with the TypeScript compiler. It takes 0.2 s to load, so only code that needs it
 * (decorators of the standard kind) comes here.
 */
export function lowerWithTypeScript(code: string, fileName: string): Lowered {
  compiler ??= createRequire(import.meta.url)('typescript') as TypeScript;
  const ts = compiler;
  const result = ts.transpileModule(code, {
    fileName,
    compilerOptions: {
      target: ts.ScriptTarget.ES2022,
      module: ts.ModuleKind.ESNext,
      verbatimModuleSyntax: true,
      sourceMap: true,
    },
  });
  const map = JSON.parse(result.sourceMapText ?? 'null') as { mappings: string } | null;
  return {
    code: result.outputText.replace(/\n\/\/# sourceMappingURL=.*$/, ''),
    mappings: map === null ? [] : [map.mappings],
  };
}
