import type { DType, HostData } from '../../core/host-tensor.ts';
import { identityModel } from '../onnx/proto.ts';
import { type Tensor, tf } from '../tf.ts';
import { arrayOf } from './buffers.ts';
import type { DeviceValue } from './device-value.ts';
import type { Provider } from './provider.ts';
import { OnnxSession } from './session.ts';

/*
 * Tensors whose values lie on a device. TensorFlow.js moves a tensor to the active backend when an
 * eager op asks for it, by reading it here; a jitted function on the same device takes it as it is.
 */

interface Entry {
  readonly value: DeviceValue;
  references: number;
}

class DeviceBackend extends tf.KernelBackend {
  private readonly entries = new WeakMap<object, Entry>();
  private count = 0;

  valueFor(dataId: object): DeviceValue | undefined {
    return this.entries.get(dataId)?.value;
  }

  override write(values: tf.backend_util.BackendValues): object {
    const dataId = {};
    this.entries.set(dataId, { value: values as unknown as DeviceValue, references: 1 });
    this.count++;
    return dataId;
  }

  override readSync(dataId: object): HostData {
    return readBack(this.entries.get(dataId)!.value);
  }

  override async read(dataId: object): Promise<HostData> {
    return this.readSync(dataId);
  }

  override disposeData(dataId: object, force = false): boolean {
    const entry = this.entries.get(dataId);
    if (entry === undefined) return true;
    entry.references--;
    if (!force && entry.references > 0) return false;
    entry.value.release();
    this.entries.delete(dataId);
    this.count--;
    return true;
  }

  override refCount(dataId: object): number {
    return this.entries.get(dataId)?.references ?? 0;
  }

  override incRef(dataId: object): void {
    const entry = this.entries.get(dataId);
    if (entry !== undefined) entry.references++;
  }

  override numDataIds(): number {
    return this.count;
  }

  override memory() {
    return { unreliable: true, reasons: ['the memory of a device is not counted'] };
  }

  override floatPrecision(): 32 {
    return 32;
  }

  override timerAvailable(): boolean {
    return false;
  }

  override dispose(): void {}
}

let backend: DeviceBackend | undefined;

/** A tensor around a value on a device; disposing it releases the value. */
export function deviceTensor(value: DeviceValue): Tensor {
  backend ??= new DeviceBackend();
  const { shape, dtype } = value;
  return tf.engine().makeTensor(value as never, [...shape], dtype, backend);
}

/** The value of a tensor that lies on a device. */
export function deviceValueOf(tensor: Tensor): DeviceValue | undefined {
  return backend?.valueFor(tensor.dataId);
}

/** Sessions that copy to main memory; they stay, and with them what all sessions of a device share. */
const readers = new Map<string, OnnxSession>();

function readBack(value: DeviceValue): HostData {
  if (value.host === undefined) {
    const { provider, shape, dtype } = value;
    const data = arrayOf(value);
    reader(provider, dtype).run([value], [{ data, shape, dtype }]);
    value.host = data;
  }
  return value.host;
}

function reader(provider: Provider, dtype: DType): OnnxSession {
  const key = `${provider} ${dtype}`;
  let session = readers.get(key);
  if (session === undefined) {
    const options = { threads: 1, provider };
    session = new OnnxSession(identityModel(dtype), { inputs: 1, outputs: 1 }, options);
    readers.set(key, session);
  }
  return session;
}
