import type { Content, Message } from './message.ts';
import type { Channel } from './sockets.ts';

/** What the kernel lends to its parts. */
export interface KernelIo {
  publish(
    type: string,
    content: Content,
    parent: Pick<Message, 'header'> | undefined,
    extra?: { metadata?: Content; buffers?: readonly Uint8Array[] },
  ): void;
  /** Makes a message now that {@link publish} would make; it is published by the call of the result. */
  prepare(type: string, content: Content, parent: Pick<Message, 'header'>): () => void;
  reply(channel: Channel, type: string, request: Message, content: Content): void;
  /** Sends an input request to the client that runs the cell. */
  ask(request: Pick<Message, 'header' | 'idents'>, content: Content): void;
}
