import ts from 'typescript';
import { type Binding, identifiers, topLevelBindings } from './bindings.ts';
import { type Cancellation, type CellHost, createCellHost } from './host.ts';
import { parseCell } from './parse.ts';
import { PREDEFINED_NAMES, predefinedDeclarations, tslabDeclarations } from './predefined.ts';
import { loadProject, type Project } from './project.ts';
import type { ExecutedCell } from './types.ts';

/** A name that executed cells have left behind, and where it came from. */
export interface SessionBinding extends Binding {
  readonly cell: ExecutedCell;
  /** The module that exports it, e.g. `gibbs-cell-12`. */
  readonly module: string;
}

/** The cell under question as a document of the language service. */
export interface OpenCell {
  readonly code: string;
  readonly source: ts.SourceFile;
  /** Its path; positions below `code.length` are positions in the cell. */
  readonly path: string;
  readonly bindings: ReadonlyMap<string, Binding>;
}

const CURRENT = 'gibbs-cell';
const CELL_MODULE = /(gibbs-cell-\d+)(?:\.d)?\.mts$/;
/** Kept cells between two looks for those that nothing needs any more. */
const SWEEP = 50;
/** The module of the names that the kernel itself provides. */
const PREDEFINED = 'gibbs-predefined';

/**
 * All executed cells, and the one under question, over one language service.
 *
 * The cell under question is the only document: its own text first, so that no position needs
 * mapping, then what it needs of earlier cells. Every executed cell that declares something is kept
 * as a module of declarations (its source, where types cannot be written down), and a document
 * imports only the names it mentions. So the cost of a check depends on what a cell uses and not on
 * how many cells went before, and no inference is repeated along a chain of cells.
 */
export class LanguageSession {
  readonly service: ts.LanguageService;
  readonly project: Project;
  readonly #host: CellHost;
  readonly #names = new Map<string, SessionBinding>();
  readonly #cells = new Map<string, ExecutedCell>();
  #open: OpenCell | undefined;
  #version = 0;
  /** Modules made so far. */
  #modules = 0;
  #nextSweep = SWEEP;

