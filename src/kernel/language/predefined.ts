import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The names that a cell has without declaring or importing them, beside Node's own. */
export const PREDEFINED_NAMES: readonly (readonly [name: string, kind: string])[] = [
  ['display', 'function'],
  ['comms', 'const'],
  ['prompt', 'function'],
  ['password', 'function'],
  ['readline', 'function'],
];

/** Folder of the kernel's modules, whose types these declarations take over. */
const kernel = dirname(dirname(fileURLToPath(import.meta.url))).replaceAll('\\', '/');

/** The module that declares {@link PREDEFINED_NAMES}. */
export function predefinedDeclarations(): string {
  return `
import type { Display } from ${JSON.stringify(`${kernel}/display/display.js`)};
import type { CommManager } from ${JSON.stringify(`${kernel}/user/comms.js`)};
/** Shows any value in the output of the cell; its helpers show kinds of output. */
export declare const display: Display;
/** Two-way channels to objects of the front end, such as widgets. */
export declare const comms: CommManager;
/** Asks the user for a line and waits for it. */
export declare function prompt(text?: string): string;
/** Asks the user for a line that is not shown as it is typed, and waits for it. */
export declare function password(text?: string): string;
/** Asks the user for a line while other code runs. */
export declare function readline(text?: string): Promise<string>;
`;
}

/** The types of `import * as tslab from 'tslab'`: what notebooks written for tslab may call. */
export function tslabDeclarations(): string {
  return `
import type { TslabDisplay } from ${JSON.stringify(`${kernel}/display/tslab.js`)};
export declare const display: TslabDisplay;
/** A display whose output is replaced by its next call. */
export declare function newDisplay(): TslabDisplay;
declare const tslab: { display: TslabDisplay; newDisplay: typeof newDisplay };
export default tslab;
`;
}
