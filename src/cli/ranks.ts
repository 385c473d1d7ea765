import { ConfigError, InterruptedError, ParallelError, unknownName } from '../core/errors.ts';
import { type Job, jobOf } from '../train/parallel/job.ts';
import type { Ranks } from '../train/parallel/ranks.ts';
import type { Option } from './command.ts';

export const RANKS_OPTION: Option = {
  type: 'string',
  value: 'mpi',
  help: 'train together with the other processes of an MPI job (default: when started by mpirun)',
};

/** What a Slurm with PMIx, or an older PMI, puts into the environment. Without, MPI_Init aborts. */
const CONNECTIONS = ['PMIX_NAMESPACE', 'PMI_FD', 'PMI_RANK'];

/**
 * Calls `fn` with the processes of the job that this one was started in, or with nothing when it is
 * alone.
 * @param asked the value of `--ranks`.
 * @returns nothing on a rank whose part was done before the end.
 * @throws ConfigError when the job is none of Open MPI's.
 */
export async function withRanks<T>(
  asked: string | undefined,
  signal: AbortSignal,
  fn: (ranks: Ranks | undefined) => Promise<T>,
): Promise<T | undefined> {
  if (asked !== undefined && asked !== 'mpi') throw unknownName('kind of ranks', asked, ['mpi']);
  const job = jobOf();
  if (!job && asked === undefined) return fn(undefined);
  const { MpiRanks } = await import('../train/parallel/mpi.ts');
  const { agreedError, isAgreed, RankDone } = await import('../train/parallel/ranks.ts');
  if (job?.starter === 'srun' && !CONNECTIONS.some((name) => name in process.env)) {
    throw agreedError(
      new ConfigError(
        `srun started ${job.size} processes and gave them no way to find each other; start them by srun --mpi=pmix where Slurm has it ('srun --mpi=list'), or by mpirun`,
      ),
    );
  }
  const ranks = MpiRanks.join(signal);
  try {
    checkSize(job, ranks);
    const result = await fn(ranks);
    ranks.finish();
    return result;
  } catch (error) {
    // After it was said what went wrong: leaving together waits for an `mpirun` that, once it ends
    // the job, answers no more and kills; and where the others would wait in vain, nobody waits.
    process.once('exit', (code) => (isAgreed(error) ? ranks.finish() : ranks.abort(code)));
    if (error instanceof RankDone) return undefined;
    throw error;
  }
}

function checkSize(job: Job | undefined, ranks: Ranks & { readonly version: string }): void {
  if (!job || job.size === ranks.size) return;
  throw new ConfigError(
    `${job.starter} started ${job.size} processes, but ${ranks.version} sees ${ranks.size}; start them by Open MPI's own mpirun, or by srun --mpi=pmix where Slurm has it`,
  );
}

/** @throws ConfigError when a command that works alone was started as several processes. */
export function refuseJob(command: string): void {
  const job = jobOf();
  if (!job) return;
  throw new ConfigError(
    `'gibbs ${command}' works in one process, and ${job.starter} started ${job.size}; of all commands 'run' alone takes several`,
  );
}

/** Time for rank 0 to say what is wrong everywhere; then the job is ended, this process too. */
const FIRST_WORD_MS = 10_000;

/**
 * What this process has to say of an error: nothing where rank 0 says it, its number before what
 * seems to be wrong here alone.
 */
export async function spokenFor(error: unknown): Promise<{ silent: boolean; prefix: string }> {
  const job = jobOf();
  if (!job || job.rank === 0) return { silent: false, prefix: '' };
  const { isAgreed } = await import('../train/parallel/ranks.ts');
  if (isAgreed(error) || error instanceof ParallelError || error instanceof InterruptedError) {
    return { silent: true, prefix: '' };
  }
  await new Promise((done) => setTimeout(done, FIRST_WORD_MS));
  return { silent: false, prefix: `rank ${job.rank}: ` };
}
