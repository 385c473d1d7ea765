import { fileURLToPath } from 'node:url';

/** The command that runs a TypeScript file of this folder in a Node of its own. */
export function typescriptCommand(file: URL): { command: string; args: string[] } {
  return { command: process.execPath, args: ['--import', 'tsx', fileURLToPath(file)] };
}
