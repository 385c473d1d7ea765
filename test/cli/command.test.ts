import { describe, expect, it } from 'vitest';
import { type Command, helpOf, parseCommandLine } from '../../src/cli/command.ts';
import { ConfigError } from '../../src/core/errors.ts';

const command: Command = {
  usage: 'walk WHERE',
  summary: 'Walks.',
  positionals: ['WHERE'],
  options: {
    steps: { type: 'string', value: 'N', short: 's', help: 'how many' },
    set: { type: 'string', multiple: true, value: 'K=V', help: 'a setting' },
    json: { type: 'boolean', help: 'as JSON' },
  },
  run: async () => 0,
};

describe('parseCommandLine', () => {
  it('reads positionals, values, repeated values and flags', () => {
    const args = parseCommandLine(command, ['north', '-s', '3', '--set', 'a=1', '--set=b=2']);
    expect(args.positionals).toEqual(['north']);
    expect(args.count('steps')).toBe(3);
    expect(args.texts('set')).toEqual(['a=1', 'b=2']);
    expect(args.flag('json')).toBe(false);
    expect(args.text('json')).toBeUndefined();
  });

  it.each([
    [['north', '--step', '3'], /unknown option '--step'; did you mean '--steps'\?/],
    [['north', '-x'], /unknown option '-x'/],
    [['north', '--steps'], /argument missing/],
    [['north', '--json=yes'], /does not take an argument/],
    [[], /WHERE is missing: gibbs walk WHERE/],
    [['north', 'south'], /unexpected argument 'south'/],
  ])('says in one line what is wrong with %j', (argv, message) => {
    expect(() => parseCommandLine(command, argv)).toThrow(ConfigError);
    expect(() => parseCommandLine(command, argv)).toThrow(message);
    try {
      parseCommandLine(command, argv);
    } catch (error) {
      expect((error as Error).message).not.toContain('\n');
    }
  });

  it.each(['-1', '1.5', 'x', '', '1e3', '9007199254740993'])('takes no count of "%s"', (text) => {
    const args = parseCommandLine(command, ['north', `--steps=${text}`]);
    expect(() => args.count('steps')).toThrow(/--steps must be a whole number/);
  });

  it('takes any number of a last positional with dots', () => {
    const many: Command = { ...command, positionals: ['VERB', 'FILE...'] };
    expect(parseCommandLine(many, ['run', 'a', 'b', 'c']).positionals).toHaveLength(4);
    expect(() => parseCommandLine(many, ['run'])).toThrow(/FILE\.\.\. is missing/);
  });

  it('needs no positional when help is asked for', () => {
    expect(parseCommandLine(command, ['--help']).flag('help')).toBe(true);
  });
});

describe('helpOf', () => {
  it('names every option, the help itself included', () => {
    const lines = helpOf(command).split('\n');
    expect(lines[0]).toBe('Usage: gibbs walk WHERE [options]');
    expect(lines).toContain('  -s, --steps N  how many');
    expect(lines).toContain('      --set K=V  a setting');
    expect(lines).toContain('  -h, --help     show this help');
  });
});
