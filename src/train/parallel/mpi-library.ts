import koffi from 'koffi';
import { ConfigError } from '../../core/errors.ts';

/** An address in native memory. */
export type Pointer = bigint;

/** What is used of MPI, with the handles of Open MPI. Every function returns 0 for success. */
export interface MpiLibrary {
  /** e.g. `Open MPI v4.1.4`. */
  readonly version: string;
  readonly world: Pointer;
  readonly float: Pointer;
  readonly byte: Pointer;
  readonly plus: Pointer;
  init(argc: null, argv: null): number;
  rank(comm: Pointer, out: Int32Array): number;
  size(comm: Pointer, out: Int32Array): number;
  /** (send or IN_PLACE, receive, count, type, operation, communicator, request). */
  sum(...args: readonly unknown[]): number;
  /** (buffer, count, type, root, communicator, request). */
  broadcast(...args: readonly unknown[]): number;
  /** (request, flag, status or 0). */
  test(request: BigUint64Array, flag: Int32Array, status: Pointer): number;
  abort(comm: Pointer, code: number): number;
  finalize(): number;
}

/** Names of the library of Open MPI 4 and 5, then of others, which are recognised and refused. */
const NAMES: Readonly<Record<string, readonly string[]>> = {
  linux: ['libmpi.so.40', 'libmpi.so', 'libmpi.so.12', 'libmpich.so.12'],
  darwin: ['libmpi.40.dylib', 'libmpi.dylib', 'libmpich.dylib'],
};

const FUNCTIONS = {
  init: 'int MPI_Init(void *, void *)',
  rank: 'int MPI_Comm_rank(void *, void *)',
  size: 'int MPI_Comm_size(void *, void *)',
  sum: 'int MPI_Iallreduce(void *, void *, int, void *, void *, void *, void *)',
  broadcast: 'int MPI_Ibcast(void *, int, void *, int, void *, void *)',
  test: 'int MPI_Test(void *, void *, void *)',
  abort: 'int MPI_Abort(void *, int)',
  finalize: 'int MPI_Finalize()',
} as const;

/** Kept for good: koffi unloads a library that nothing holds on to. */
let loaded: MpiLibrary | undefined;
let library: ReturnType<typeof koffi.load>;

/**
 * Open MPI, from the library that `GIBBS_MPI` names or the system's. Nothing is started yet.
 * @throws ConfigError when there is none, or another MPI.
 */
export function mpiLibrary(named: string | undefined = process.env['GIBBS_MPI']): MpiLibrary {
  loaded ??= load(named ? [named] : (NAMES[process.platform] ?? []));
  return loaded;
}

function load(names: readonly string[]): MpiLibrary {
  for (const name of names) {
    try {
      // Open MPI's own modules look for its symbols among the global ones.
      library = koffi.load(name, { global: true });
      break;
    } catch {
      // The next may be there.
    }
  }
  if (library === undefined) {
    throw new ConfigError(
      `no MPI library found (looked for ${names.join(', ') || `none on ${process.platform}`}); install Open MPI (Debian: apt-get install openmpi-bin) or name its libmpi in GIBBS_MPI`,
    );
  }
  const version = versionOf(library);
  const symbol = (name: string): Pointer => {
    try {
      return koffi.address(library.symbol(name, 'void *')) as Pointer;
    } catch (error) {
      throw new ConfigError(
        `the MPI library found is ${version}, and Gibbs speaks to Open MPI only; use Open MPI's mpirun, or name its libmpi in GIBBS_MPI`,
        { cause: error },
      );
    }
  };
  const handles = {
    world: symbol('ompi_mpi_comm_world'),
    float: symbol('ompi_mpi_float'),
    byte: symbol('ompi_mpi_byte'),
    plus: symbol('ompi_mpi_op_sum'),
  };
  const functions = Object.entries(FUNCTIONS).map(([key, text]) => [key, library.func(text)]);
  return { version, ...handles, ...Object.fromEntries(functions) };
}

function versionOf(mpi: ReturnType<typeof koffi.load>): string {
  const text = new Uint8Array(8192);
  const length = new Int32Array(1);
  // V8 keeps small arrays in its own heap and moves them; asking for the buffer ends that.
  void length.buffer;
  try {
    mpi.func('int MPI_Get_library_version(void *, void *)')(text, length);
  } catch {
    return 'of an unknown kind';
  }
  const whole = Buffer.from(text.buffer, 0, length[0]).toString();
  return whole.split(/[,\n]/)[0].replace(/\0/g, '').trim();
}
