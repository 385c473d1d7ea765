import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';
import { integers } from '../../src/core/random.ts';

/** JPEG files of coarse random squares, `000000.jpg` and so on; `first` tells sets apart. */
export async function writePictures(
  folder: string,
  count: number,
  width: number,
  height: number,
  first = 0,
): Promise<void> {
  mkdirSync(folder, { recursive: true });
  for (let i = 0; i < count; i++) {
    const key = { seed: 0, stream: 'pictures', step: first + i };
    const raw = { width: 6, height: 6, channels: 3 as const };
    await sharp(Uint8Array.from(integers(key, 108, 256)), { raw })
      .resize(width, height, { fit: 'fill' })
      .jpeg()
      .toFile(join(folder, `${String(i).padStart(6, '0')}.jpg`));
  }
}
