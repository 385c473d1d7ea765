import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { integers } from '../../src/core/random.ts';
import { writeSafetensorsFile } from '../../src/core/safetensors.ts';
import type { ByteImages } from '../../src/datasets/images.ts';
import { loadCifarClassifier } from '../../src/experiments/cifar-classifier.ts';
import { featureDistance } from '../../src/experiments/feature-distance.ts';
import { ownFeatures } from '../../src/experiments/feature-network.ts';

let root: string;
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'gibbs-cifar-'));
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

const images = (seed: number, span: number, count = 12): ByteImages => ({
  ...{ count, channels: 3, height: 32, width: 32 },
  pixels: Uint8Array.from(integers({ seed, stream: 'p', step: 0 }, count * 3072, span)),
});

describe('the classifier of CIFAR-10 that comes with the project', () => {
  it('says how well it does and how it was trained', () => {
    const { record, size, classes } = loadCifarClassifier();
    expect(record.accuracy).toBeGreaterThan(0.88);
    expect(record.steps).toBeGreaterThan(1000);
    expect([size, classes]).toEqual([record.widths[3], 10]);
  });

  it('gives the same features however images are put into calls', () => {
    const { evaluate } = loadCifarClassifier();
    const all = images(1, 256);
    const whole = evaluate(all).features;
    const last = evaluate({ ...all, count: 1, pixels: all.pixels.subarray(11 * 3072) }).features;
    last.forEach((v, j) => {
      expect(v).toBeCloseTo(whole[11 * 192 + j], 4);
    });
  });

  it('measures a distance that grows with the difference', () => {
    const options = { network: ownFeatures(), cache: null };
    const near = featureDistance(images(1, 256), images(2, 256), options);
    const far = featureDistance(images(1, 256), images(2, 30), options);
    expect(near.title).toBe('FD (own features)');
    expect(far.distance).toBeGreaterThan(near.distance);
  });

  it('refuses images of another size, and files that are none of it', () => {
    const grey = { ...images(1, 256), channels: 1, pixels: new Uint8Array(12 * 1024) };
    expect(() => loadCifarClassifier().evaluate(grey)).toThrow(/1 x 32 x 32, expected 3 x 32 x 32/);
    const path = join(root, 'other.safetensors');
    writeSafetensorsFile(path, {}, { format: 'other' });
    expect(() => loadCifarClassifier(path)).toThrow(/format other, expected gibbs-cifar/);
    expect(() => loadCifarClassifier(join(root, 'absent'))).toThrow(/gibbs run cifar-classifier/);
  });
});
