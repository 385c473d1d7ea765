import { device, type Tensor } from '../../src/jit/index.ts';
import type { Metrics } from '../../src/objectives/objective.ts';

/**
 * Keeps the metrics of the latest step. A call on a device may return before the device is done;
 * reading a metric waits for it.
 */
export class LatestMetrics {
  private latest: Metrics | undefined;

  keep(metrics: Metrics): void {
    for (const metric of this.all()) metric.dispose();
    this.latest = metrics;
  }

  finish(): void {
    this.all()[0]?.dataSync();
  }

  private all(): Tensor[] {
    return Object.values<Tensor>(this.latest ?? {});
  }
}

const PREFIX: Readonly<Record<string, number>> = { '': 1, k: 1e3, M: 1e6, G: 1e9, T: 1e12 };

/** Operations of a step by its listing, counted on devices only: it takes another trace. */
export function flopsOnDevice(explain: () => string): { flops?: number } {
  if (device() === 'cpu') return {};
  const [, number, prefix] = /([\d.]+) ([kMGT]?)FLOP/.exec(explain()) ?? [];
  return number === undefined ? {} : { flops: Number(number) * PREFIX[prefix] };
}
