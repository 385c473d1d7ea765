import type { Content, Message } from './message.ts';

/** What an execute request asks for. */
export interface CellRequest {
  readonly code: string;
  readonly silent: boolean;
  /** It counts, and goes into the history. */
  readonly isStored: boolean;
  readonly allowStdin: boolean;
  /** An error in it aborts the requests behind it. */
  readonly stopsOnError: boolean;
  readonly expressions: Readonly<Record<string, string>>;
}

export function readCellRequest({ content }: Message): CellRequest {
  const silent = content['silent'] === true;
  return {
    code: typeof content['code'] === 'string' ? content['code'] : '',
    silent,
    isStored: !silent && content['store_history'] !== false,
    allowStdin: content['allow_stdin'] === true,
    stopsOnError: content['stop_on_error'] !== false,
    expressions: userExpressions(content),
  };
}

/** True of a request that leaves nothing to run. */
export function isEmpty({ code, expressions }: CellRequest): boolean {
  return code.trim() === '' && Object.keys(expressions).length === 0;
}

function userExpressions(content: Content): Record<string, string> {
  const expressions = content['user_expressions'];
  if (typeof expressions !== 'object' || expressions === null) return {};
  return Object.fromEntries(Object.entries(expressions).map(([k, v]) => [k, String(v)]));
}
