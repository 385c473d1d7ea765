import { DataError } from '../../core/errors.ts';
import { encodeCommand } from './frames.ts';

/** The sockets of a kernel, by the side of ZeroMQ's patterns that they play. */
export type SocketType = 'ROUTER' | 'XPUB' | 'REP';

/** What may talk to them. */
const PEERS: Readonly<Record<SocketType, readonly string[]>> = {
  ROUTER: ['DEALER', 'REQ', 'ROUTER'],
  XPUB: ['SUB', 'XSUB'],
  REP: ['REQ', 'DEALER'],
};

export const GREETING_BYTES = 64;
/** The first byte of every greeting. */
export const SIGNATURE = 0xff;
const MECHANISM_AT = 12;
const MECHANISM = Buffer.from('NULL'.padEnd(20, '\0'));

/**
 * What both sides send first: signature, version and mechanism. By version 3.0 subscriptions come as
 * messages, from peers of every later version too.
 */
export function greeting(): Buffer {
  const bytes = Buffer.alloc(GREETING_BYTES);
  bytes[0] = SIGNATURE;
  bytes[9] = 0x7f;
  bytes[10] = 3;
  MECHANISM.copy(bytes, MECHANISM_AT);
  return bytes;
}

/** @throws DataError when the peer speaks another protocol, an older version or wants a password. */
export function checkGreeting(bytes: Buffer): void {
  if (bytes[0] !== SIGNATURE || (bytes[9] & 1) === 0) throw new DataError('peer: not ZeroMQ');
  if (bytes[10] < 3) throw new DataError(`peer: ZMTP ${bytes[10]}, need 3.0 or later`);
  const mechanism = bytes.subarray(MECHANISM_AT, MECHANISM_AT + MECHANISM.length);
  if (!mechanism.equals(MECHANISM)) throw new DataError('peer: a mechanism other than NULL');
}

/** The command by which a side says what it is. */
export function readyCommand(type: SocketType): Buffer {
  return encodeCommand('READY', property('Socket-Type', type));
}

function property(name: string, value: string): Buffer {
  const head = Buffer.from([name.length, ...Buffer.from(name), 0, 0, 0, value.length]);
  return Buffer.concat([head, Buffer.from(value)]);
}

/** A command as its name and what follows it. */
export function readCommand(body: Buffer): { readonly name: string; readonly data: Buffer } {
  const length = body[0] ?? 0;
  return { name: body.toString('latin1', 1, 1 + length), data: body.subarray(1 + length) };
}

/**
 * The identity that a peer gives in its READY command, often an empty one.
 * @throws DataError when the properties are cut off, or nothing of its type may talk to `type`.
 */
export function peerIdentity(data: Buffer, type: SocketType): Buffer {
  let identity: Buffer = data.subarray(0, 0);
  let peer = '';
  for (let at = 0; at < data.length; ) {
    const valueAt = at + 1 + data[at] + 4;
    if (valueAt > data.length) throw new DataError('peer: a property is cut off');
    const name = data.toString('latin1', at + 1, valueAt - 4).toLowerCase();
    const end = valueAt + data.readUInt32BE(valueAt - 4);
    if (end > data.length) throw new DataError(`peer: the property '${name}' is cut off`);
    if (name === 'identity') identity = data.subarray(valueAt, end);
    else if (name === 'socket-type') peer = data.toString('latin1', valueAt, end);
    at = end;
  }
  if (!PEERS[type].includes(peer)) throw new DataError(`peer: a ${peer} cannot talk to a ${type}`);
  return identity;
}
