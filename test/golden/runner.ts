import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { StoreError } from '../../src/core/errors.ts';
import { type Comparison, describeTolerance, isCheck, shareOfTolerance } from './golden-case.ts';
import { GoldenFile } from './golden-file.ts';
import { caseFor, type Registry } from './registry.ts';

export interface Failure {
  readonly name: string;
  readonly share: number;
  readonly detail: string;
}

/** The outcome for one file or folder. */
export interface Row {
  readonly file: string;
  readonly status: 'ok' | 'MISMATCH' | 'CRASH' | 'not implemented yet';
  /** Comparisons made. */
  readonly compared: number;
  /** Reference outputs and gradients of the file that no comparison names, ignored ones left out. */
  readonly missing: readonly string[];
  /** The comparison nearest to, or furthest beyond, its tolerance. */
  readonly worst?: { readonly name: string; readonly share: number; readonly tolerance: string };
  readonly failures: readonly Failure[];
  /** The message of a crash. */
  readonly error?: string;
}

const REFERENCE = /^(out|grad|grad2):/;

/**
 * Runs every `*.safetensors` and every subfolder of `dir` in the order of their names; yields one
 * row each. A case that throws gives a row and does not stop the others.
 * @throws StoreError when `dir` is no readable folder or holds nothing of the kind.
 */
export async function* runFolder(
  dir: string,
  registry: Registry,
  only?: string,
): AsyncGenerator<Row> {
  const names = entries(dir, only);
  for (const { name, folder } of names) {
    const row = folder ? runSubfolder(dir, name, registry) : runFile(dir, name, registry);
    yield await row.catch((error: unknown) => crashed(name, error));
  }
}

function entries(dir: string, only: string | undefined) {
  let all: { name: string; folder: boolean }[];
  try {
    all = readdirSync(dir, { withFileTypes: true })
      .map((e) => ({ name: e.name, folder: e.isDirectory() }))
      .filter((e) => e.folder || e.name.endsWith('.safetensors'))
      .sort((a, b) => (a.name < b.name ? -1 : 1));
  } catch (error) {
    throw new StoreError(`cannot read the folder ${dir}`, { cause: error });
  }
  if (all.length === 0) throw new StoreError(`no .safetensors file in ${dir}`);
  const chosen = only === undefined ? all : all.filter((e) => matches(e.name, only));
  if (chosen.length === 0) throw new StoreError(`no file in ${dir} matches --only ${only}`);
  return chosen;
}

/** A part of the name, or a pattern with `*`. */
function matches(name: string, only: string): boolean {
  const parts = only.split('*').map((p) => p.replace(/[.+?^${}()|[\]\\]/g, '\\$&'));
  return new RegExp(parts.length === 1 ? parts[0] : `^${parts.join('.*')}`).test(name);
}

async function runFile(dir: string, name: string, registry: Registry): Promise<Row> {
  const file = new GoldenFile(join(dir, name));
  const golden = caseFor(registry, file.name);
  if (golden === undefined) return notImplemented(name);
  const comparisons = await golden.run(file);
  const named = new Set(comparisons.map((c) => c.name.replace(/^(out|grad|grad2_?)64:/, bare)));
  const missing = file
    .names()
    .filter(
      (n) => REFERENCE.test(n) && !file.ignored(n) && !named.has(n) && !golden.given?.test(n),
    );
  return judge(name, comparisons, missing);
}

function bare(_: string, kind: string): string {
  return `${kind.replace('_', '')}:`;
}

async function runSubfolder(dir: string, name: string, registry: Registry): Promise<Row> {
  const golden = registry.folders.find((f) => f.folder === name);
  if (golden === undefined) return notImplemented(`${name}/`);
  return judge(`${name}/`, await golden.run(join(dir, name)), []);
}

function judge(file: string, comparisons: readonly Comparison[], missing: string[]): Row {
  let worst: Row['worst'];
  const failures: Failure[] = [];
  for (const c of comparisons) {
    const share = shareOfTolerance(c);
    if (worst === undefined || share > worst.share) {
      worst = { name: c.name, share, tolerance: describeTolerance(c) };
    }
    if (!(share <= 1)) failures.push({ name: c.name, share, detail: detail(c) });
  }
  // A case that compares nothing proves nothing.
  const status = failures.length > 0 || comparisons.length === 0 ? 'MISMATCH' : 'ok';
  return { file, status, compared: comparisons.length, missing, worst, failures };
}

function detail(c: Comparison): string {
  if (isCheck(c)) return c.detail ?? 'check failed';
  const length = (v: ArrayLike<number> | number) => (typeof v === 'number' ? 1 : v.length);
  const [a, b] = [length(c.actual), length(c.expected)];
  if (a !== b) return `${a} elements, expected ${b}`;
  const first = (v: ArrayLike<number> | number) => (typeof v === 'number' ? v : v[0]);
  return a === 1 ? `got ${first(c.actual)}, expected ${first(c.expected)}` : describeTolerance(c);
}

function notImplemented(file: string): Row {
  return { file, status: 'not implemented yet', compared: 0, missing: [], failures: [] };
}

function crashed(file: string, error: unknown): Row {
  const message = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  return { file, status: 'CRASH', compared: 0, missing: [], failures: [], error: message };
}
