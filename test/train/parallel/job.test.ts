import { describe, expect, it } from 'vitest';
import { jobOf } from '../../../src/train/parallel/job.ts';

describe('the job of a process', () => {
  it.each([
    ['mpirun', { OMPI_COMM_WORLD_SIZE: '4', OMPI_COMM_WORLD_RANK: '3' }, { rank: 3, size: 4 }],
    ['srun', { SLURM_STEP_NUM_TASKS: '2', SLURM_PROCID: '0' }, { rank: 0, size: 2 }],
    ['mpiexec', { PMI_SIZE: '2', PMI_RANK: '1' }, { rank: 1, size: 2 }],
  ])('of %s is in its environment', (starter, env, place) => {
    expect(jobOf(env)).toEqual({ ...place, starter });
  });

  it.each([
    [{}],
    [{ OMPI_COMM_WORLD_SIZE: '1', OMPI_COMM_WORLD_RANK: '0' }],
    // The script of a job of Slurm knows of the job's tasks and is none of them.
    [{ SLURM_NTASKS: '8', SLURM_PROCID: '0' }],
  ])('is none when it is alone: %o', (env) => {
    expect(jobOf(env)).toBeUndefined();
  });
});
