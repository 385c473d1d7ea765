import type { HostData } from '../../../core/host-tensor.ts';
import type { Base, CallItem, Work } from '../plan/items.ts';
import { ELEMENT_BYTES, type Location, planMemory } from '../plan/memory.ts';
import type { Step } from '../plan/schedule.ts';
import type { Precision } from '../precision.ts';
import { emitCall } from './calls.ts';
import { literal, MEMORY_TYPE } from './elements.ts';
import { emitLoops } from './loops.ts';
import { PRELUDE } from './prelude.ts';
import { runByTeam, sharedCall, TEAM } from './team.ts';
import { declaration, type Parameter, SCRATCH, type UnitCode } from './unit.ts';

/** A step as C text, and what it needs to run. */
export interface CSource {
  readonly source: string;
  readonly arenaBytes: number;
  /** What each thread after the first needs behind the arena. */
  readonly scratchBytes: number;
  /** Literal arrays too large for the text: they are handed in after the arguments. */
  readonly constants: readonly HostData[];
  /** Functions called per run. */
  readonly calls: number;
}

/** A step as C text, and how it came about. */
export interface Program extends CSource {
  /** Units in order: the function that runs each, and its steps. */
  readonly functions: readonly string[];
  readonly steps: readonly Step[];
  readonly work: Work;
}

/** Literals of more elements are handed in, not compiled in. */
const MOST_LITERALS = 256;

export function emitProgram(
  work: Work,
  steps: readonly Step[],
  inputs: number,
  precision: Precision,
): Program {
  const codes = steps.map((step) => emitUnit(work.bases, step, precision));
  const memory = planMemory(
    work,
    steps,
    codes.map((code) => code.scratch),
  );
  const helpers = new Set(codes.flatMap((code) => code.helpers));
  const functions = new Map<string, string>();
  const definitions: string[] = [];
  const names = codes.map((code) => {
    const text = functionText(code);
    let name = functions.get(text);
    if (name === undefined) {
      name = `u${functions.size}`;
      functions.set(text, name);
      definitions.push(`UNIT ${name}${text}`);
    }
    return name;
  });
  const literals = new Literals(work.bases, inputs);
  let units = 0;
  const statements = codes.map((code, t) => {
    const args = code.parameters.map((parameter) => {
      const own = parameter.base === SCRATCH && code.shared;
      const text = argument(parameter, memory.locations, memory.scratch[t], literals);
      return own ? `me == 0 ? ${text} : (float *)own` : text;
    });
    if (code.shared) args.push('part', 'all');
    const open = memory.touched[t].map(({ offset, bytes }) => `OPEN(${offset}, ${bytes});`);
    const call = `${names[t]}(${args.join(', ')});`;
    const run = code.shared ? sharedCall(++units, call) : call;
    return `CLOSE(${memory.arenaBytes}); ${[...open, run].join(' ')}`;
  });
  const { arenaBytes } = memory;
  const scratchBytes = Math.max(
    0,
    ...codes.map((code) => (code.shared ? 64 * Math.ceil(code.scratch / 16) : 0)),
  );
  const shared = codes.map((code) => code.shared);
  const source = [
    PRELUDE,
    TEAM,
    ...literals.definitions,
    ...helpers,
    ...definitions,
    ...running(statements, shared, arenaBytes, scratchBytes),
    '',
  ].join('\n');
  const { arrays: constants } = literals;
  const calls = names.length;
  return { source, arenaBytes, scratchBytes, constants, calls, functions: names, steps, work };
}

/** Statements of one C function: a compiler's time grows faster than a function. */
const TOGETHER = 32;

