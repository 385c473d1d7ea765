import { kernelContestants } from './kernel/peers.ts';
import { measureKernel, QUANTITIES, type QuantityId, type Reading } from './kernel/quantities.ts';
import type { Findings, Survey, SurveyOptions } from './lib/bench.ts';
import { aligned, type Row, round, short, withSpread } from './lib/report.ts';
import { median, pairedRatio, summarise } from './lib/statistics.ts';

/** All rounds of one kernel. */
interface Measured {
  readonly name: string;
  readonly version: string;
  readonly role: 'ours' | 'peer';
  readonly rounds: Record<QuantityId, Reading>[];
}

const IDS = Object.keys(QUANTITIES) as QuantityId[];
const UNIT = 'wall-ms';

/** TypeScript kernels of Jupyter, driven over ZeroMQ by one client. */
export const kernel: Survey = {
  name: 'kernel',
  title: 'Jupyter kernels for TypeScript: start, cells, completion, an import, output',
  rounds: 5,
  async survey(options: SurveyOptions): Promise<Findings> {
    const field = await kernelContestants();
    const taking = field.contestants.filter(
      ({ role, name }) => role === 'ours' || options.wanted(name),
    );
    const counts = options.quick ? { sums: 50, completions: 20 } : { sums: 200, completions: 50 };
    const measured = taking.map(({ name, version, role }): Measured => {
      return { name, version, role, rounds: [] };
    });
    for (let round = 0; round < options.rounds; round++) {
      for (let i = 0; i < taking.length; i++) {
        const at = (i + round) % taking.length;
        options.onProgress(`round ${round + 1} of ${options.rounds}: ${taking[at].name}`);
        measured[at].rounds[round] = await measureKernel(taking[at], counts);
      }
    }
    const missing = field.missing.filter(({ label }) => options.wanted(label));
    return {
      rows: rows(measured, options.threads),
      text: table(measured, missing),
      contestants: measured,
      complete: IDS.every((id) => typeof measured[0].rounds[0]?.[id] === 'number'),
    };
  },
};

const numbers = ({ rounds }: Measured, id: QuantityId) =>
  rounds.map((r) => r[id]).filter((v) => typeof v === 'number');

const paired = ({ rounds }: Measured, id: QuantityId) =>
  rounds.map((r) => (typeof r[id] === 'number' ? r[id] : undefined));

/** Why a quantity has no number in any round. */
const failure = ({ rounds }: Measured, id: QuantityId) =>
  rounds.map((r) => r[id]).find((v) => typeof v === 'string');

function rows([ours, ...peers]: readonly Measured[], threads: number): Row[] {
  return IDS.flatMap((id) =>
    peers.map((peer): Row => {
      const name = `kernel: ${QUANTITIES[id].name}`;
      const [mine, theirs] = [numbers(ours, id), numbers(peer, id)];
      const common = {
        name,
        unit: UNIT,
        threads,
        peerName: `${peer.name} ${peer.version}`,
      } as const;
      const value = mine.length > 0 ? round(median(mine)) : null;
      if (theirs.length === 0 || value === null) {
        const fails = (value === null ? failure(ours, id) : failure(peer, id))?.replace(
          'fails: ',
          '',
        );
        return { ...common, ours: value, peer: null, ratio: null, fails };
      }
      const ratio = pairedRatio(paired(ours, id), paired(peer, id)).median;
      return { ...common, ours: value, peer: round(median(theirs)), ratio: round(ratio) };
    }),
  );
}

/** Quantities down, kernels across. */
function table(
  measured: readonly Measured[],
  missing: readonly { readonly label: string; readonly hint: string }[],
): string {
  const [ours, ...peers] = measured;
  const head = [
    'wall-ms',
    ...measured.map(({ name, version }) => `${name} ${version}`),
    ...peers.map(({ name }) => `we are faster than ${name} by`),
    'target',
  ];
  const notes: string[] = [];
  const body = IDS.map((id) => {
    const { name, target } = QUANTITIES[id];
    const cells = measured.map((kernel) => {
      const values = numbers(kernel, id);
      if (values.length > 0) return withSpread(summarise(values));
      notes.push(`  ${kernel.name}, ${name}: ${failure(kernel, id)}`);
      return 'fails';
    });
    const ratios = peers.map((peer) => {
      const { median: ratio } = pairedRatio(paired(ours, id), paired(peer, id));
      return Number.isNaN(ratio) ? '' : `${short(ratio)}×`;
    });
    return [name, ...cells, ...ratios, target === undefined ? '' : `< ${target}`];
  });
  return [
    kernel.title,
    ...aligned([head, ...body]),
    ...notes,
    ...missing.map(({ label, hint }) => `  ${label}: ${hint}`),
    '',
  ].join('\n');
}
