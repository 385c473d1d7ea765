import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { ConfigError, DeviceError, GibbsError } from '../../src/core/errors.ts';
import { device, jit, tf } from '../../src/jit/index.ts';
import {
  type Availability,
  cudaLibraries,
  INSTALL_CUDA,
  judge,
} from '../../src/jit/run/availability.ts';
import { openOnDevice } from '../../src/jit/run/fallback.ts';
import { explainFault } from '../../src/jit/run/faults.ts';
import { choose, type Device, type Provider } from '../../src/jit/run/provider.ts';

const CARD: Availability = { ok: true, adapter: 'A Card', software: false };
const PROGRAM: Availability = { ok: true, adapter: 'SwiftShader Device', software: true };
const NONE: Availability = { ok: false, reason: 'there is none', remedy: 'buy one' };

function choice(name: Device, found: Partial<Record<Provider, Availability>>) {
  const notices: string[] = [];
  const provider = choose(
    name,
    (p) => found[p] ?? NONE,
    (text) => notices.push(text),
  );
  return { provider, notices };
}

describe('the choice of a device', () => {
  afterEach(() => {
    vi.unstubAllEnvs();
    device('cpu');
  });

  it('auto takes CUDA before WebGPU, and no adapter that is a program', () => {
    expect(choice('auto', { cuda: CARD, webgpu: CARD })).toEqual({ provider: 'cuda', notices: [] });
    expect(choice('auto', { webgpu: CARD })).toEqual({ provider: 'webgpu', notices: [] });
    const { provider, notices } = choice('auto', { webgpu: PROGRAM });
    expect(provider).toBe('cpu');
    expect(notices).toEqual([
      'no graphics card can be used (cuda: there is none; webgpu: SwiftShader Device is no ' +
        'graphics card); running on the processor',
    ]);
  });

  it('a device that is asked for by name is used, also a program, or is an error', () => {
    expect(choice('webgpu', { webgpu: PROGRAM }).provider).toBe('webgpu');
    expect(() => choice('cuda', {})).toThrow(DeviceError);
    expect(() => choice('cuda', {})).toThrow("device 'cuda': there is none; buy one");
  });

  it('an unknown name is an error with a proposal, wherever it is given', () => {
    const message = /unknown device 'webpgu'; did you mean 'webgpu'\?.*cpu, webgpu, cuda, auto/;
    const wrong = 'webpgu' as Device;
    expect(() => device(wrong)).toThrow(message);
    expect(() => device(wrong)).toThrow(ConfigError);
    expect(() => jit((x: tf.Tensor) => x.neg(), { device: wrong })(tf.scalar(1))).toThrow(message);
    expect(device()).toBe('cpu');
  });

  it('says what it uses', () => {
    expect(device('cpu')).toBe('cpu');
    expect(device()).toBe('cpu');
  });
});

