import { ConfigError } from '../../core/errors.ts';
import { numbersOf, type RunRecord, statusOf } from './record.ts';

const OPERATORS = ['!=', '<=', '>=', '=', '<', '>'] as const;

/** One condition on a run, e.g. `objective.divergence=kl`. */
export interface Condition {
  readonly path: string;
  readonly operator: (typeof OPERATORS)[number];
  readonly value: string;
  /** The value that a run has at the path, undefined where it has none. */
  valueIn(record: RunRecord): unknown;
  /** Every path of a run, for the message about one that does not exist. */
  known(record: RunRecord): string[];
}

/**
 * Reads `PATH OPERATOR VALUE` with one of `= != < <= > >=`. The path is that of a setting
 * (`diffusion.T`), of a final number (`metrics.gridKl`), of a label (`labels.preset`), or one of
 * `seed`, `status`, `code`. Numbers compare as numbers, everything else as text; `<` and its like
 * hold for numbers only. A run that lacks the path fulfils `!=` alone.
 * @throws ConfigError when the text has no operator or no path.
 */
export function parseCondition(text: string): Condition {
  const found = /^([^=<>!]+?)\s*(!=|<=|>=|=|<|>)\s*(.*)$/s.exec(text.trim());
  if (!found) {
    throw new ConfigError(
      `a filter is written PATH=VALUE (or !=, <, <=, >, >=), e.g. objective.divergence=kl; got '${text}'`,
    );
  }
  const [, path, operator, value] = found;
  return {
    path,
    operator: operator as Condition['operator'],
    value,
    valueIn: (record) => lookUp(record, path),
    known: (record) => [
      ...leaves(record.config),
      ...leaves(numbersOf(record), 'metrics'),
      ...leaves(record.labels ?? {}, 'labels'),
      ...RECORD_FIELDS,
    ],
  };
}

const RECORD_FIELDS = ['seed', 'status', 'code'] as const;

export function matches(record: RunRecord, condition: Condition): boolean {
  const { operator, value } = condition;
  const found = condition.valueIn(record);
  if (found === undefined || found === null) return operator === '!=';
  if (operator === '=' || operator === '!=') return equal(found, value) === (operator === '=');
  const [a, b] = [Number(found), Number(value)];
  if (operator === '<') return a < b;
  if (operator === '<=') return a <= b;
  return operator === '>' ? a > b : a >= b;
}

function equal(found: unknown, value: string): boolean {
  if (typeof found === 'number') return value.trim() !== '' && found === Number(value);
  return (typeof found === 'string' ? found : JSON.stringify(found)) === value;
}

/** The setting, number or field at a dotted path. */
export function lookUp(record: RunRecord, path: string): unknown {
  const setting = at(record.config, path);
  if (setting !== undefined) return setting;
  if (path === 'status') return statusOf(record);
  if (path === 'seed' || path === 'code') return record[path];
  if (path.startsWith('metrics.')) return at(numbersOf(record), path.slice('metrics.'.length));
  if (path.startsWith('labels.')) return record.labels?.[path.slice('labels.'.length)];
  return undefined;
}

function at(tree: unknown, path: string): unknown {
  let found = tree;
  for (const key of path.split('.')) {
    if (typeof found !== 'object' || found === null || !Object.hasOwn(found, key)) return undefined;
    found = (found as Record<string, unknown>)[key];
  }
  return found;
}

/** Dotted paths of the leaves of a plain tree. */
export function leaves(tree: unknown, prefix = ''): string[] {
  if (typeof tree !== 'object' || tree === null) return prefix === '' ? [] : [prefix];
  return Object.entries(tree).flatMap(([key, value]) =>
    leaves(value, prefix === '' ? key : `${prefix}.${key}`),
  );
}
