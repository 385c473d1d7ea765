import { spawnSync } from 'node:child_process';
import { availableParallelism, cpus, totalmem } from 'node:os';
import { fileURLToPath } from 'node:url';
import { gibbsVersion, packageVersion } from '../core/versions.ts';
import {
  availability,
  defaultExecutor,
  defaultPrecision,
  device,
  type Executor,
  type Precision,
} from '../jit/index.ts';
import { jobOf } from './parallel/job.ts';

/** What a run was computed with and on. */
export interface Environment {
  readonly gibbs: string;
  /** Commit of the source, where it is a git checkout. */
  readonly commit: string | undefined;
  /** Whether files under version control differed from that commit. */
  readonly dirty: boolean | undefined;
  readonly node: string;
  readonly packages: Readonly<Record<string, string>>;
  readonly platform: string;
  readonly cpu: string;
  readonly cores: number;
  /** Threads of one run. */
  readonly threads: number;
  /** Graphics processor used; `none`: the run was computed on the CPU. */
  readonly gpu: string;
  /** Processes that trained together; absent for one alone. */
  readonly ranks?: number;
  /** Parts that each process worked its share of a batch off in; absent for one. */
  readonly parts?: number;
  /** Asked for by `GIBBS_EXECUTOR`; absent for ONNX Runtime. */
  readonly executor?: Exclude<Executor, 'onnx'>;
  /** To which large products rounded their operands; absent for float32. */
  readonly precision?: Exclude<Precision, 'float32'>;
  /** Of the machine, in GiB. */
  readonly memory: number;
}

/**
 * As it was when this process first asked: its code was loaded about then.
 * @param how what is chosen run by run.
 */
export function environment({ parts = 1 }: { readonly parts?: number } = {}): Environment {
  known ??= look();
  const precision = defaultPrecision();
  const executor = defaultExecutor();
  return {
    ...known,
    gpu: cardUsed(),
    ...(parts !== 1 && { parts }),
    ...(executor !== 'onnx' && { executor }),
    ...(precision !== 'float32' && { precision }),
  };
}

/** Jitted functions run where `device` says by now, which a notebook may have changed. */
function cardUsed(): string {
  const provider = device();
  if (provider === 'cpu') return 'none';
  const found = availability(provider);
  return `${found.ok ? found.adapter : 'unknown'} (${provider})`;
}

let known: Environment | undefined;

function look(): Environment {
  const git = sourceState();
  const job = jobOf();
  return {
    gibbs: gibbsVersion(),
    commit: git?.commit,
    dirty: git?.dirty,
    node: process.version,
    packages: {
      '@tensorflow/tfjs': packageVersion('@tensorflow/tfjs') ?? 'unknown',
      'onnxruntime-node': packageVersion('onnxruntime-node') ?? 'unknown',
    },
    platform: `${process.platform} ${process.arch}`,
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: availableParallelism(),
    threads: 1,
    ...(job && { ranks: job.size }),
    gpu: 'none',
    memory: Math.round((totalmem() / 2 ** 30) * 10) / 10,
  };
}

function sourceState(): { commit: string; dirty: boolean } | undefined {
  const root = fileURLToPath(new URL('../..', import.meta.url));
  const git = (...args: string[]) =>
    spawnSync('git', ['-C', root, ...args], { encoding: 'utf8', timeout: 5000 });
  // Installed inside another project's checkout, that project's commit says nothing of ours.
  const ours = git('ls-files', '--error-unmatch', 'package.json');
  const head = git('rev-parse', 'HEAD');
  if (ours.status !== 0 || head.status !== 0) return undefined;
  const status = git('status', '--porcelain', '--untracked-files=no', '--', 'src');
  return { commit: head.stdout.trim(), dirty: status.stdout.trim() !== '' };
}
