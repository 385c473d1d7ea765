/** The job that a process belongs to, as the program that started it says. */
export interface Job {
  readonly rank: number;
  readonly size: number;
  /** Who started it, e.g. `mpirun`. */
  readonly starter: string;
}

/** What each starter puts into the environment: how many processes, and which of them this is. */
const STARTERS: readonly (readonly [starter: string, size: string, rank: string])[] = [
  ['mpirun', 'OMPI_COMM_WORLD_SIZE', 'OMPI_COMM_WORLD_RANK'],
  ['srun', 'SLURM_STEP_NUM_TASKS', 'SLURM_PROCID'],
  ['mpiexec', 'PMI_SIZE', 'PMI_RANK'],
];

/** The job of several processes that this one is part of, or undefined when it is alone. */
export function jobOf(env: NodeJS.ProcessEnv = process.env): Job | undefined {
  for (const [starter, sizeName, rankName] of STARTERS) {
    const [size, rank] = [Number(env[sizeName]), Number(env[rankName])];
    if (size > 1 && rank >= 0 && rank < size) return { rank, size, starter };
  }
  return undefined;
}
