import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { InferenceSession } from 'onnxruntime-node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { encodePng } from '../../src/core/png.ts';
import { integers } from '../../src/core/random.ts';
import {
  encodeSafetensors,
  readSafetensorsFile,
  toHostTensor,
} from '../../src/core/safetensors.ts';
import { lmdbOrFolder, openPictureSet } from '../../src/datasets/picture-set.ts';
import { readOfficialCheckpoint } from '../../src/experiments/official-networks.ts';
import { gibbs } from './gibbs.ts';

const FIXTURES = join(import.meta.dirname, '../fixtures/torch');
const ONE_LINE = /^gibbs: [^\n]+\n$/;

let root: string;
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'gibbs-interchange-'));
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

async function refused(args: readonly string[], message: RegExp): Promise<void> {
  const { code, stderr, stdout } = await gibbs(args);
  expect([code === 0, stdout]).toEqual([false, '']);
  expect(stderr).toMatch(ONE_LINE);
  expect(stderr).toMatch(message);
}

const tensorsOf = (path: string) =>
  Object.fromEntries(
    [...readSafetensorsFile(path).tensors].map(([name, stored]) => [name, toHostTensor(stored)]),
  );

describe('gibbs import', () => {
  it('writes the network of a training content, or its averages', async () => {
    const from = join(FIXTURES, 'content.pth');
    for (const average of [false, true]) {
      const to = join(root, `netG-${average}.safetensors`);
      const { code, stdout } = await gibbs([
        ...['import', from, '--to', to, '--json'],
        ...(average ? ['--average'] : []),
      ]);
      expect(code).toBe(0);
      const expected = readOfficialCheckpoint(from, { average });
      expect(JSON.parse(stdout)).toMatchObject({ to, tensors: Object.keys(expected).length });
      expect(tensorsOf(to)).toEqual(expected);
    }
  });

  it('refuses a pickle that calls, another network and a missing name', async () => {
    const to = join(root, 'never.safetensors');
    await refused(
      ['import', join(FIXTURES, 'os-system-legacy.pth'), '--to', to],
      /os-system-legacy/,
    );
    await refused(
      ['import', join(FIXTURES, 'content.pth'), '--to', to, '--as', 'cifar10/netG'],
      /content\.pth: as cifar10\/netG: keys '[^']+' and \d+ more are missing/,
    );
    await refused(['import', join(FIXTURES, 'small.pth')], /--to FILE\.safetensors is missing/);
    expect(readdirSync(root)).not.toContain('never.safetensors');
  });
});

describe('gibbs export', () => {
  it('takes the networks and the sampler out of a run', async () => {
    const store = join(root, 'runs');
    const trained = await gibbs([
      ...['run', 'toy', '--method', 'wgan-0gp', '--preset', 'smoke', '--steps', '2'],
      ...['--store', store, '--json'],
    ]);
    expect(trained.code).toBe(0);
    const weights = join(root, 'run.safetensors');
    const sampler = join(root, 'sampler.onnx');
    const of = ['latest', '--store', store];
    expect((await gibbs(['export', ...of, '--out', weights])).code).toBe(0);
    const made = await gibbs([
      ...['export', ...of, '--to', 'onnx', '--batch', '5', '--out', sampler, '--json'],
    ]);
    expect(JSON.parse(made.stdout)).toMatchObject({ to: 'onnx', out: sampler });
    const session = await InferenceSession.create(sampler);
    expect(session.outputNames).toEqual(['samples']);
    await session.release();
    const networks = new Set(Object.keys(tensorsOf(weights)).map((name) => name.split('.')[0]));
    expect([...networks].sort()).toEqual(['energy', 'generator']);
    const out = ['--out', weights];
    await Promise.all([
      refused(['export', ...of, '--to', 'onnx'], /--out FILE is missing/),
      refused(['export', ...of, '--to', 'torch', ...out], /unknown format 'torch'/),
      refused(['export', ...of, '--batch', '2', ...out], /--batch does not belong/),
      refused(['export', 'nobody', '--store', store, ...out], /nobody/),
    ]);
  });
});

describe('gibbs data pack', () => {
  it('writes a folder of pictures as LMDB', async () => {
    const from = join(root, 'pictures');
    mkdirSync(from);
    for (let i = 0; i < 3; i++) {
      const data = new Uint8Array(3 * 8 * 8).fill(40 * i);
      writeFileSync(join(from, `p${i}.png`), encodePng({ width: 8, height: 8, channels: 3, data }));
    }
    const to = join(root, 'packed.lmdb');
    const { code, stdout } = await gibbs(['data', 'pack', from, to, '--json']);
    expect([code, JSON.parse(stdout)]).toEqual([0, { to, count: 3 }]);
    const set = openPictureSet(lmdbOrFolder(to));
    expect((await set.picture(2)).pixels[0]).toBe(80);
    set.close();
    await refused(['data', 'pack', from], /takes FROM and TO/);
    await refused(['data', 'pack', join(root, 'absent'), to], /absent/);
    await refused(['data', 'pack', from, to, '--format', 'jpeg'], /unknown format 'jpeg'/);
  });
});

describe('gibbs evaluate', () => {
  it('measures with features of its own, and never calls that FID', async () => {
    const files = [0, 1].map((seed) => {
      const shape = [40, 3, 32, 32];
      const data = integers({ seed, stream: 'pixels', step: 0 }, 40 * 3072, 256);
      const path = join(root, `samples-${seed}.safetensors`);
      const images = { dtype: 'U8', shape, data: Uint8Array.from(data) } as const;
      writeFileSync(path, Buffer.concat(encodeSafetensors({ images })));
      return path;
    });
    const measured = await gibbs(['evaluate', files[0], '--reference', files[1]]);
    expect(measured.stderr).toMatch(/note: 40 samples for \d+ features/);
    expect(measured.stdout).toMatch(/FD \(own features\) +\d/);
    expect(measured.stdout).not.toMatch(/FID/);
    const folder = join(root, 'greys');
    mkdirSync(folder);
    for (let i = 0; i < 5; i++) {
      const data = new Uint8Array(3 * 8 * 8).fill(40 * i);
      const png = encodePng({ width: 8, height: 8, channels: 3, data });
      writeFileSync(join(folder, `p${i}.png`), png);
    }
    const pictures = ['evaluate', files[0], '--distance-only', '--reference', folder];
    const small = await gibbs([...pictures, '--fit', 'centre', '--most', '4']);
    expect(small.stdout).toMatch(/40 samples, 4 of the reference/);
    await refused([...pictures, '--fit', 'exact'], /p0\.png: the picture is 8 x 8, expected 32/);
    await refused([...pictures, '--fit', 'square'], /unknown fit 'square'/);
    await refused([...pictures, '--most', '4'], /--most belongs to --fit/);
    await refused(['evaluate', files[0], '--sha256', 'ff'], /--sha256 belongs to --weights/);
    await refused(['evaluate', join(root, 'absent')], /absent/);
  });
});

describe('gibbs ood', () => {
  it('says what is no run and what is no name', async () => {
    await refused(['ood', 'latest', '--store', join(root, 'nothing')], /there is no run store/);
    await refused(['ood', 'latest', '--folder', 'svhn'], /--folder takes NAME=DIR/);
    await refused(['ood', 'latest', '--store', join(root, 'runs')], /is no run of cifar10/);
  });
});