/** C of `gibbs_run`: by one thread, where no unit can be shared. */
function running(
  statements: readonly string[],
  shared: readonly boolean[],
  arenaBytes: number,
  scratchBytes: number,
): string[] {
  const several = shared.includes(true);
  const [types, names] = several
    ? [', char *own, long me, long all, Team *team', ', own, me, all, team']
    : ['', ''];
  const list = `char *arena, void *const *in, void *const *out${types}`;
  const lines: string[] = [];
  const calls: string[] = [];
  for (let first = 0; first < statements.length; first += TOGETHER) {
    const some = statements.slice(first, first + TOGETHER);
    const body = several
      ? byCaller(some, shared.slice(first, first + TOGETHER))
      : ['  const long all = 1;', ...some];
    lines.push(`UNIT part${calls.length}(${list}) {`, ...body, '}');
    calls.push(`  part${calls.length}(arena, in, out${names});`);
  }
  const open = `  OPEN(0, ${arenaBytes});`;
  if (!several) {
    const head = 'void gibbs_run(char *arena, void *const *in, void *const *out, int threads) {';
    return [...lines, head, ...calls, open, '}'];
  }
  return [
    ...lines,
    `static void steps(${list}) {`,
    ...calls,
    // Helpers run through to the end.
    `  if (me == 0) g_open(team, ${statements.length + 1}, me);`,
    open,
    '}',
    runByTeam(arenaBytes, scratchBytes),
  ];
}

/** Leaves what is not shared to the caller's thread. */
function byCaller(statements: readonly string[], shared: readonly boolean[]): string[] {
  const lines: string[] = [];
  statements.forEach((statement, t) => {
    const alone = t > 0 && !shared[t - 1];
    if (shared[t]) lines.push(...(alone ? ['  }'] : []), `  ${statement}`);
    else lines.push(...(alone ? [] : ['  if (me == 0) {']), `    ${statement}`);
  });
  return shared.at(-1) ? lines : [...lines, '  }'];
}

function emitUnit(bases: readonly Base[], step: Step, precision: Precision): UnitCode {
  const [head] = step.items;
  return head.kind === 'call'
    ? emitCall(bases, head as CallItem, precision)
    : emitLoops(bases, step);
}

function functionText({ parameters, body, shared }: UnitCode): string {
  const list = [...parameters.map(declaration), ...(shared ? ['long me', 'long all'] : [])];
  return `(${list.join(', ')}) {\n${body}\n}`;
}

function argument(
  { base, offset, dtype, written }: Parameter,
  locations: ReadonlyMap<number, Location>,
  scratch: number | undefined,
  literals: Literals,
): string {
  const type = `${written ? '' : 'const '}${MEMORY_TYPE[dtype]} *`;
  const pointer = (start: string, bytes: number) => `(${type})(${start} + ${bytes})`;
  if (base === SCRATCH) return pointer('arena', scratch ?? 0);
  const location = locations.get(base);
  if (location === undefined) throw new Error(`native emit: base ${base} lies nowhere`);
  const bytes = location.offset + offset * ELEMENT_BYTES[dtype];
  switch (location.in) {
    case 'arena':
      return pointer('arena', bytes);
    case 'input':
      return pointer(`(char *)in[${location.index}]`, bytes);
    case 'output':
      return pointer(`(char *)out[${location.index}]`, bytes);
    case 'const':
      return pointer(literals.start(location.base), bytes);
  }
}

/** The literal arrays of a step. */
class Literals {
  readonly arrays: HostData[] = [];
  readonly definitions: string[] = [];
  private readonly bases: readonly Base[];
  private readonly inputs: number;
  private readonly starts = new Map<number, string>();

  constructor(bases: readonly Base[], inputs: number) {
    this.bases = bases;
    this.inputs = inputs;
  }

  /** The address of a literal, as C text. */
  start(id: number): string {
    let text = this.starts.get(id);
    if (text === undefined) {
      text = this.define(this.bases[id]);
      this.starts.set(id, text);
    }
    return text;
  }

  private define({ id, source, dtype, size }: Base): string {
    if (source.kind !== 'const') throw new Error(`native emit: base ${id} is no literal`);
    const { data } = source.node.attrs;
    if (size > MOST_LITERALS) {
      this.arrays.push(data);
      return `(char *)in[${this.inputs + this.arrays.length - 1}]`;
    }
    const values = Array.from(data, (v) => literal(v, dtype)).join(', ');
    const type = `static const ${MEMORY_TYPE[dtype]}`;
    this.definitions.push(`${type} c${id}[] __attribute__((aligned(64))) = {${values}};`);
    return `(const char *)c${id}`;
  }
}