describe('what a trial of a provider says', () => {
  const failed = (message: string) => ({ ok: false, adapters: [], message });
  const line = (found: Availability) => (found.ok ? '' : `${found.reason}; ${found.remedy}`);

  it('tells a card from a program', () => {
    const adapters = [{ name: 'SwiftShader Device (Subzero)', software: true }];
    expect(judge('webgpu', { ok: true, adapters }, '')).toEqual({
      ok: true,
      adapter: 'SwiftShader Device (Subzero)',
      software: true,
    });
    const card = { ok: true, adapters: [{ name: 'A Card', software: false }] };
    expect(judge('webgpu', card, '')).toEqual(CARD);
  });

  it.each<[string, Provider, string, string, RegExp]>([
    ['no Vulkan loader', 'webgpu', 'Failed to get a WebGPU adapter: No supported adapters', "Warning: Couldn't load Vulkan: libvulkan.so.1", /no Vulkan loader.*apt-get install libvulkan1/], // biome-ignore format: one case a line
    ['no adapter', 'webgpu', 'Failed to get a WebGPU adapter: No supported adapters', '', /no adapter.*install the graphics card's driver/], // biome-ignore format: one case a line
    ['no cuDNN', 'cuda', 'Failed to load shared library', 'libcudnn.so.9: cannot open shared object file', /lacks the library libcudnn\.so\.9; install the CUDA toolkit of that version and cuDNN 9/], // biome-ignore format: one case a line
    ['an old driver', 'cuda', 'CUDA failure 35: CUDA driver version is insufficient for CUDA runtime version', '', /driver is older than the CUDA libraries need.*update the driver/], // biome-ignore format: one case a line
    ['no card', 'cuda', 'CUDA failure 100: no CUDA-capable device is detected', '', /no NVIDIA card.*nvidia-smi/], // biome-ignore format: one case a line
    ['anything else', 'webgpu', 'the moon\n is full', '', /a trial failed: the moon is full; use cpu/], // biome-ignore format: one case a line
  ])('%s is one line with a remedy', (_, provider, message, stderr, expected) => {
    const said = line(judge(provider, failed(message), stderr));
    expect(said).toMatch(expected);
    expect(said).not.toContain('\n');
  });

  it('a driver that ends its process is no more than an answer', () => {
    const found = judge('webgpu', { ok: false, adapters: [], died: 'SIGSEGV' }, '');
    expect(line(found)).toMatch(/ended with SIGSEGV; update or reinstall the driver/);
  });

  it('CUDA libraries that were not fetched: the command', () => {
    const home = mkdtempSync(join(tmpdir(), 'gibbs-cuda-'));
    try {
      expect(line(cudaLibraries(home, 'linux', 'x64')!)).toContain(INSTALL_CUDA);
      expect(line(cudaLibraries(home, 'darwin', 'arm64')!)).toMatch(/Linux on x64 only/);
      const folder = join(home, 'bin', 'napi-v6', 'linux', 'x64');
      mkdirSync(folder, { recursive: true });
      for (const name of ['shared', 'cuda'])
        writeFileSync(join(folder, `libonnxruntime_providers_${name}.so`), '');
      expect(cudaLibraries(home, 'linux', 'x64')).toBeUndefined();
    } finally {
      rmSync(home, { recursive: true });
    }
  });
});

describe('an operation that a provider lacks', () => {
  it('runs on the processor, with one notice', () => {
    const notices: string[] = [];
    const open = (lacking: boolean) => {
      let allowed = true;
      return openOnDevice(
        'webgpu',
        () => {
          if (lacking && !allowed) throw new GibbsError('internal', 'fallback to CPU EP has been');
          return allowed ? 'with the processor' : 'on the device';
        },
        (value) => {
          allowed = value;
        },
        (text) => notices.push(text),
      );
    };
    expect(open(false)).toBe('on the device');
    expect([open(true), open(true)]).toEqual(['with the processor', 'with the processor']);
    expect(notices).toEqual([expect.stringMatching(/'webgpu' lacks some operations.*processor/)]);
  });

  it('is not what every failure is taken for', () => {
    const open = () => {
      throw new GibbsError('internal', 'no such thing');
    };
    expect(() =>
      openOnDevice(
        'webgpu',
        open,
        () => {},
        () => {},
      ),
    ).toThrow('no such thing');
  });
});

describe('a failure on a device', () => {
  const explained = (message: string, provider: Provider = 'webgpu') =>
    explainFault(provider, new GibbsError('internal', message)) as GibbsError;

  it.each([
    ['WebGPU validation failed. [Invalid Buffer (unlabeled)] is invalid due to a previous error.\n - While validating', /memory of the device is used up; use a smaller batch/], // biome-ignore format: one case a line
    ['CUDA failure 2: out of memory ; GPU=0', /memory of the device is used up/],
    ['BFCArena: Failed to allocate memory for requested buffer of size 99', /memory of the device/],
    ['Too many storage buffers in shader. Current: 18, Max is 12', /larger than a shader can bind/],
    ['WebGPU device lost (1): a reset', /device was lost.*checkpoint/],
    ['Status: NOT_IMPLEMENTED : Could not find an implementation for Foo(21) node', /lacks an operation.*report the operation.*Foo/], // biome-ignore format: one case a line
    ['something new', /a run failed; use device cpu \(something new\)/],
  ])('%s', (message, expected) => {
    const error = explained(message);
    expect(error).toBeInstanceOf(DeviceError);
    expect(error.message).toMatch(expected);
    expect(error.message).not.toContain('\n');
  });

  it('leaves what did not come from a device as it is', () => {
    expect(explained('out of memory', 'cpu').code).toBe('internal');
    const stopped = new GibbsError('interrupted', 'stopped');
    expect(explainFault('webgpu', stopped)).toBe(stopped);
  });
});
