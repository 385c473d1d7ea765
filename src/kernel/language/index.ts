export { isComplete } from './is-complete.ts';
export {
  createLanguageService,
  type DiagnosticsOptions,
  type LanguageService,
  type LanguageServiceOptions,
} from './language-service.ts';
export { lineAndColumn, toCodePoints, toUtf16Offset } from './offsets.ts';
export type { Completeness, Completions, CompletionType, Diagnostic } from './types.ts';
