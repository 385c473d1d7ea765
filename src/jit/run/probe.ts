/** What the trial of a provider came to. */
export interface Attempt {
  readonly ok: boolean;
  /** Whether it adds numbers of float16, too. */
  readonly half?: boolean;
  /** Why it failed, in ONNX Runtime's words. */
  readonly message?: string;
  /** Graphics adapters by their order, where the system tells. */
  readonly adapters: readonly { readonly name: string; readonly software: boolean }[];
  /** Signal or exit code, of a trial that did not come to an end. */
  readonly died?: string;
}

/**
 * A program for `node -e PROBE ONNXRUNTIME PROVIDER KOFFI`: adds two numbers on the provider,
 * again in float16, asks Vulkan or the NVIDIA driver for the names of the adapters, prints an `Attempt`
 * as its last line.
 * It is text because it must run with nothing but Node, from sources and as built.
 */
export const PROBE = `
const [, ortPath, provider, koffiPath] = process.argv;
const size = (n) => (n > 127 ? [(n & 127) | 128, ...size(n >> 7)] : [n]);
const bytes = (field, b) => [(field << 3) | 2, ...size(b.length), ...b];
const text = (field, s) => bytes(field, Buffer.from(s));
const number = (field, n) => [field << 3, ...size(n)];
const port = (name) => {
  const dims = bytes(2, bytes(1, number(1, 2)));
  return [...text(1, name), ...bytes(2, bytes(1, [...number(1, 1), ...dims]))];
};
const node = (type, x, y, more = []) =>
  bytes(1, [...x.flatMap((name) => text(1, name)), ...text(2, y), ...text(4, type), ...more]);
const cast = (x, y, to) =>
  node('Cast', [x], y, bytes(5, [...text(1, 'to'), ...number(3, to), 160, 1, 2]));
const opset = [...text(1, ''), ...number(2, 21)];
const model = (...nodes) => {
  const ports = [...bytes(11, port('x')), ...bytes(12, port('y'))];
  const graph = [...nodes.flat(), ...text(2, 'probe'), ...ports];
  return Uint8Array.from([...number(1, 10), ...bytes(7, graph), ...bytes(8, opset)]);
};
const doubling = model(node('Add', ['x', 'x'], 'y'));
const doublingHalf = model(cast('x', 'h', 10), node('Add', ['h', 'h'], 'd'), cast('d', 'y', 1));

function vulkanAdapters() {
  const koffi = require(koffiPath);
  const library = koffi.load('libvulkan.so.1');
  const create = library.func('int vkCreateInstance(void *, void *, void *)');
  const list = library.func('int vkEnumeratePhysicalDevices(void *, void *, void *)');
  const describe = library.func('void vkGetPhysicalDeviceProperties(void *, void *)');
  // VkInstanceCreateInfo with nothing in it: sType 1.
  const info = Buffer.alloc(64);
  info.writeInt32LE(1, 0);
  const instance = new BigUint64Array(1);
  if (create(info, null, instance) !== 0) return [];
  const count = new Uint32Array(1);
  list(instance[0], count, null);
  const devices = new BigUint64Array(count[0]);
  list(instance[0], count, devices);
  return [...devices].map((handle) => {
    const properties = Buffer.alloc(2048);
    describe(handle, properties);
    const CPU = 4;
    const name = properties.subarray(20, 276);
    return {
      name: name.subarray(0, name.indexOf(0)).toString(),
      software: properties.readUInt32LE(16) === CPU,
    };
  });
}

function nvidiaAdapters() {
  const { spawnSync } = require('node:child_process');
  const query = ['--query-gpu=name', '--format=csv,noheader'];
  const { status, stdout } = spawnSync('nvidia-smi', query, { encoding: 'utf8' });
  if (status !== 0) return [];
  return stdout.trim().split('\\n').map((name) => ({ name, software: false }));
}

(async () => {
  const attempt = { ok: false, adapters: [] };
  try {
    const ort = require(ortPath);
    const twice = async (program) => {
      const session = await ort.InferenceSession.create(program, {
        executionProviders: [provider],
        logSeverityLevel: 4,
      });
      const { y } = await session.run({ x: new ort.Tensor('float32', Float32Array.of(1, 2), [2]) });
      return [...y.data];
    };
    const sums = await twice(doubling);
    attempt.ok = sums[0] === 2 && sums[1] === 4;
    if (!attempt.ok) attempt.message = '1 + 1 and 2 + 2 came out as ' + sums;
    if (attempt.ok) {
      attempt.half = await twice(doublingHalf).then((h) => h[0] === 2 && h[1] === 4, () => false);
    }
  } catch (error) {
    attempt.message = String(error && error.message);
  }
  try {
    attempt.adapters = provider === 'cuda' ? nvidiaAdapters() : vulkanAdapters();
  } catch {}
  process.stdout.write('\\n' + JSON.stringify(attempt) + '\\n', () => process.exit(0));
})();
`;
