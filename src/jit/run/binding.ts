import koffi from 'koffi';
import type { OrtApi, Pointer } from './ort-api.ts';
import type { Provider } from './provider.ts';

/** What ONNX Runtime calls the memory of each device. */
const MEMORY: Readonly<Record<Provider, string>> = {
  cpu: 'Cpu',
  webgpu: 'WebGPU_Buffer',
  cuda: 'Cuda',
};

const memories = new Map<Provider, Pointer>();

/** That results are to lie in the memory of a device. Kept to the end of the process. */
export function deviceMemory(ort: OrtApi, provider: Provider): Pointer {
  let memory = memories.get(provider);
  if (memory === undefined) {
    const [DEVICE_ALLOCATOR, FIRST_CARD, DEFAULT_MEMORY] = [0, 0, 0];
    memory = ort.create(`ONNX Runtime knows no memory of ${provider}`, (out) =>
      ort.createMemoryInfo(MEMORY[provider], DEVICE_ALLOCATOR, FIRST_CARD, DEFAULT_MEMORY, out),
    );
    memories.set(provider, memory);
  }
  return memory;
}

/** The results of a run with a binding, in the order in which they were bound; the caller's own. */
export function boundResults(ort: OrtApi, binding: Pointer): Pointer[] {
  const what = 'ONNX Runtime gave no results';
  const allocator = ort.create(what, (out) => ort.defaultAllocator(out));
  const [list, count] = [new BigUint64Array(1), new BigUint64Array(1)];
  ort.check(ort.boundOutputs(binding, allocator, list, count), what);
  if (count[0] === 0n) return [];
  const values = koffi.decode(list[0], koffi.array('uintptr_t', Number(count[0])));
  const pointers = Array.from(values as ArrayLike<Pointer | number>, (v) => BigInt(v));
  ort.check(ort.freeWithAllocator(allocator, list[0]), what);
  return pointers;
}
