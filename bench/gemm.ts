import { buildProgram, LIBRARIES, repeatsOf } from './gemm/program.ts';
import { flops, toyProducts } from './gemm/shapes.ts';
import type { Findings, Survey, SurveyOptions } from './lib/bench.ts';
import { aligned, type Row, round, withSpread } from './lib/report.ts';
import { median, pairedRatio, summarise } from './lib/statistics.ts';

/** CPU seconds per call, by contestant, product and round. */
type Times = (number | undefined)[][][];

const CONTESTANTS = ['Gibbs', ...LIBRARIES.map(({ name }) => name)];

/** The products of matrices of the toy step, ours and those of the libraries that are installed. */
export const gemm: Survey = {
  name: 'gemm',
  title: 'products of matrices in one DDAEBM iteration on 25 Gaussians, each with its operands hot',
  rounds: 9,
  async survey({ threads, rounds, wanted, onProgress }: SurveyOptions): Promise<Findings> {
    const products = toyProducts();
    const time = buildProgram(products, threads);
    const taking = CONTESTANTS.map((name, who) => who === 0 || wanted(name));
    const times: Times = CONTESTANTS.map(() => products.map(() => []));
    for (let r = 0; r < rounds; r++) {
      onProgress(`round ${r + 1} of ${rounds}`);
      for (let i = 0; i < products.length; i++) {
        for (let turn = 0; turn < CONTESTANTS.length; turn++) {
          const who = (turn + r) % CONTESTANTS.length;
          if (!taking[who]) continue;
          const repeats = repeatsOf(products[i].call);
          time(i, who, Math.ceil(repeats / 8));
          times[who][i][r] = time(i, who, repeats);
        }
      }
    }
    const present = CONTESTANTS.map((_, who) => times[who][0].some((t) => t !== undefined));
    const whole = times.map((byProduct) =>
      Array.from({ length: rounds }, (_, r) => {
        const parts = products.map(({ count }, i) => count * (byProduct[i][r] ?? Number.NaN));
        return parts.reduce((x, y) => x + y, 0);
      }),
    );
    const work = products.reduce((sum, { call, count }) => sum + count * flops(call), 0);
    const rate = (seconds: readonly (number | undefined)[], amount: number) =>
      median(seconds.filter((t) => t !== undefined).map((t) => amount / t / 1e9));
    const line = (name: string, amount: number, of: (who: number) => (number | undefined)[]) => [
      name,
      ...CONTESTANTS.map((_, who) => (present[who] ? rate(of(who), amount).toFixed(1) : '')),
      ...CONTESTANTS.slice(1).map((_, i) =>
        present[i + 1] ? withSpread(pairedRatio(of(0), of(i + 1)), '×') : '',
      ),
    ];
    const body = [
      line('all of one iteration', work, (who) => whole[who]),
      ...products.map(({ call, count }, i) => {
        const { m, n, k, transA, transB, bias } = call;
        const form = `${transA ? 'aᵀ' : 'a'}·${transB ? 'bᵀ' : 'b'}${bias === 'none' ? '' : ' + c'}`;
        return line(`${count} × ${m}×${n}×${k} ${form}`, flops(call), (who) => times[who][i]);
      }),
    ];
    const head = ['GFLOP/s', ...CONTESTANTS, ...CONTESTANTS.slice(1).map((n) => `against ${n}`)];
    const missing = CONTESTANTS.filter((name, who) => !present[who] && wanted(name));
    const text = [
      `gemm: ${this.title}, ${threads} thread${threads === 1 ? '' : 's'}`,
      ...aligned([head, ...body]),
      ...missing.map((name) => `  ${name}: not installed`),
      '',
    ].join('\n');
    const ours = summarise(whole[0]).median * 1000;
    const rows = CONTESTANTS.flatMap((peerName, who): Row[] => {
      if (who === 0 || !present[who]) return [];
      const ratio = round(pairedRatio(whole[0], whole[who]).median);
      const peer = round(summarise(whole[who]).median * 1000);
      return [
        {
          name: 'gemm',
          unit: 'CPU-ms/iteration',
          threads,
          ours: round(ours),
          peer,
          peerName,
          ratio,
        },
      ];
    });
    const contestants = CONTESTANTS.map((name, who) => ({ name, times: times[who] }));
    return { rows, text, contestants, complete: present[0] };
  },
};
