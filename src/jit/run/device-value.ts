import type { DType, HostData } from '../../core/host-tensor.ts';
import { ortApi, type Pointer } from './ort-api.ts';
import type { Provider } from './provider.ts';

interface Handle {
  pointer: Pointer | undefined;
  /** The session whose memory the value lies in: it must not go before the value. */
  readonly owner: object;
}

/** Values that were collected before they were released. */
const forgotten = new FinalizationRegistry((handle: Handle) => free(handle));

function free(handle: Handle): void {
  if (handle.pointer === undefined) return;
  ortApi().releaseValue(handle.pointer);
  handle.pointer = undefined;
}

/** A result that stays in the memory of the device that made it. */
export class DeviceValue {
  readonly provider: Provider;
  readonly shape: readonly number[];
  readonly dtype: DType;
  /** The same values in main memory, once they were read. */
  host: HostData | undefined;
  private readonly handle: Handle;

  constructor(
    pointer: Pointer,
    owner: object,
    spec: {
      readonly provider: Provider;
      readonly shape: readonly number[];
      readonly dtype: DType;
    },
  ) {
    this.handle = { pointer, owner };
    this.provider = spec.provider;
    this.shape = spec.shape;
    this.dtype = spec.dtype;
    forgotten.register(this, this.handle, this);
  }

  /** For a call into ONNX Runtime. */
  get pointer(): Pointer {
    const { pointer } = this.handle;
    if (pointer === undefined) throw new Error('DeviceValue: released');
    return pointer;
  }

  release(): void {
    forgotten.unregister(this);
    free(this.handle);
  }
}
