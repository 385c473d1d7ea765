import {
  createHmac,
  createSecretKey,
  type KeyObject,
  randomUUID,
  timingSafeEqual,
} from 'node:crypto';
import { DataError } from '../../core/errors.ts';

/** Version of the Jupyter messaging protocol that this kernel speaks. */
export const PROTOCOL_VERSION = '5.5';

const DELIMITER = Buffer.from('<IDS|MSG>');

export interface Header {
  readonly msg_id: string;
  readonly session: string;
  readonly username: string;
  readonly date: string;
  readonly msg_type: string;
  readonly version: string;
}

export type Content = Record<string, unknown>;

/** One Jupyter message as it crosses a socket. `idents` route the reply on ROUTER sockets. */
export interface Message {
  readonly idents: readonly Buffer[];
  readonly header: Header;
  readonly parent: Header | Record<string, never>;
  readonly metadata: Content;
  readonly content: Content;
  readonly buffers: readonly Uint8Array[];
}

/** Signs and verifies messages with the key of the connection file; no key, no signatures. */
export class Signer {
  readonly #scheme: string;
  readonly #key: KeyObject | undefined;

  /** @throws DataError when the scheme is not an HMAC. */
  constructor(key: string, scheme = 'hmac-sha256') {
    if (!scheme.startsWith('hmac-')) {
      throw new DataError(
        `connection file: signature_scheme '${scheme}' is not of the form hmac-HASH`,
      );
    }
    this.#scheme = scheme.slice('hmac-'.length);
    this.#key = key === '' ? undefined : createSecretKey(Buffer.from(key));
  }

  sign(parts: readonly (Uint8Array | string)[]): string {
    if (this.#key === undefined) return '';
    const hmac = createHmac(this.#scheme, this.#key);
    for (const part of parts) hmac.update(part);
    return hmac.digest('hex');
  }

  /** Compares in constant time. */
  verify(parts: readonly Uint8Array[], signature: Uint8Array): boolean {
    if (this.#key === undefined) return true;
    const expected = Buffer.from(this.sign(parts));
    return expected.length === signature.length && timingSafeEqual(expected, signature);
  }
}

/**
 * Reads the frames of one message.
 * @throws DataError when frames are missing, the signature is wrong or a part is not a JSON object.
 */
export function decodeMessage(frames: readonly Buffer[], signer: Signer): Message {
  const at = frames.findIndex((frame) => frame.equals(DELIMITER));
  if (at < 0) throw new DataError(`message: no ${DELIMITER} frame among ${frames.length}`);
  if (frames.length < at + 6) {
    throw new DataError(`message: ${frames.length - at - 1} frames after the delimiter, need 5`);
  }
  const parts = frames.slice(at + 2, at + 6);
  if (!signer.verify(parts, frames[at + 1])) throw new DataError('message: wrong signature');
  const [header, parent, metadata, content] = parts.map(jsonObject);
  if (typeof header['msg_type'] !== 'string' || typeof header['msg_id'] !== 'string') {
    throw new DataError('message: the header lacks msg_type or msg_id');
  }
  return {
    idents: frames.slice(0, at),
    header: header as unknown as Header,
    parent: parent as unknown as Header,
    metadata,
    content,
    buffers: frames.slice(at + 6),
  };
}

/** The frames of a message. JSON stays text: it becomes bytes once, where all frames are joined. */
export function encodeMessage(message: Message, signer: Signer): (Uint8Array | string)[] {
  const { header, parent, metadata, content } = message;
  const parts = [
    JSON.stringify(header),
    headerText(parent),
    JSON.stringify(metadata),
    JSON.stringify(content),
  ];
  return [...message.idents, DELIMITER, signer.sign(parts), ...parts, ...message.buffers];
}

/** The texts of parents: a cell has many children. */
const texts = new WeakMap<object, string>();

function headerText(parent: Message['parent']): string {
  let text = texts.get(parent);
  if (text === undefined) {
    text = JSON.stringify(parent);
    texts.set(parent, text);
  }
  return text;
}

/** Makes messages of one kernel session. */
export class MessageFactory {
  readonly session = randomUUID();
  #count = 0;

  create(
    type: string,
    content: Content,
    options: {
      parent?: Header | Record<string, never>;
      idents?: readonly Buffer[];
      metadata?: Content;
      buffers?: readonly Uint8Array[];
    } = {},
  ): Message {
    return {
      idents: options.idents ?? [],
      header: {
        msg_id: `${this.session}_${this.#count++}`,
        session: this.session,
        username: 'kernel',
        date: new Date().toISOString(),
        msg_type: type,
        version: PROTOCOL_VERSION,
      },
      parent: options.parent ?? {},
      metadata: options.metadata ?? {},
      content,
      buffers: options.buffers ?? [],
    };
  }
}

function jsonObject(bytes: Buffer): Content {
  let value: unknown;
  try {
    value = JSON.parse(bytes.toString('utf8'));
  } catch (error) {
    throw new DataError(`message: a part is not JSON (${(error as Error).message})`);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new DataError('message: a part is not a JSON object');
  }
  return value as Content;
}
