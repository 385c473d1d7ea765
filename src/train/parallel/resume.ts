import { encodeSafetensors, readSafetensors, toHostTensor } from '../../core/safetensors.ts';
import type { HostState, Objective } from '../../objectives/objective.ts';
import type { Checkpoint } from '../checkpoint.ts';
import { codeVersion } from '../code-version.ts';
import type { TrainOptions } from '../loop.ts';
import { canonicalJson, type TrainingRun } from '../run.ts';
import { namedLeaves, stateFrom } from '../state-leaves.ts';
import { agree, lead, type Ranks } from './ranks.ts';
import type { Parallel } from './team.ts';

/**
 * The options of a training on several processes, ready to begin: checked to be the same on all
 * ranks, and with a run that gives each of them the checkpoint that rank 0 has found.
 * @throws ConfigError on all ranks when they would train different things.
 */
export async function resumedTogether<State>(
  options: TrainOptions<State>,
  { ranks, parts = 1 }: Parallel<State>,
): Promise<TrainOptions<State>> {
  const { run, objective, seed, steps, logEvery } = options;
  const computation = { ...options, objective: objective as Objective };
  await agree(
    ranks,
    'a configuration or code',
    canonicalJson({ seed, steps, logEvery, parts, code: codeVersion(computation) }),
  );
  const found = await sharedCheckpoint(ranks, run, objective.init(seed));
  const kept: TrainingRun = {
    restore: () => found,
    save: (checkpoint) => run?.save(checkpoint),
    log: (row) => run?.log(row),
  };
  return { ...options, run: kept };
}

/** The checkpoint of rank 0's run, on every rank. */
async function sharedCheckpoint(
  ranks: Ranks,
  run: TrainingRun | undefined,
  template: HostState,
): Promise<Checkpoint | undefined> {
  let mine: Checkpoint | undefined;
  const head = await lead(ranks, () => {
    mine = run?.restore(template);
    return mine ? { step: mine.step, seconds: mine.seconds, window: mine.window } : null;
  });
  if (head === null) return undefined;
  const bytes = await ranks.broadcast(mine && encodeState(mine.state));
  const { tensors } = readSafetensors(bytes, 'the checkpoint of rank 0');
  const leaves = Object.fromEntries([...tensors].map(([name, t]) => [name, toHostTensor(t)]));
  return { ...head, state: stateFrom(template, leaves, 'the checkpoint of rank 0') };
}

function encodeState(state: HostState): Uint8Array {
  return Buffer.concat(encodeSafetensors(namedLeaves(state)));
}
