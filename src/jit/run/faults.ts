import { DeviceError, GibbsError } from '../../core/errors.ts';
import type { Provider } from './provider.ts';

interface Fault {
  readonly sign: RegExp;
  readonly says: string;
  readonly remedy: string;
}

const LESS = 'use a smaller batch or network, close what else uses the card, or use device cpu';

/** What ONNX Runtime's messages on a device come to, most particular first. */
const FAULTS: readonly Fault[] = [
  {
    sign: /out of (device )?memory|OUT_OF_(DEVICE_|HOST_)?MEMORY|ALLOC_FAILED|Failed to allocate memory|Invalid Buffer|max buffer size|CUDA failure 2:/i,
    says: 'the memory of the device is used up',
    remedy: LESS,
  },
  {
    sign: /Too many storage buffers/i,
    says: 'a tensor is larger than a shader can bind, or an operation has too many operands',
    remedy: LESS,
  },
  {
    sign: /device (was |is )?lost|DEVICE_LOST|CUDA failure (4|999|719|700)\b/i,
    says: 'the device was lost: its driver failed or was reset',
    remedy:
      'start again from the last checkpoint; if it happens again, update the driver or use device cpu',
  },
  {
    sign: /Failed to load shared library|cannot open shared object/i,
    says: 'a library of the provider is missing',
    remedy: "'gibbs doctor' says which and how to get it; or use device cpu",
  },
  {
    sign: /No supported adapters|Failed to get a WebGPU adapter|no CUDA-capable device/i,
    says: 'there is no adapter',
    remedy: "install the graphics card's driver ('gibbs doctor' says more), or use device cpu",
  },
  {
    sign: /NOT_IMPLEMENTED|Could not find an implementation|not implemented/i,
    says: 'the provider lacks an operation or a form of it',
    remedy: 'use device cpu for this function, and report the operation',
  },
];

const LONGEST = 240;

/** An error of a session on a device in one line with its remedy; on the processor as it is. */
export function explainFault(provider: Provider, error: unknown): unknown {
  if (provider === 'cpu' || !(error instanceof GibbsError) || error.code !== 'internal')
    return error;
  const found = FAULTS.find(({ sign }) => sign.test(error.message));
  const detail = error.message.replaceAll(/\s+/g, ' ').replace(/\/onnxruntime_src\/\S+ /g, '');
  const short = detail.length > LONGEST ? `${detail.slice(0, LONGEST)}…` : detail;
  const { says, remedy } = found ?? { says: 'a run failed', remedy: 'use device cpu' };
  return new DeviceError(`device '${provider}': ${says}; ${remedy} (${short})`, { cause: error });
}
