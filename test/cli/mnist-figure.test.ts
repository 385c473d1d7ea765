import { describe, expect, it } from 'vitest';
import { type Command, parseCommandLine } from '../../src/cli/command.ts';
import { MNIST_FIGURES, mnistFigure } from '../../src/cli/mnist-figure.ts';
import { ConfigError } from '../../src/core/errors.ts';

const text = { type: 'string', help: '' } as const;
const command: Command = {
  usage: 'figure NUMBER',
  summary: '',
  positionals: ['NUMBER'],
  options: {
    methods: text,
    jobs: text,
    set: { ...text, multiple: true },
    preset: text,
    'from-checkpoints': { type: 'boolean', help: '' },
  },
  run: () => Promise.resolve(0),
};
const draw = (...argv: string[]) =>
  mnistFigure(parseCommandLine(command, argv), new AbortController().signal);

describe('the figures of the MNIST experiments', () => {
  it('have names of their own', () => {
    expect(MNIST_FIGURES).toEqual(['2', 'stacked', 'latent-prior']);
  });

  it.each([
    [['2', '--methods', 'vera'], /figure 2 always shows the same runs, without --methods/],
    [['stacked', '--jobs', '2'], /without --jobs/],
    [['latent-prior', '--set', 'steps=3'], /takes --preset, --seed/],
    [['2', '--from-checkpoints'], /takes --preset, --seed/],
  ])('refuse %j', async (argv, message) => {
    await expect(draw(...argv)).rejects.toThrow(ConfigError);
    await expect(draw(...argv)).rejects.toThrow(message);
  });

  it('refuse an unknown preset before anything is trained', async () => {
    await expect(draw('latent-prior', '--preset', 'slow')).rejects.toThrow(/unknown preset/);
  });
});
