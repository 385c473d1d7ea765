import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { integers } from '../../src/core/random.ts';
import { writeSafetensorsFile } from '../../src/core/safetensors.ts';
import type { ByteImages } from '../../src/datasets/images.ts';
import { featureDistance, featureReport } from '../../src/experiments/feature-distance.ts';
import { type FeatureNetwork, inceptionNetwork } from '../../src/experiments/feature-network.ts';
import { loadImageSource } from '../../src/experiments/image-source.ts';

let root: string;
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'gibbs-features-'));
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

/** Features of one pixel and of the mean of two: everything known. */
function network(): FeatureNetwork & { evaluated: number } {
  return {
    ...{ title: 'FD (test)', id: 'test/1', size: 2, classes: 2, evaluated: 0 },
    evaluate({ count, pixels }) {
      this.evaluated += count;
      const features = new Float32Array(2 * count);
      for (let i = 0; i < count; i++) {
        features[2 * i] = pixels[4 * i];
        features[2 * i + 1] = (pixels[4 * i + 1] + pixels[4 * i + 2]) / 2;
      }
      return { features, logits: features };
    },
  };
}

function images(seed: number, shift: number, count = 1500): ByteImages {
  const drawn = integers({ seed, stream: 'pixels', step: 0 }, 4 * count, 200);
  const pixels = Uint8Array.from(drawn, (v) => v + shift);
  return { count, channels: 1, height: 2, width: 2, pixels };
}

describe('feature distance', () => {
  it('of images that are brighter by k is k² in each feature', () => {
    const a = images(0, 0);
    const brighter = { ...a, pixels: a.pixels.map((v) => v + 10) };
    const { distance, title, samples } = featureDistance(brighter, a, {
      network: network(),
      cache: null,
    });
    expect(distance).toBeCloseTo(200, 6);
    expect([title, samples]).toEqual(['FD (test)', 1500]);
  });

  it('keeps the statistics of the reference by its bytes, and survives a damaged file', () => {
    const cache = join(root, 'kept');
    const used = network();
    const options = { network: used, cache };
    const first = featureDistance(images(1, 5), images(0, 0), options).distance;
    expect(used.evaluated).toBe(3000);
    expect(featureDistance(images(1, 5), images(0, 0), options).distance).toBe(first);
    expect(used.evaluated).toBe(4500);
    featureDistance(images(1, 5), images(2, 0), options);
    expect(readdirSync(cache)).toHaveLength(2);
    for (const name of readdirSync(cache)) writeFileSync(join(cache, name), 'damaged');
    const notices: string[] = [];
    const again = featureDistance(images(1, 5), images(0, 0), {
      ...options,
      onNotice: (text) => notices.push(text),
    });
    expect(again.distance).toBe(first);
    expect(notices).toHaveLength(1);
  });

  it('reports a perfect sampler as such', () => {
    const report = featureReport(images(3, 0, 400), images(4, 0, 400), {
      network: network(),
      cache: null,
    });
    expect(report.precisionRecall.precision).toBeGreaterThan(0.9);
    expect(report.precisionRecall.recall).toBeGreaterThan(0.9);
    const far = featureReport(images(3, 0, 400), images(4, 55, 400), {
      network: network(),
      cache: null,
    });
    expect(far.distance).toBeGreaterThan(10 * report.distance);
    expect(far.kernelDistance.mean).toBeGreaterThan(report.kernelDistance.mean);
  });
});

describe('weights of Inception', () => {
  it('are checked by SHA-256 before anything is read', () => {
    const path = join(root, 'weights.pth');
    writeFileSync(path, 'not weights');
    expect(() => inceptionNetwork(path)).toThrow(/its SHA-256 is [0-9a-f]{64}, expected 6726825d…/);
    expect(() => inceptionNetwork(join(root, 'none.pth'))).toThrow(/there is no file/);
  });

  it('of another network are told by the first missing key', () => {
    const path = join(root, 'other.safetensors');
    writeSafetensorsFile(path, { a: { dtype: 'F32', shape: [1], data: new Float32Array(1) } });
    expect(() => inceptionNetwork(path, { sha256: '' })).toThrow(
      /there is no 'Conv2d_1a_3x3\.conv\.weight'/,
    );
  });
});

describe('sources of images', () => {
  it('takes the newest samples of the folder of a run', () => {
    for (const [step, value] of [
      [1, 10],
      [20, 20],
    ]) {
      writeSafetensorsFile(join(root, `samples-${String(step).padStart(9, '0')}.safetensors`), {
        images: { dtype: 'U8', shape: [1, 3, 1, 1], data: new Uint8Array(3).fill(value) },
      });
    }
    expect(loadImageSource(root).pixels[0]).toBe(20);
  });

  it('says what a name may be', () => {
    expect(() => loadImageSource(join(root, 'absent'))).toThrow(/no file or folder/);
    const path = join(root, 'odd.xyz');
    writeFileSync(path, 'x');
    expect(() => loadImageSource(path)).toThrow(/odd\.xyz: no image source/);
  });
});
