import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { gibbsVersion, packageVersion } from '../../src/core/versions.ts';

describe('versions', () => {
  it('come from package.json, also of packages that do not export it', () => {
    const own = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));
    expect(gibbsVersion()).toBe(own.version);
    for (const name of ['vega', 'onnxruntime-node', '@tensorflow/tfjs']) {
      expect(packageVersion(name)).toBe(own.dependencies[name]);
    }
  });

  it('are undefined for what is not installed', () => {
    expect(packageVersion('no-such-package-anywhere')).toBeUndefined();
  });
});
