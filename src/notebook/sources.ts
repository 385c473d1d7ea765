import { existsSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, relative, resolve, sep } from 'node:path';
import { type ModuleEdges, type ModuleUse, moduleEdges } from './imports.ts';

/**
 * The files a notebook's code loads, relative to `root` and sorted: its own relative imports, and for
 * `from 'gibbs'` the sources of the names it takes, each with everything that it imports in turn.
 * `root` is the folder with Gibbs' package.json; what lies outside it is not followed.
 */
export function reachedSources(codes: readonly string[], folder: string, root: string): string[] {
  const walk = new Walk(root);
  for (const code of codes) {
    for (const use of safeEdges(code).uses) walk.use(use, folder);
  }
  return [...walk.reached].map((file) => relative(root, file).split(sep).join('/')).sort();
}

/** A cell that does not parse loads nothing that is known. */
function safeEdges(code: string): ModuleEdges {
  try {
    return moduleEdges(code);
  } catch {
    return { uses: [], reExports: [] };
  }
}

class Walk {
  readonly reached = new Set<string>();
  readonly #edges = new Map<string, ModuleEdges>();
  readonly #entry: string;
  readonly #root: string;

  constructor(root: string) {
    this.#root = root;
    this.#entry = join(root, 'src/index.ts');
  }

  use({ specifier, names }: ModuleUse, folder: string): void {
    const file = this.#resolve(specifier, folder);
    if (file === undefined) return;
    if (file === this.#entry) this.#api(names);
    else this.#load(file);
  }

  /** The public index names many modules; only those behind `names` are loaded for a result. */
  #api(names: ModuleUse['names']): void {
    const { uses, reExports } = this.#edgesOf(this.#entry);
    const folder = dirname(this.#entry);
    for (const use of uses) this.use(use, folder);
    for (const { specifier, name, exported } of reExports) {
      if (names === 'all' || names.includes(exported)) {
        this.use({ specifier, names: [name] }, folder);
      }
    }
  }

  #load(file: string): void {
    if (this.reached.has(file)) return;
    this.reached.add(file);
    if (!/\.[cm]?[jt]sx?$/.test(file)) return;
    const { uses, reExports } = this.#edgesOf(file);
    for (const use of uses) this.use(use, dirname(file));
    for (const { specifier, name } of reExports) {
      this.use({ specifier, names: [name] }, dirname(file));
    }
  }

  #edgesOf(file: string): ModuleEdges {
    let edges = this.#edges.get(file);
    if (!edges) {
      edges = safeEdges(readFileSync(file, 'utf8'));
      this.#edges.set(file, edges);
    }
    return edges;
  }

  #resolve(specifier: string, folder: string): string | undefined {
    if (specifier === 'gibbs') return existsSync(this.#entry) ? this.#entry : undefined;
    if (!specifier.startsWith('.')) return undefined;
    const base = resolve(folder, specifier);
    if (!base.startsWith(this.#root + sep)) return undefined;
    const candidates = [
      base,
      base.replace(/\.([cm]?)js$/, '.$1ts'),
      `${base}.ts`,
      `${base}/index.ts`,
    ];
    return candidates.find((path) => statSync(path, { throwIfNoEntry: false })?.isFile());
  }
}
