import { splitBuffers } from '../user/frames.ts';
import type { FromUser } from '../user/wire.ts';
import type { Executor } from './executor.ts';
import type { KernelIo } from './kernel-io.ts';
import type { Content, Message } from './message.ts';
import type { UserProcess } from './user-process.ts';

type CommKind = 'comm_open' | 'comm_msg' | 'comm_close';

/** Carries comm messages between the front end and the user's code. */
export class CommBridge {
  readonly #io: KernelIo;
  readonly #user: () => UserProcess;
  readonly #executor: Executor;
  #open: Readonly<Record<string, string>> = {};

  constructor(io: KernelIo, user: () => UserProcess, executor: Executor) {
    this.#io = io;
    this.#user = user;
    this.#executor = executor;
  }

  forward(message: Message): undefined {
    const { content, metadata, buffers } = message;
    const kind = message.header.msg_type as CommKind;
    const lengths = buffers.map((buffer) => buffer.byteLength);
    this.#user().send({ t: 'comm', kind, content, metadata, buffers: lengths }, buffers);
    return undefined;
  }

  frame(frame: Extract<FromUser, { t: 'comm' | 'comms' }>, rest: Buffer): void {
    if (frame.t === 'comms') {
      this.#open = frame.open;
      return;
    }
    const buffers = splitBuffers(frame.buffers ?? [], rest);
    const parent = this.#executor.origin(frame.c);
    this.#io.publish(frame.kind, frame.content, parent, { metadata: frame.metadata, buffers });
  }

  info(request: Content): Content {
    const target = request['target_name'];
    const comms = Object.entries(this.#open)
      .filter(([, name]) => typeof target !== 'string' || name === target)
      .map(([id, target_name]) => [id, { target_name }]);
    return { status: 'ok', comms: Object.fromEntries(comms) };
  }

  /** The user process is a new one. */
  forget(): void {
    this.#open = {};
  }
}
