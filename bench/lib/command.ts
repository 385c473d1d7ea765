import { fileURLToPath } from 'node:url';

/** The command that runs a TypeScript file of this folder in a Node of its own. */
export function typescriptCommand(file: URL): { command: string; args: string[] } {
  return { command: process.execPath, args: ['--import', 'tsx', fileURLToPath(file)] };
}

/**
 * What makes a contestant serve rounds. 100 iterations before the first: V8 and torch.compile keep
 * getting faster for about that long.
 */
export function serveArgs(threads: number, warmup = 100): string[] {
  return ['--serve', '--threads', String(threads), '--warmup', String(warmup)];
}
