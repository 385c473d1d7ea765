import { describe, expect, it } from 'vitest';
import { ConfigError } from '../../src/core/errors.ts';
import { leafPaths, parseSetting, withOverrides } from '../../src/experiments/overrides.ts';
import { toyConfig, toyObjective, toyRates } from '../../src/experiments/toy-config.ts';

describe('withOverrides', () => {
  const config = { a: 1, b: { c: true, d: 'x' }, e: { f: { g: 0.5 } } };

  it('changes leaves by dotted path, reading texts as the type of the leaf', () => {
    const changed = withOverrides(config, { a: '7', 'b.c': 'false', 'e.f.g': 1e-3 });
    expect(changed).toEqual({ a: 7, b: { c: false, d: 'x' }, e: { f: { g: 1e-3 } } });
    expect(config.a).toBe(1);
    expect(leafPaths(config)).toEqual(['a', 'b.c', 'b.d', 'e.f.g']);
  });

  it.each([
    [{ 'b.cc': 'true' }, /unknown setting 'b.cc'; did you mean 'b.c'\?/],
    [{ b: 'x' }, /unknown setting 'b'/],
    [{ a: 'many' }, /'a' must be a number \(now 1\), got 'many'/],
    [{ a: '' }, /must be a number/],
    [{ a: 'Infinity' }, /must be finite/],
    [{ a: true }, /must be a number/],
    [{ 'b.c': '1' }, /must be a boolean/],
  ])('refuses %j', (overrides, message) => {
    expect(() => withOverrides(config, overrides as never)).toThrow(ConfigError);
    expect(() => withOverrides(config, overrides as never)).toThrow(message);
  });

  it('reads key=value, the value with further signs of equality', () => {
    expect(parseSetting('b.d=x=y')).toEqual(['b.d', 'x=y']);
    expect(() => parseSetting('=3')).toThrow(/key=value/);
  });
});

describe('toyConfig', () => {
  it("is the paper's setting at the preset paper", () => {
    const config = toyConfig({ preset: 'paper', dataset: 'pinwheel' });
    expect(config).toMatchObject({ steps: 180_000, batch: 200, dataset: 'pinwheel' });
    expect(config.diffusion.T).toBe(4);
    expect(config.optimizer).toMatchObject({ energyRate: 1e-4, beta1: 0, beta2: 0.9 });
  });

  it('survives JSON, on which the identity of a run rests', () => {
    const config = toyConfig();
    expect(JSON.parse(JSON.stringify(config))).toEqual(config);
  });

  it.each([
    [{ dataset: '24gaussians' }, /did you mean '25gaussians'\?/],
    [{ preset: 'papr' }, /unknown preset 'papr'; did you mean 'paper'\?/],
    [{ overrides: { 'optimizer.schedule': 'linear' } }, /unknown optimizer.schedule 'linear'/],
    [{ overrides: { steps: 1.5 } }, /'steps' must be an integer of at least 0/],
    [{ overrides: { batch: 1 } }, /batch must be an integer of at least 2/],
    [{ overrides: { revision: 2 } }, /cannot be changed/],
    [{ overrides: { 'objective.gamma': -1 } }, /gamma must not be negative/],
  ])('refuses %j before anything runs', (options, message) => {
    expect(() => toyConfig(options)).toThrow(ConfigError);
    expect(() => toyConfig(options)).toThrow(message);
  });

  it('builds the objective it describes', () => {
    const config = toyConfig({ overrides: { 'diffusion.T': 2, batch: 50, 'network.width': 32 } });
    const objective = toyObjective(config);
    expect(objective.batchShape).toEqual([50, 2]);
    expect(objective.noise['t']).toMatchObject({ high: 2, shape: [50] });
  });
});

describe('toyRates', () => {
  it('stay constant by default', () => {
    const rates = toyRates(toyConfig({ preset: 'paper' }));
    expect(rates(0)).toEqual(rates(179_999));
    expect(rates(0)['energy/adam/learningRate']).toBe(1e-4);
  });

  it('fall along a cosine from the rate to its final share', () => {
    const rates = toyRates(
      toyConfig({
        overrides: {
          steps: 1000,
          'optimizer.schedule': 'cosine',
          'optimizer.finalShare': 0.1,
          'optimizer.holdShare': 0,
          'optimizer.energyRate': 1e-3,
        },
      }),
    );
    const energy = (step: number) => rates(step)['energy/adam/learningRate'];
    expect(energy(0)).toBeCloseTo(1e-3, 12);
    expect(energy(500)).toBeCloseTo(5.5e-4, 12);
    expect(energy(1000)).toBeCloseTo(1e-4, 12);
  });

  it('name scalars that the state has', () => {
    const config = toyConfig();
    const state = toyObjective(config).init(0) as Record<string, { adam: object }>;
    for (const name of Object.keys(toyRates(config)(0))) {
      const [player, adam, key] = name.split('/');
      expect(adam).toBe('adam');
      expect(state[player].adam).toHaveProperty(key);
    }
  });
});
