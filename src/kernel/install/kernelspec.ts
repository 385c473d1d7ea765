import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ConfigError, StoreError } from '../../core/errors.ts';
import { makeFolder } from '../../core/folders.ts';
import { gibbsVersion } from '../../core/versions.ts';
import { ownPackageRoot } from '../modules/resolve.ts';
import { programFile } from '../program.ts';
import { kernelDirs, sysPrefix, userDataDir } from './jupyter-paths.ts';
import { logoPng, logoSvg } from './logo.ts';

export interface InstallOptions {
  /** Name of the kernelspec; default `gibbs`. `tslab` makes notebooks written for tslab run here. */
  readonly name?: string;
  /** The name that menus show. */
  readonly displayName?: string;
  /** Installs below `PREFIX/share/jupyter`. */
  readonly prefix?: string;
  /** Installs into the active Python environment. */
  readonly sysPrefix?: boolean;
  /** Replaces a kernelspec of that name that another program installed. */
  readonly replace?: boolean;
}

/** A kernelspec of ours that was found. */
export interface InstalledKernel {
  readonly name: string;
  readonly displayName: string;
  readonly path: string;
  /** False when the program that it starts is gone. */
  readonly works: boolean;
}

interface KernelJson {
  readonly argv?: readonly string[];
  readonly display_name?: string;
  readonly metadata?: { readonly gibbs?: unknown };
}

export const DEFAULT_NAME = 'gibbs';

/** @throws ConfigError unless `name` is one that Jupyter accepts. */
export function checkKernelName(name: string): string {
  if (/^[A-Za-z0-9._-]+$/.test(name) && !/^\.+$/.test(name)) return name.toLowerCase();
  throw new ConfigError(
    `kernel: '${name}' is no name for a kernel; use letters, digits, '.', '_' and '-'`,
  );
}

/** The compiled kernel, as absolute path. @throws ConfigError when there is no build. */
export function kernelEntry(): string {
  if (!import.meta.url.endsWith('.ts')) return programFile('../main', import.meta.url);
  const built = join(ownPackageRoot() ?? '.', 'dist', 'kernel', 'main.cjs');
  if (existsSync(built)) return built;
  throw new ConfigError(`kernel: ${built} does not exist; run 'npm run build' first`);
}

function specFolder(options: InstallOptions): string {
  const name = checkKernelName(options.name ?? DEFAULT_NAME);
  if (options.prefix !== undefined && options.sysPrefix === true) {
    throw new ConfigError('kernel: give either --prefix or --sys-prefix, not both');
  }
  const prefix = options.sysPrefix === true ? sysPrefix() : options.prefix;
  const share = prefix === undefined ? userDataDir() : join(prefix, 'share', 'jupyter');
  return join(share, 'kernels', name);
}

/**
 * Writes the kernelspec by which Jupyter and VS Code find this kernel.
 * @returns its folder.
 * @throws ConfigError when a kernel of that name is not ours.
 * @throws StoreError when the folder cannot be written.
 */
export function installKernel(options: InstallOptions = {}): string {
  const folder = specFolder(options);
  if (existsSync(join(folder, 'kernel.json')) && !isOurs(folder) && options.replace !== true) {
    throw new ConfigError(
      `kernel install: ${folder} holds a kernel of another program; ` +
        'choose another --name, or give --replace',
    );
  }
  const name = options.name ?? DEFAULT_NAME;
  const spec = {
    argv: [process.execPath, kernelEntry(), '{connection_file}'],
    display_name:
      options.displayName ??
      (name === DEFAULT_NAME ? 'TypeScript (Gibbs)' : `TypeScript (${name})`),
    language: 'typescript',
    interrupt_mode: 'message',
    metadata: { debugger: false, gibbs: { version: gibbsVersion() } },
  };
  try {
    makeFolder(folder);
    writeFileSync(join(folder, 'kernel.json'), `${JSON.stringify(spec, undefined, 2)}\n`);
    writeFileSync(join(folder, 'logo-32x32.png'), logoPng(32));
    writeFileSync(join(folder, 'logo-64x64.png'), logoPng(64));
    writeFileSync(join(folder, 'logo-svg.svg'), logoSvg());
  } catch (error) {
    throw new StoreError(`kernel install: cannot write ${folder}: ${(error as Error).message}`, {
      cause: error,
    });
  }
  return folder;
}

/**
 * Removes a kernelspec of ours.
 * @returns its folder.
 * @throws ConfigError when there is none, or it is not ours.
 */
export function uninstallKernel(options: InstallOptions = {}): string {
  const folder = specFolder(options);
  if (!existsSync(folder)) {
    const known = listKernels().map(({ name, path }) => `${name} in ${path}`);
    const where = known.length === 0 ? 'none of ours is installed' : `ours: ${known.join('; ')}`;
    throw new ConfigError(`kernel uninstall: there is no ${folder} (${where})`);
  }
  if (!isOurs(folder)) {
    throw new ConfigError(`kernel uninstall: ${folder} holds a kernel of another program`);
  }
  rmSync(folder, { recursive: true });
  return folder;
}

/** The kernelspecs of ours in all folders that Jupyter searches. */
export function listKernels(): InstalledKernel[] {
  return kernelDirs().flatMap((dir) => {
    if (!existsSync(dir)) return [];
    return readdirSync(dir)
      .map((name) => ({ name, path: join(dir, name) }))
      .filter(({ path }) => isOurs(path))
      .map(({ name, path }) => {
        const spec = readSpec(path);
        const works = spec?.argv?.slice(0, 2).every((part) => existsSync(part)) === true;
        return { name, path, displayName: spec?.display_name ?? name, works };
      });
  });
}

function readSpec(folder: string): KernelJson | undefined {
  try {
    return JSON.parse(readFileSync(join(folder, 'kernel.json'), 'utf8')) as KernelJson;
  } catch {
    return undefined;
  }
}

function isOurs(folder: string): boolean {
  return readSpec(folder)?.metadata?.gibbs !== undefined;
}
