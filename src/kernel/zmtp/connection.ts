import type { Socket } from 'node:net';
import { encodeCommand, type Frame, FrameReader } from './frames.ts';
import {
  checkGreeting,
  GREETING_BYTES,
  greeting,
  peerIdentity,
  readCommand,
  readyCommand,
  SIGNATURE,
  type SocketType,
} from './handshake.ts';
import { Inbox } from './inbox.ts';

/** Messages of one connection that one turn of the event loop may handle. */
const SHARE = 16;

/** Bytes of a turn up to which they are copied into one piece. */
const JOINED = 1 << 16;

export interface ConnectionHandlers {
  /** The peer has said what it is. */
  onOpen(connection: Connection): void;
  onMessage(connection: Connection, frames: Buffer[]): void;
  onClose(connection: Connection): void;
}

/** One peer of a socket of ours. What does not speak ZeroMQ is hung up on. */
export class Connection {
  readonly #socket: Socket;
  readonly #type: SocketType;
  readonly #handlers: ConnectionHandlers;
  readonly #inbox = new Inbox();
  readonly #frames = new FrameReader(this.#inbox);
  #isGreeted = false;
  #identity: Buffer | undefined;
  #message: Buffer[] = [];
  #isResting = false;
  #out: Uint8Array[] = [];
  #handled = 0;

  constructor(socket: Socket, type: SocketType, handlers: ConnectionHandlers) {
    this.#socket = socket;
    this.#type = type;
    this.#handlers = handlers;
    socket.setNoDelay(true);
    socket.on('data', (chunk: Buffer) => {
      this.#inbox.push(chunk);
      if (!this.#isResting) this.#read();
    });
    // A peer that is gone: `close` follows.
    socket.on('error', () => undefined);
    socket.on('close', () => {
      if (this.#identity !== undefined) handlers.onClose(this);
    });
    socket.write(greeting());
  }

  /** The name by which the peer wants to be known; empty if it does not care. */
  get identity(): Buffer {
    return this.#identity ?? Buffer.alloc(0);
  }

  /** Sends encoded messages; those of one turn of the event loop go out together, at its end. */
  send(pieces: readonly Uint8Array[]): void {
    if (this.#out.length === 0) setImmediate(() => this.#flush());
    this.#out.push(...pieces);
  }

  /** Hangs up once everything has been sent, or after `linger` ms. */
  async close(linger: number): Promise<void> {
    this.#flush();
    if (this.#socket.destroyed) return;
    const closed = new Promise((resolve) => this.#socket.once('close', resolve));
    const timer = setTimeout(() => this.#socket.destroy(), linger);
    // Not destroyed at once: what the peer has sent meanwhile would make the system drop the rest.
    this.#socket.resume();
    this.#socket.end();
    await closed;
    clearTimeout(timer);
  }

  #flush(): void {
    const out = this.#out;
    if (out.length === 0) return;
    this.#out = [];
    if (this.#socket.destroyed || this.#socket.writableEnded) return;
    for (const piece of joined(out)) this.#socket.write(piece);
  }

  #read(): void {
    try {
      if (!this.#isGreeted && !this.#greet()) return;
      for (let frame = this.#frames.next(); frame !== undefined; frame = this.#frames.next()) {
        this.#take(frame);
        if (this.#handled >= SHARE) {
          this.#rest();
          return;
        }
      }
    } catch {
      this.#socket.destroy();
    }
  }

  /** What has arrived and not been handled waits: others would wait for all of it. */
  #rest(): void {
    this.#isResting = true;
    this.#socket.pause();
    setImmediate(() => {
      this.#handled = 0;
      this.#isResting = false;
      this.#socket.resume();
      this.#read();
    });
  }

  #greet(): boolean {
    const { first } = this.#inbox;
    if (first !== undefined && first !== SIGNATURE) throw new Error('not ZeroMQ');
    const bytes = this.#inbox.take(GREETING_BYTES);
    if (bytes === undefined) return false;
    checkGreeting(bytes);
    this.#isGreeted = true;
    this.#socket.write(readyCommand(this.#type));
    return true;
  }

  #take({ isCommand, hasMore, body }: Frame): void {
    if (isCommand) {
      this.#command(body);
      return;
    }
    if (this.#identity === undefined) throw new Error('a message before READY');
    this.#message.push(body);
    if (!hasMore) this.#deliver();
  }

  #deliver(): void {
    const frames = this.#message;
    this.#message = [];
    if (this.#handled++ === 0) {
      setImmediate(() => {
        if (!this.#isResting) this.#handled = 0;
      });
    }
    this.#handlers.onMessage(this, frames);
  }

  #command(body: Buffer): void {
    const { name, data } = readCommand(body);
    if (name === 'READY' && this.#identity === undefined) {
      this.#identity = Buffer.from(peerIdentity(data, this.#type));
      this.#handlers.onOpen(this);
    } else if (name === 'PING') {
      // Without its first two bytes, the time after which the peer gives up.
      this.#socket.write(encodeCommand('PONG', data.subarray(2)));
    } else if (name === 'SUBSCRIBE' || name === 'CANCEL') {
      this.#message.push(Buffer.concat([Buffer.from([name === 'SUBSCRIBE' ? 1 : 0]), data]));
      this.#deliver();
    } else if (name === 'ERROR') this.#socket.destroy();
  }
}

/** Short pieces in one, which leaves in one call of the system; long ones as they are. */
function joined(pieces: Uint8Array[]): Uint8Array[] {
  if (pieces.length === 1) return pieces;
  const length = pieces.reduce((sum, piece) => sum + piece.length, 0);
  return length > JOINED ? pieces : [Buffer.concat(pieces, length)];
}
