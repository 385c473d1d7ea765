import { existsSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DataError } from '../../src/core/errors.ts';
import { writeSafetensorsFile } from '../../src/core/safetensors.ts';
import { loadMnist } from '../../src/datasets/image-set.ts';
import { dataFolder } from '../../src/experiments/data-folder.ts';
import {
  accuracyOf,
  classifierPath,
  loadMnistClassifier,
} from '../../src/experiments/mnist-classifier.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'gibbs-classifier-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const mnist = dataFolder('mnist');
const here = existsSync(join(mnist, 't10k-images-idx3-ubyte'));

describe('the digit classifier that comes with the project', () => {
  it('is small and names 99.2 % of the test digits rightly', () => {
    expect(statSync(classifierPath()).size).toBeLessThan(2 * 2 ** 20);
    expect(loadMnistClassifier().record.accuracy).toBeGreaterThanOrEqual(0.992);
  });

  it('gives every row a class, whatever the number of rows', () => {
    const { classify } = loadMnistClassifier();
    const images = Float32Array.from({ length: 3 * 784 }, (_, i) => ((i * 7919) % 256) / 255);
    const together = classify(images);
    expect([...together].every((digit) => digit < 10)).toBe(true);
    const apart = [0, 1, 2].map((i) => classify(images.subarray(784 * i, 784 * (i + 1)))[0]);
    expect([...together]).toEqual(apart);
  });

  it.runIf(here)('does on MNIST, where it has been fetched, what its record says', () => {
    const { classify, record } = loadMnistClassifier();
    const { images, labels } = loadMnist(mnist, 'test');
    const first = 1000;
    const some = {
      images: { ...images, count: first, pixels: images.pixels.subarray(0, first * 784) },
      labels: labels.subarray(0, first),
    };
    expect(Math.abs(accuracyOf(classify, some) - record.accuracy)).toBeLessThan(0.01);
  });
});

describe('loadMnistClassifier', () => {
  it('says how to get a missing one', () => {
    const load = () => loadMnistClassifier(join(folder, 'absent.safetensors'));
    expect(load).toThrow(DataError);
    expect(load).toThrow(/gibbs run mnist-classifier/);
  });

  it('refuses another file', () => {
    const path = join(folder, 'other.safetensors');
    writeSafetensorsFile(path, { x: { dtype: 'F32', shape: [1], data: Float32Array.of(1) } });
    expect(() => loadMnistClassifier(path)).toThrow(/format unknown, expected gibbs-mnist/);
  });
});
