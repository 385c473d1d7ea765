import { readSync } from 'node:fs';

/** One call reads at most about 2 GiB on Linux. */
const MOST = 2 ** 30;

/** The bytes of an open file from `begin` on: `length` of them, or fewer where the file ends. */
export function readAt(fd: number, begin: number, length: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(length);
  for (let at = 0; at < length; ) {
    const n = readSync(fd, bytes, at, Math.min(length - at, MOST), begin + at);
    if (n === 0) return bytes.slice(0, at);
    at += n;
  }
  return bytes;
}
