import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { fontFiles } from '../../core/font-files.ts';

/** A file of the page. */
export interface Asset {
  readonly type: string;
  readonly body: Buffer;
}

const PAGE = fileURLToPath(new URL('./page/', import.meta.url));
const TYPES: Readonly<Record<string, string>> = {
  html: 'text/html; charset=utf-8',
  css: 'text/css; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
  svg: 'image/svg+xml',
};

/**
 * A file of the page by its address: `''` is the document, `font-400.ttf` and `font-600.ttf` the
 * font of the figures. In a checkout that was not built the scripts are still TypeScript, and their
 * types are taken out here.
 * @returns undefined where there is none.
 */
export async function asset(path: string): Promise<Asset | undefined> {
  const name = path === '' ? 'index.html' : path;
  const font = /^font-(400|600)\.ttf$/.exec(name);
  if (font) {
    const file = fontFiles().find((candidate) => candidate.includes(`_${font[1]}`));
    return file === undefined ? undefined : { type: 'font/ttf', body: readFileSync(file) };
  }
  const extension = /^[a-z0-9-]+\.(html|css|js|svg)$/.exec(name)?.[1];
  if (extension === undefined) return undefined;
  const type = TYPES[extension];
  const file = join(PAGE, name);
  if (existsSync(file)) return { type, body: readFileSync(file) };
  const source = file.replace(/\.js$/, '.ts');
  return existsSync(source) ? { type, body: await withoutTypes(source) } : undefined;
}

async function withoutTypes(file: string): Promise<Buffer> {
  const { default: ts } = await import('typescript');
  const { outputText } = ts.transpileModule(readFileSync(file, 'utf8'), {
    compilerOptions: {
      target: ts.ScriptTarget.ES2023,
      module: ts.ModuleKind.ES2022,
      verbatimModuleSyntax: true,
      rewriteRelativeImportExtensions: true,
    },
  });
  return Buffer.from(outputText);
}