  constructor(cwd: string, cancellation: Cancellation) {
    this.project = loadProject(cwd);
    this.#host = createCellHost(cwd, this.project, [`${CURRENT}.mts`], cancellation);
    const registry = ts.createDocumentRegistry(ts.sys.useCaseSensitiveFileNames, cwd);
    // A package that one cell imports and the next does not must not be parsed again for the third.
    const keeping: ts.DocumentRegistry = {
      ...registry,
      releaseDocument() {},
      releaseDocumentWithKey(path: ts.Path, key, kind?: ts.ScriptKind, format?: ts.ResolutionMode) {
        if (!CELL_MODULE.test(path)) return;
        registry.releaseDocumentWithKey(path, key, kind ?? ts.ScriptKind.TS, format);
      },
    };
    this.service = ts.createLanguageService(this.#host, keeping);
    this.reset();
  }

  /** Forgets every executed cell. */
  reset(): void {
    this.#names.clear();
    this.#cells.clear();
    this.#nextSweep = SWEEP;
    this.#host.clear();
    this.#host.write('gibbs-tslab.d.mts', tslabDeclarations());
    this.#host.write(`${PREDEFINED}.d.mts`, predefinedDeclarations());
    for (const [name, kind] of PREDEFINED_NAMES) {
      const cell = { cellId: '', code: '', executionCount: 0 };
      const binding = { name, kind, form: 'fixed', exported: true } as const;
      this.#names.set(name, { ...binding, cell, module: PREDEFINED });
    }
    this.#version++;
    this.#open = undefined;
    this.open('');
  }

  /** Makes `code` the document that questions are asked about. */
  open(code: string): OpenCell {
    this.version();
    if (this.#open?.code === code) return this.#open;
    const source = parseCell(ts, code);
    const bindings = topLevelBindings(source);
    const text = `${code}\n;${this.#outerNames(source, bindings)}${exportsOf(bindings)}\n`;
    this.#host.write(`${CURRENT}.mts`, text);
    this.#open = { code, source, bindings, path: this.#host.path(`${CURRENT}.mts`) };
    return this.#open;
  }

  /** A number that changes with what the type checker may know of earlier cells and their files. */
  version(): number {
    if (this.#host.refresh()) this.#version++;
    return this.#version;
  }

  /** Keeps what `cell` declares for later cells. */
  record(cell: ExecutedCell): void {
    const open = this.open(cell.code);
    if (open.bindings.size === 0) return;
    this.#version++;
    const declares = [...open.bindings.values()].some((b) => b.form !== 'import');
    const module = declares ? this.#keep(open, cell) : '';
    for (const binding of open.bindings.values()) {
      this.#names.delete(binding.name);
      this.#names.set(binding.name, { ...binding, cell, module });
    }
    this.#open = undefined;
    if (this.#cells.size >= this.#nextSweep) this.#sweep();
  }

  /** Forgets the cells whose every name has been declared again since. */
  #sweep(): void {
    const needed = new Set<string>();
    const need = (module: string): void => {
      if (needed.has(module) || !this.#cells.has(module)) return;
      needed.add(module);
      for (const [, other] of this.#textOf(module).matchAll(/\.\/(gibbs-cell-\d+)\.mjs/g)) {
        need(other);
      }
    };
    for (const { module } of this.#names.values()) need(module);
    for (const module of this.#cells.keys()) {
      if (needed.has(module)) continue;
      this.#cells.delete(module);
      for (const file of filesOf(module)) this.#host.remove(file);
    }
    this.#nextSweep = 2 * needed.size + SWEEP;
  }

  #textOf(module: string): string {
    const texts = filesOf(module).map((file) => this.#host.text(this.#host.path(file)));
    return texts.find((text) => text !== undefined) ?? '';
  }

  /** The name as executed cells left it. */
  binding(name: string): SessionBinding | undefined {
    return this.#names.get(name);
  }

  /** All names, the latest last. */
  bindings(): Iterable<SessionBinding> {
    return this.#names.values();
  }

  /** The executed cell kept as `path`, if it is one. */
  cellOf(path: string): ExecutedCell | undefined {
    const stem = CELL_MODULE.exec(path)?.[1];
    return stem === undefined ? undefined : this.#cells.get(stem);
  }

  #keep(open: OpenCell, cell: ExecutedCell): string {
    const module = `${CURRENT}-${++this.#modules}`;
    const declarations = this.#declarations(open);
    if (declarations !== undefined) this.#host.write(`${module}.d.mts`, declarations);
    else this.#host.write(`${module}.mts`, this.#host.text(open.path) ?? '');
    this.#cells.set(module, cell);
    return module;
  }

  /** The cell as a declaration file; undefined where a type of it has no name to write. */
  #declarations(open: OpenCell): string | undefined {
    const output = this.service.getEmitOutput(open.path, true, true) as ts.EmitOutput & {
      readonly diagnostics?: readonly ts.Diagnostic[];
    };
    if ((output.diagnostics?.length ?? 0) > 0) return undefined;
    return output.outputFiles.find((f) => f.name.endsWith('.d.mts'))?.text;
  }

  #outerNames(source: ts.SourceFile, own: ReadonlyMap<string, Binding>): string {
    let text = '';
    for (const name of identifiers(source)) {
      const binding = this.#names.get(name);
      if (!binding || own.has(name)) continue;
      if (binding.form === 'import') text += binding.statement;
      else if (binding.form === 'fixed')
        text += `import { ${name} } from './${binding.module}.mjs';`;
      else
        text += `\n${binding.comment ?? ''}declare let ${name}: typeof import('./${binding.module}.mjs').${name};`;
    }
    return text;
  }
}

/** What a module may lie in: its declarations, or its source. */
function filesOf(module: string): string[] {
  return [`${module}.d.mts`, `${module}.mts`];
}

/** The empty export makes a module of a cell that declares nothing. */
function exportsOf(bindings: ReadonlyMap<string, Binding>): string {
  const names = [...bindings.values()].filter((b) => b.form !== 'import' && !b.exported);
  return `export { ${names.map((b) => b.name).join(', ')} };`;
}
