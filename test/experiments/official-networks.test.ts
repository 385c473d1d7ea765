import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type HostTensor, hostTensor, sizeOf } from '../../src/core/host-tensor.ts';
import {
  checkOfficial,
  checkStateDict,
  readOfficialCheckpoint,
} from '../../src/experiments/official-networks.ts';
import { ncsnppEnergy } from '../../src/models/ncsnpp.ts';
import { shapesOf } from '../../src/nn/params.ts';

const FIXTURES = join(import.meta.dirname, '../fixtures/torch');
const network = ncsnppEnergy({ size: 8, width: 4, multipliers: [1, 2], blocks: 1 });

const filled = (): Record<string, HostTensor> =>
  Object.fromEntries(
    Object.entries(shapesOf(network.params)).map(([key, shape]) => [
      key,
      hostTensor(new Float32Array(sizeOf(shape)), shape),
    ]),
  );

describe('checkpoints of the official code', () => {
  it('give the network of a training content, and its averages', () => {
    const path = join(FIXTURES, 'content.pth');
    const plain = readOfficialCheckpoint(path);
    const average = readOfficialCheckpoint(path, { average: true });
    expect(Object.keys(average)).toEqual(Object.keys(plain));
    const differs = Object.keys(plain).some((key) =>
      average[key].data.some((v, i) => v !== plain[key].data[i]),
    );
    expect(differs).toBe(true);
  });

  it('say which part is not there', () => {
    const path = join(FIXTURES, 'content.pth');
    expect(() => readOfficialCheckpoint(path, { part: 'generator' })).toThrow(/known: netG/);
    expect(() => readOfficialCheckpoint(join(FIXTURES, 'small.pth'), { average: true })).toThrow(
      /no averages/,
    );
    expect(() => readOfficialCheckpoint(join(FIXTURES, 'os-system-legacy.pth'))).toThrow(
      /os-system-legacy\.pth/,
    );
  });
});

describe('a state dict against a network', () => {
  it('passes when all keys and shapes agree', () => {
    expect(() => checkStateDict(filled(), network, 'w.pth')).not.toThrow();
  });

  it('names the first key that is missing, left over, or of another shape', () => {
    const { 'all_modules.0.weight': _, ...short } = filled();
    expect(() => checkStateDict(short, network, 'w.pth')).toThrow(
      /w\.pth: key 'all_modules\.0\.weight' is missing/,
    );
    const more = { ...filled(), 'extra.weight': hostTensor(new Float32Array(1), [1]) };
    expect(() => checkStateDict(more, network, 'w.pth')).toThrow(/'extra\.weight' is not of this/);
    const wide = { ...filled(), 'all_modules.2.bias': hostTensor(new Float32Array(5), [5]) };
    expect(() => checkStateDict(wide, network, 'w.pth')).toThrow(
      /'all_modules\.2\.bias' has shape \[5\], the network needs \[4\]/,
    );
  });

  it('of another network of the paper is refused in one line', () => {
    expect(() => checkOfficial(filled(), 'cifar10/netD', 'w.pth')).toThrow(
      /^w\.pth: as cifar10\/netD: .*another/,
    );
    expect(() => checkOfficial(filled(), 'cifar11/netD', 'w.pth')).toThrow(
      /did you mean 'cifar10\/netD'/,
    );
  });
});
