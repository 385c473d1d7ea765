import { type ParseArgsConfig, parseArgs } from 'node:util';
import { ConfigError, unknownName } from '../core/errors.ts';

/** One option of a command, with what `--help` says of it. */
export interface Option {
  readonly type: 'string' | 'boolean';
  readonly short?: string;
  readonly multiple?: boolean;
  /** Name of the value in the help, e.g. `N`. */
  readonly value?: string;
  readonly help: string;
}

export interface Arguments {
  readonly positionals: readonly string[];
  text(name: string): string | undefined;
  texts(name: string): readonly string[];
  flag(name: string): boolean;
  /** A count. @throws ConfigError when it is anything else. */
  count(name: string): number | undefined;
}

export interface Command {
  /** e.g. `run EXPERIMENT`. */
  readonly usage: string;
  readonly summary: string;
  /** Further paragraphs of the help. */
  readonly details?: string;
  readonly options: Readonly<Record<string, Option>>;
  /** Names of the positional arguments that must be given; a last `FILE...` takes one or more. */
  readonly positionals: readonly string[];
  /** Whether several processes of a job may run it together; each otherwise would do all of it. */
  readonly parallel?: boolean;
  /** The command itself says which positionals it needs. */
  readonly optionalPositionals?: boolean;
  /** Runs to the end; what goes wrong is thrown. @returns the exit code. */
  run(args: Arguments): Promise<number>;
}

export const HELP: Option = { type: 'boolean', short: 'h', help: 'show this help' };
export const JSON_OPTION: Option = { type: 'boolean', help: 'print one JSON object' };
export const STORE_OPTION: Option = {
  type: 'string',
  value: 'DIR',
  help: 'place of the run store (default: GIBBS_STORE, else data/runs)',
};

/** `main` acts on it before the command runs. */
export const DEVICE_OPTION: Option = {
  type: 'string',
  value: 'NAME',
  help: 'cpu, webgpu, cuda or auto (default: GIBBS_DEVICE, else cpu)',
};

/** Beside `DEVICE_OPTION`; `main` acts on it as well. */
export const PRECISION_OPTION: Option = {
  type: 'string',
  value: 'NAME',
  help: 'of large products: float32, float16, bfloat16 (default: GIBBS_PRECISION, else float32)',
};

/** @throws ConfigError in one line for an unknown option, a missing value or argument. */
export function parseCommandLine(command: Command, argv: readonly string[]): Arguments {
  const options = { ...command.options, help: HELP };
  const { values, positionals } = parse(options, argv);
  if (values['help'] !== true) checkPositionals(command, positionals);
  const texts = (name: string): readonly string[] => {
    const value = values[name];
    if (value === undefined || typeof value === 'boolean') return [];
    return (Array.isArray(value) ? value : [value]) as readonly string[];
  };
  return {
    positionals,
    texts,
    text: (name) => texts(name)[0],
    flag: (name) => values[name] === true,
    count: (name) => {
      const [text] = texts(name);
      if (text === undefined) return undefined;
      if (!/^\d+$/.test(text) || !Number.isSafeInteger(Number(text))) {
        throw new ConfigError(`--${name} must be a whole number of at least 0, got '${text}'`);
      }
      return Number(text);
    },
  };
}

type Values = Readonly<
  Record<string, string | boolean | readonly (string | boolean)[] | undefined>
>;

function parse(options: Readonly<Record<string, Option>>, argv: readonly string[]) {
  const spec: ParseArgsConfig['options'] = Object.fromEntries(
    Object.entries(options).map(([name, { type, short, multiple }]) => [
      name,
      { type, multiple: multiple === true, ...(short !== undefined && { short }) },
    ]),
  );
  try {
    const parsed = parseArgs({ args: [...argv], options: spec, allowPositionals: true });
    return { values: parsed.values as Values, positionals: parsed.positionals };
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const name = /'(-{1,2}[^' ]+)/.exec(message)?.[1] ?? '';
    if (code === 'ERR_PARSE_ARGS_UNKNOWN_OPTION') {
      throw unknownName(
        'option',
        name,
        Object.keys(options).map((known) => `--${known}`),
      );
    }
    throw new ConfigError(message.split('\n')[0], { cause: error });
  }
}

function checkPositionals(command: Command, given: readonly string[]): void {
  const wanted = command.positionals;
  if (given.length < wanted.length && !command.optionalPositionals) {
    throw new ConfigError(`${wanted[given.length]} is missing: gibbs ${command.usage}`);
  }
  if (given.length > wanted.length && !wanted.at(-1)?.endsWith('...')) {
    throw new ConfigError(`unexpected argument '${given[wanted.length]}': gibbs ${command.usage}`);
  }
}

/** The text of `gibbs COMMAND --help`. */
export function helpOf(command: Command): string {
  const rows = Object.entries({ ...command.options, help: HELP }).map(([name, option]) => {
    const short = option.short === undefined ? '    ' : `-${option.short}, `;
    const value = option.type === 'string' ? ` ${option.value ?? 'TEXT'}` : '';
    return [`  ${short}--${name}${value}`, option.help] as const;
  });
  return [
    `Usage: gibbs ${command.usage} [options]`,
    '',
    command.summary,
    ...(command.details === undefined ? [] : ['', command.details]),
    '',
    'Options:',
    ...table(rows),
    '',
  ].join('\n');
}

/** Two aligned columns. */
export function table(rows: readonly (readonly [string, string])[]): string[] {
  const width = Math.max(...rows.map(([left]) => left.length));
  return rows.map(([left, right]) => `${left.padEnd(width)}  ${right}`);
}
