import type { Node } from '../../ir/ops.ts';
import type { Base, CallItem } from '../plan/items.ts';
import type { OpsOf } from '../plan/kinds.ts';
import type { Precision } from '../precision.ts';
import { CallEmitter, type CallRule } from './call.ts';
import { CONVOLUTIONS } from './convolutions.ts';
import { INDEXING } from './indexing.ts';
import { PRODUCTS } from './products.ts';
import type { UnitCode } from './unit.ts';

type CallOp = OpsOf<'call'>;

const CALLS: { readonly [K in CallOp]: CallRule<K> } = {
  ...PRODUCTS,
  ...CONVOLUTIONS,
  ...INDEXING,
};

export function emitCall(bases: readonly Base[], item: CallItem, precision: Precision): UnitCode {
  const emitter = new CallEmitter(bases, item, precision);
  const rule = CALLS[item.node.op as CallOp] as CallRule<CallOp>;
  return emitter.finish(rule(emitter, item.node as Node<CallOp>));
}
