import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { integers } from '../../src/core/random.ts';

const SIDE = 28;

/**
 * Writes IDX files in MNIST's layout whose "digits" are bright squares, at a place of their own for
 * each class, on faint noise: all that needs MNIST runs on them, without the network.
 * @returns the folder.
 */
export function patchDigits(folder: string, train = 600, test = 200): string {
  mkdirSync(folder, { recursive: true });
  for (const [stem, count] of Object.entries({ train, t10k: test })) {
    const labels = integers({ seed: 0, stream: `${stem}/labels`, step: 0 }, count, 10);
    const noise = integers({ seed: 0, stream: `${stem}/noise`, step: 0 }, count * SIDE ** 2, 24);
    const pixels = Uint8Array.from(noise, (v, i) => {
      const label = labels[Math.floor(i / SIDE ** 2)];
      const [y, x] = [Math.floor(i / SIDE) % SIDE, i % SIDE];
      const [top, left] = [4 + 10 * Math.floor(label / 5), 2 + 5 * (label % 5)];
      return y >= top && y < top + 8 && x >= left && x < left + 5 ? 230 + v : v;
    });
    write(join(folder, `${stem}-images-idx3-ubyte`), [0x803, count, SIDE, SIDE], pixels);
    write(join(folder, `${stem}-labels-idx1-ubyte`), [0x801, count], Uint8Array.from(labels));
  }
  return folder;
}

function write(path: string, words: readonly number[], data: Uint8Array): void {
  const head = Buffer.alloc(4 * words.length);
  for (const [i, word] of words.entries()) head.writeUInt32BE(word, 4 * i);
  writeFileSync(path, Buffer.concat([head, data]));
}
