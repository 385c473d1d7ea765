import { NativeBuildError } from '../../core/errors.ts';
import type { HostData } from '../../core/host-tensor.ts';
import type { Slot } from '../run/session.ts';
import {
  rememberedVerdict,
  rememberVerdict,
  selfCheck,
  type Tolerance,
} from './build/self-check.ts';
import type { CSource } from './emit/program.ts';
import { NativeSession } from './executor.ts';
import { notify } from './notify.ts';

/** What runs a compiled graph. */
export interface Session {
  run(inputs: readonly Slot[], outputs: readonly Slot[]): void;
  dispose(): void;
}

/** What stands beside compiled code; both in float32. */
export interface Reserve {
  /** Runs in its place. */
  reference(): Session;
  /** What its first results are compared with, where that is not `reference`. */
  readonly oracle?: (() => Session) | undefined;
  /** How far they may lie apart. */
  readonly tolerance?: Partial<Tolerance> | undefined;
}

/**
 * A graph compiled to C where that is possible and proves right: its first run is compared with that
 * of the reference, once for every library. Otherwise the reference itself, with one notice.
 */
export class AutoSession implements Session {
  private native: NativeSession | undefined;
  private reference: Session | undefined;
  private readonly reserve: Reserve;
  private readonly name: string;
  private checked = false;

  constructor(code: CSource, name: string, threads: number, reserve: Reserve) {
    this.name = name;
    this.reserve = reserve;
    try {
      this.native = new NativeSession(code, name, threads);
    } catch (error) {
      if (!(error instanceof NativeBuildError)) throw error;
      notify(`running on ONNX Runtime: ${error.message}`);
    }
  }

  /** Whether the next run is that of the compiled library. */
  get isNative(): boolean {
    return this.native !== undefined;
  }

  /** Whether no compiler had to run. */
  get cached(): boolean {
    return this.native?.cached ?? false;
  }

  /** Functions that one run calls, as far as it is compiled. */
  get nodeCount(): number {
    return this.native?.nodeCount ?? 0;
  }

  run(inputs: readonly Slot[], outputs: readonly Slot[]): void {
    if (this.native !== undefined && !this.checked) this.check(this.native, inputs, outputs);
    (this.native ?? this.fallback()).run(inputs, outputs);
  }

  dispose(): void {
    this.native?.dispose();
    this.reference?.dispose();
    this.native = undefined;
  }

  private fallback(): Session {
    this.reference ??= this.reserve.reference();
    return this.reference;
  }

  private check(native: NativeSession, inputs: readonly Slot[], outputs: readonly Slot[]): void {
    this.checked = true;
    let verdict = rememberedVerdict(native.library);
    if (verdict === undefined) {
      const results = (session: Session) => (): readonly HostData[] => {
        const fresh = outputs.map((slot) => ({ ...slot, data: slot.data.slice() }));
        session.run(inputs, fresh);
        return fresh.map(({ data }) => data);
      };
      const { oracle, tolerance } = this.reserve;
      const right = oracle?.() ?? this.fallback();
      verdict = selfCheck(results(native), results(right), undefined, tolerance);
      if (right !== this.reference) right.dispose();
      rememberVerdict(native.library, verdict);
      if (verdict.agrees) {
        this.reference?.dispose();
        this.reference = undefined;
      }
    }
    if (verdict.agrees) return;
    notify(
      `running ${this.name} on ONNX Runtime: the compiled code gave another result (${verdict.detail})`,
    );
    native.dispose();
    this.native = undefined;
  }
}
