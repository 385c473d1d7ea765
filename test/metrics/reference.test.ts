import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readSafetensorsFile, toNumbers } from '../../src/core/safetensors.ts';
import { detection } from '../../src/metrics/auroc.ts';
import { FeatureAccumulator } from '../../src/metrics/feature-accumulator.ts';
import { featureStatistics, frechetDistance } from '../../src/metrics/fid.ts';
import { inceptionScore } from '../../src/metrics/inception-score.ts';
import { kernelDistance, polynomialMmd } from '../../src/metrics/kid.ts';
import { matrix } from '../../src/metrics/linalg.ts';
import { precisionRecall } from '../../src/metrics/precision-recall.ts';

const FOLDER = join(import.meta.dirname, '../fixtures/metrics');
const D = 12;
const { tensors } = readSafetensorsFile(join(FOLDER, 'features.safetensors'));
const stored = (name: string) => toNumbers(tensors.get(name)!);
const reference = JSON.parse(readFileSync(join(FOLDER, 'reference.json'), 'utf8')) as Record<
  string,
  number
> & { inceptionScore: [number, number] };
const [real, fake] = [stored('real'), stored('fake')];

const close = (value: number, name: string) =>
  expect(Math.abs(value / reference[name] - 1), name).toBeLessThan(1e-9);

describe('metrics against SciPy and scikit-learn on the same features', () => {
  it('Fréchet distance', () => {
    close(frechetDistance(featureStatistics(real, D), featureStatistics(fake, D)), 'frechet');
  });

  it('Fréchet distance of features that came in batches', () => {
    const of = (values: Float64Array, batches: number[]) => {
      const all = new FeatureAccumulator(D);
      let at = 0;
      for (const rows of batches) {
        all.add(values.subarray(at * D, (at + rows) * D));
        at += rows;
      }
      return all.add(values.subarray(at * D)).statistics();
    };
    close(frechetDistance(of(real, [1, 70, 0, 9]), of(fake, [139])), 'frechet');
  });

  it('kernel distance', () => {
    const value = polynomialMmd(matrix(160, D, real), matrix(140, D, fake));
    close(value, 'kernelDistance');
    const { mean, std } = kernelDistance(real, fake, D, { subsets: 60, subsetSize: 70 });
    // An unbiased estimate of each subset: their mean lies near the value of all.
    expect(std).toBeGreaterThan(0);
    expect(Math.abs(mean - value)).toBeLessThan((4 * std) / Math.sqrt(60));
  });

  it('precision and recall', () => {
    const { precision, recall } = precisionRecall(real, fake, D);
    close(precision, 'precision');
    close(recall, 'recall');
  });

  it('AUROC, AUPRC of either side, and FPR at 95 % recall, with ties', () => {
    const found = detection(stored('inside'), stored('outside'));
    for (const [name, value] of Object.entries(found)) close(value, name);
  });

  it('Inception Score', () => {
    const { mean, std } = inceptionScore(stored('logits'), 7, 3);
    expect(mean).toBeCloseTo(reference.inceptionScore[0], 9);
    expect(std).toBeCloseTo(reference.inceptionScore[1], 9);
  });
});

describe('features in batches', () => {
  it('keeps its digits far from the origin, beyond the size of its buffer', () => {
    const rows = 700;
    const far = Float64Array.from({ length: rows * 2 }, (_, i) => 1e7 + ((i * 7919) % 101) / 10);
    const accumulated = new FeatureAccumulator(2);
    for (let at = 0; at < rows; at += 100) accumulated.add(far.subarray(2 * at, 2 * at + 200));
    const whole = featureStatistics(far, 2);
    const parts = accumulated.statistics();
    expect(parts.count).toBe(rows);
    for (let k = 0; k < 4; k++) {
      expect(parts.covariance.data[k]).toBeCloseTo(whole.covariance.data[k], 6);
    }
  });

  it('goes on after statistics were asked for', () => {
    const all = new FeatureAccumulator(D).add(real.subarray(0, 20 * D));
    all.statistics();
    all.add(real.subarray(20 * D));
    close(frechetDistance(all.statistics(), featureStatistics(fake, D)), 'frechet');
  });

  it('refuses incomplete rows and a single row', () => {
    expect(() => new FeatureAccumulator(3).add([1, 2])).toThrow(/2 values are no rows of 3/);
    expect(() => new FeatureAccumulator(1).add([1]).statistics()).toThrow(/at least 2 rows/);
  });
});

describe('wrong arguments', () => {
  it('kernel distance', () => {
    expect(() => kernelDistance([1, 2, 3], [1, 2], 2)).toThrow(/at least 2 rows of 2 features/);
    expect(() => kernelDistance(real, fake, D, { subsetSize: 141 })).toThrow(/2 \.\. 140/);
  });

  it('precision and recall', () => {
    expect(() => precisionRecall(real, fake, D, 140)).toThrow(/1 \.\. 139/);
    expect(() => precisionRecall(real, [1, 2, 3], 2)).toThrow(/generated must hold/);
  });
});
