import { auroc } from '../../../src/metrics/auroc.ts';
import { featureStatistics, frechetDistance } from '../../../src/metrics/fid.ts';
import { inceptionScore } from '../../../src/metrics/inception-score.ts';
import {
  labelFrequencies,
  labelModes,
  sharedKl,
  stackedLabels,
} from '../../../src/metrics/modes.ts';
import { abs, compare, rel, relToMax } from '../compare.ts';
import type { Comparison, GoldenCase } from '../golden-case.ts';
import type { GoldenFile } from '../golden-file.ts';

/** The middle part of names `<before><tag><after>`. */
function tags(file: GoldenFile, before: string, after: string): string[] {
  return file
    .names(before)
    .filter((n) => n.endsWith(after))
    .map((n) => n.slice(before.length, n.length - after.length));
}

function fid(file: GoldenFile): Comparison[] {
  const messages = (file.args['reference_messages'] ?? {}) as Record<string, string>;
  return tags(file, 'in:', '.a').flatMap((tag) => {
    const [a, b] = ['a', 'b'].map((set) => {
      const name = `in:${tag}.${set}`;
      return featureStatistics(file.numbers(name), file.shape(name)[1]);
    });
    const trace = [a, b].reduce((sum, { covariance: c }) => {
      for (let j = 0; j < c.rows; j++) sum += c.data[j * c.rows + j];
      return sum;
    }, 0);
    // A message of the reference says that it added 1e-6 to the diagonals.
    const jitter = messages[tag] ? 1e-6 : 0;
    const fewest = Math.min(a.count, b.count);
    const [exact, stored] = [file.scalar(`out:${tag}.fid_eig`), file.scalar(`out:${tag}.fid`)];
    // Full rank is where the reference's two ways agree to its own accuracy.
    const regular = fewest > a.mean.length && Math.abs(stored - exact) <= 1e-9 * Math.abs(exact);
    return [
      compare(file, `out:${tag}.mu_a`, a.mean, relToMax(1e-12)),
      compare(file, `out:${tag}.mu_b`, b.mean, relToMax(1e-12)),
      compare(file, `out:${tag}.cov_a`, a.covariance.data, relToMax(1e-12)),
      compare(file, `out:${tag}.cov_b`, b.covariance.data, relToMax(1e-12)),
      compare(
        file,
        `out:${tag}.fid`,
        frechetDistance(a, b, { jitter }),
        regular ? rel(1e-6) : abs(1e-3 * trace),
      ),
      // Equal sets: zero up to rounding, for which a relative error has no meaning.
      compare(
        file,
        `out:${tag}.fid_eig`,
        frechetDistance(a, b),
        abs(Math.max(1e-6 * Math.abs(exact), 1e-10 * trace)),
      ),
    ];
  });
}

function inceptionScores(file: GoldenFile): Comparison[] {
  const logits = file.numbers('in:is.logits');
  const classes = file.shape('in:is.logits')[1];
  return tags(file, 'out:is.mean_splits', '').flatMap((splits) => {
    const { mean, std } = inceptionScore(logits, classes, Number(splits));
    // The deviation of one split is zero: measure it in units of the mean.
    return [
      compare(file, `out:is.mean_splits${splits}`, mean, rel(1e-10)),
      compare(file, `out:is.std_splits${splits}`, std, abs(1e-10 * mean)),
      compare(file, `out:is.f32_mean_splits${splits}`, mean, rel(1e-5)),
    ];
  });
}

function aurocs(file: GoldenFile): Comparison[] {
  return tags(file, 'in:auroc.', '.scores').map((tag) => {
    const scores = file.numbers(`in:auroc.${tag}.scores`);
    const labels = file.numbers(`in:auroc.${tag}.labels`);
    const inside = scores.filter((_, i) => labels[i] === 1);
    const outside = scores.filter((_, i) => labels[i] === 0);
    return compare(file, `out:auroc.${tag}`, auroc(inside, outside), abs(1e-12));
  });
}

function modes(file: GoldenFile): Comparison[] {
  return tags(file, 'in:modes.', '.gen_digits').flatMap((tag) => {
    const generated = stackedLabels(file.numbers(`in:modes.${tag}.gen_digits`));
    const data = stackedLabels(file.numbers(`in:modes.${tag}.data_digits`));
    const q = labelFrequencies(generated, 1000);
    const p = labelFrequencies(data, 1000);
    const { count, klToUniform } = labelModes(generated, 1000);
    const out = (name: string, value: number, tolerance = rel(1e-10)) =>
      compare(file, `out:modes.${tag}.${name}`, value, tolerance);
    return [
      out('count', count, abs(0.5)),
      out('kl_gen_vs_uniform', klToUniform),
      out('kl_gen_vs_data_skipping_empty', sharedKl(q, p)),
      out('vera_klqp', sharedKl(q, p)),
      out('vera_klpq', sharedKl(p, q)),
    ];
  });
}

export const cases: readonly GoldenCase[] = [
  { prefix: '08_fid', run: fid },
  {
    prefix: '08_is_auroc_modes',
    run: (file) => [...inceptionScores(file), ...aurocs(file), ...modes(file)],
  },
];
