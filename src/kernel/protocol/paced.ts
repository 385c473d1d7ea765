import type { Readable } from 'node:stream';

/** Bytes of one stream that one turn of the event loop may handle. */
const SHARE = 1 << 16;

/**
 * Reads a stream without holding up the others: after {@link SHARE} bytes the rest waits for the
 * next turn of the event loop, in which control and heartbeat are served too. A stream that fails
 * has ended.
 */
export function paced(source: Readable, onChunk: (chunk: Buffer) => void): void {
  let handled = 0;
  let isCounting = false;
  source.on('data', (chunk: Buffer) => {
    onChunk(chunk);
    handled += chunk.length;
    if (handled >= SHARE && !source.isPaused()) {
      source.pause();
      setImmediate(() => source.resume());
    }
    if (isCounting) return;
    isCounting = true;
    setImmediate(() => {
      isCounting = false;
      handled = 0;
    });
  });
  source.on('error', () => undefined);
}
