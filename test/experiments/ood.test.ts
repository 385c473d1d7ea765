import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { hostTensor } from '../../src/core/host-tensor.ts';
import { integers } from '../../src/core/random.ts';
import { digitsAsColour, plainImages, scrambledImages } from '../../src/datasets/outsiders.ts';
import { cifar10Config, cifar10Objective } from '../../src/experiments/cifar10-config.ts';
import { evaluateOod, readOod, writeOod } from '../../src/experiments/ood.ts';
import { oodFigure } from '../../src/figures/ood.ts';
import { renderSvg } from '../../src/figures/render.ts';
import type { Objective } from '../../src/objectives/objective.ts';

let root: string;
const key = { seed: 0, stream: 'x', step: 0 };

/** A folder of CIFAR-10's binary files with a few drawn images. */
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'gibbs-ood-'));
  const names = [1, 2, 3, 4, 5].map((b) => `data_batch_${b}.bin`).concat('test_batch.bin');
  names.forEach((name, step) => {
    const drawn = integers({ ...key, step }, 20 * 3073, 100);
    writeFileSync(
      join(root, name),
      Uint8Array.from(drawn, (v, i) => (i % 3073 === 0 ? v % 10 : 60 + v)),
    );
  });
  const header = (...numbers: number[]) => {
    const view = new DataView(new ArrayBuffer(4 * numbers.length));
    for (const [i, n] of numbers.entries()) view.setUint32(4 * i, n);
    return Buffer.from(view.buffer);
  };
  writeFileSync(
    join(root, 't10k-images-idx3-ubyte'),
    Buffer.concat([header(2051, 8, 28, 28), Buffer.alloc(8 * 784, 200)]),
  );
  writeFileSync(
    join(root, 't10k-labels-idx1-ubyte'),
    Buffer.concat([header(2049, 8), Buffer.alloc(8, 1)]),
  );
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

describe('images of other kinds', () => {
  it('scrambled: the same colours, other places, all channels moved together', () => {
    const pixels = Uint8Array.from({ length: 3 * 1024 }, (_, i) => (i % 1024) & 255);
    const image = { count: 1, channels: 3, height: 32, width: 32, pixels };
    const out = scrambledImages(image, key).pixels;
    expect(out.subarray(0, 1024)).not.toEqual(pixels.subarray(0, 1024));
    expect(out.subarray(0, 1024).toSorted()).toEqual(pixels.subarray(0, 1024).toSorted());
    expect(out.subarray(0, 1024)).toEqual(out.subarray(1024, 2048));
  });

  it('digits and plain colours are 3 x 32 x 32', () => {
    const digit = {
      count: 1,
      channels: 1,
      height: 28,
      width: 28,
      pixels: new Uint8Array(784).fill(9),
    };
    const { pixels } = digitsAsColour(digit);
    expect(pixels).toHaveLength(3072);
    expect(pixels[2 * 32 + 1]).toBe(0);
    expect(pixels[2 * 32 + 2]).toBe(9);
    expect(new Set(plainImages(key, 1).pixels.subarray(0, 1024)).size).toBe(1);
    expect(() => digitsAsColour({ ...digit, channels: 3 })).toThrow(/expected 1 x 28 x 28/);
  });
});

describe('detection by an energy', () => {
  // At the start E(x, 0) ≈ −½‖x‖²: the order of energies is known.
  const objective = cifar10Objective(cifar10Config('smoke')) as unknown as Objective;

  it('ranks by −½‖x‖² before training, says what is missing, and is kept in a file', async () => {
    const notices: string[] = [];
    const result = await evaluateOod(
      { objective, state: objective.init(0), key: 'cifar10/test-s0', step: 0, config: {} },
      {
        most: 20,
        folders: {
          cifar10: root,
          mnist: root,
          svhn: root,
          dtd: join(root, 'none'),
          cifar100: root,
          celeba: join(root, 'none'),
        },
        onNotice: (text) => notices.push(text),
      },
    );
    expect(result.missing.map(({ name }) => name)).toEqual(['svhn', 'dtd', 'cifar100', 'celeba']);
    expect(notices).toHaveLength(4);
    const by = Object.fromEntries(result.rows.map(({ name, scores }) => [name, scores]));
    // Grey images near the middle have small norms, noise and digits large ones.
    expect(by['uniform'].energy.auroc).toBe(1);
    expect(by['mnist'].energy.fpr95).toBe(0);
    expect(by['scrambled'].energy.auroc).toBeCloseTo(0.5, 2);
    expect(by['cifar10-train'].energy.auroc).toBeGreaterThan(0.2);
    expect(by['cifar10-train'].energy.auroc).toBeLessThan(0.8);
    const mean = (name: string) =>
      Array.from(result.energies[name].data).reduce((sum, v) => sum + v, 0);
    expect(mean('noise 0.5')).toBeLessThan(mean('noise 0.1'));
    expect(mean('generated and denoised')).toBeGreaterThan(mean('generated'));

    const path = join(root, 'ood.safetensors');
    writeOod(result, path);
    const plain = (value: unknown) => JSON.parse(JSON.stringify(value)) as unknown;
    const back = readOod(path);
    expect(plain({ ...back, energies: 0 })).toEqual(plain({ ...result, energies: 0 }));
    expect(back.energies['inside'].data).toEqual(result.energies['inside'].data);
    expect(await renderSvg(oodFigure(result), {})).toContain('MNIST in three equal channels');
  });

  it('says how to make a result that is not there', () => {
    expect(() => readOod(join(root, 'absent'))).toThrow(/gibbs ood RUN --ship/);
  });

  it('draws energies of any size', async () => {
    const values = (v: number) => ({ data: hostTensor(new Float32Array(9).fill(v), [9]).data });
    const figure = oodFigure({
      rows: [{ name: 'a', title: 'Others' }],
      energies: { inside: values(-3), a: values(-3e5), generated: values(0) },
    });
    expect(await renderSvg(figure, {})).toContain('Others');
  });
});
