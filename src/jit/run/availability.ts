import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { type Attempt, PROBE } from './probe.ts';
import type { Provider } from './provider.ts';

/** Whether a provider can be used here. */
export type Availability =
  | {
      readonly ok: true;
      /** Name of the card or adapter, where the system tells. */
      readonly adapter: string;
      /** The adapter is a program on the processor, for tests. */
      readonly software: boolean;
      /** It computes in float16. */
      readonly half?: boolean;
    }
  | { readonly ok: false; readonly reason: string; readonly remedy: string };

/** How the libraries of the CUDA provider, which the npm package lacks, are fetched. */
export const INSTALL_CUDA =
  'node node_modules/onnxruntime-node/script/install.js --onnxruntime-node-install=cuda12';

const PATIENCE_MS = 120_000;
const known = new Map<Provider, Availability>();

/**
 * Whether a provider can be used, found out once in a process of its own: a driver that is broken
 * may end the process that loads it. Processes started by this one inherit the answer.
 */
export function availability(provider: Provider): Availability {
  let found = known.get(provider);
  if (found === undefined) {
    found = inherited(provider) ?? probe(provider);
    known.set(provider, found);
    process.env[variable(provider)] = JSON.stringify({ for: place(), found });
  }
  return found;
}

const variable = (provider: Provider) => `GIBBS_FOUND_${provider.toUpperCase()}`;

/** An answer holds for one process tree on one machine with one choice of drivers. */
const place = () => `${process.platform} ${process.env['VK_ICD_FILENAMES'] ?? ''}`;

function inherited(provider: Provider): Availability | undefined {
  try {
    const told = JSON.parse(process.env[variable(provider)] ?? '') as {
      for: string;
      found: Availability;
    };
    return told.for === place() ? told.found : undefined;
  } catch {
    return undefined;
  }
}

function probe(provider: Provider): Availability {
  if (provider === 'cpu') return { ok: true, adapter: 'processor', software: false };
  const { resolve } = createRequire(import.meta.url);
  const home = dirname(resolve('onnxruntime-node/package.json'));
  if (provider === 'cuda') {
    const missing = cudaLibraries(home, process.platform, process.arch);
    if (missing !== undefined) return missing;
  }
  const run = spawnSync(
    process.execPath,
    ['-e', PROBE, resolve('onnxruntime-node'), provider, resolve('koffi')],
    { encoding: 'utf8', timeout: PATIENCE_MS, env: { ...process.env, NODE_OPTIONS: '' } },
  );
  const said = run.stdout?.trim().split('\n').at(-1) ?? '';
  const died = run.signal ?? (said.startsWith('{') ? undefined : `code ${run.status}`);
  const attempt: Attempt =
    died === undefined ? JSON.parse(said) : { ok: false, adapters: [], died };
  return judge(provider, attempt, run.stderr ?? '');
}

/** What is wrong with the libraries of the CUDA provider before they are even loaded. */
export function cudaLibraries(
  home: string,
  platform: string,
  arch: string,
): Availability | undefined {
  if (platform !== 'linux' || arch !== 'x64') {
    return {
      ok: false,
      reason: `onnxruntime-node has CUDA for Linux on x64 only, this is ${platform} on ${arch}`,
      remedy: 'use webgpu or cpu',
    };
  }
  const folder = join(home, 'bin', 'napi-v6', platform, arch);
  const needed = ['libonnxruntime_providers_shared.so', 'libonnxruntime_providers_cuda.so'];
  if (needed.every((name) => existsSync(join(folder, name)))) return undefined;
  return {
    ok: false,
    reason: "onnxruntime-node's CUDA libraries are not installed",
    remedy: `get them with: ${INSTALL_CUDA}`,
  };
}

/** What an attempt to run something on a provider says about it. */
export function judge(provider: Provider, attempt: Attempt, stderr: string): Availability {
  if (attempt.ok) {
    const [first] = attempt.adapters;
    const adapter = first?.name ?? 'unnamed adapter';
    return {
      ok: true,
      adapter,
      software: first?.software ?? /swiftshader|llvmpipe/i.test(adapter),
      ...(attempt.half && { half: true }),
    };
  }
  if (attempt.died !== undefined) {
    return {
      ok: false,
      reason: `a trial of its driver ended with ${attempt.died}`,
      remedy: 'update or reinstall the driver of the graphics card, or use cpu',
    };
  }
  const text = `${attempt.message ?? ''}\n${stderr}`;
  const cause = CAUSES[provider]?.find(({ sign }) => sign.test(text));
  if (cause !== undefined) {
    const { reason, remedy } = cause;
    const detail = cause.sign.exec(text)?.groups?.['detail'];
    return { ok: false, reason: detail === undefined ? reason : `${reason} ${detail}`, remedy };
  }
  return {
    ok: false,
    reason: `a trial failed: ${oneLine(attempt.message ?? 'no message')}`,
    remedy: 'use cpu',
  };
}

const oneLine = (text: string) => text.replaceAll(/\s+/g, ' ').trim().slice(0, 300);

interface Cause {
  readonly sign: RegExp;
  readonly reason: string;
  readonly remedy: string;
}

const DRIVER =
  "install the graphics card's driver ('vulkaninfo --summary' must list the card), or use cpu";

const CAUSES: Partial<Record<Provider, readonly Cause[]>> = {
  webgpu: [
    {
      sign: /Couldn't load Vulkan/,
      reason: 'there is no Vulkan loader (libvulkan.so.1)',
      remedy: `apt-get install libvulkan1 (or your system's package of it), then ${DRIVER}`,
    },
    {
      sign: /No supported adapters|Failed to get a WebGPU adapter/,
      reason: 'WebGPU found no adapter that it can use',
      remedy: DRIVER,
    },
    {
      sign: /provider.*not (supported|available|enabled)|Unknown.*WebGPU|unsupported.*provider/i,
      reason: `onnxruntime-node has no WebGPU provider for ${process.platform} on ${process.arch}`,
      remedy: 'use cpu',
    },
  ],
  cuda: [
    {
      sign: /(?<detail>lib(?:cudnn|cublas|cublasLt|cudart|cufft|curand|nvrtc|cuda)[\w.]*): cannot open shared object/,
      reason: 'the CUDA provider lacks the library',
      remedy:
        'install the CUDA toolkit of that version and cuDNN 9 and let LD_LIBRARY_PATH name their ' +
        'folders, or use webgpu or cpu',
    },
    {
      sign: /driver version is insufficient/i,
      reason:
        'the NVIDIA driver is older than the CUDA libraries need (525.60 for CUDA 12, 580 for 13)',
      remedy: "update the driver ('nvidia-smi' shows its version), or use cpu",
    },
    {
      sign: /no CUDA-capable device|CUDA failure 100|CUDA_ERROR_NO_DEVICE/i,
      reason: 'CUDA found no NVIDIA card',
      remedy: "see that 'nvidia-smi' lists the card, or use cpu",
    },
    {
      sign: /no kernel image is available|CUDA failure 209/i,
      reason: 'the CUDA provider has no code for this card',
      remedy: 'use webgpu or cpu',
    },
  ],
};
