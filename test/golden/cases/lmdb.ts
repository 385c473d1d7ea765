import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { GibbsError } from '../../../src/core/errors.ts';
import { readBytes } from '../../../src/core/files.ts';
import { decodePicture, rawPicture } from '../../../src/datasets/decode.ts';
import { type LmdbReader, openLmdb } from '../../../src/datasets/lmdb.ts';
import type { RgbPicture } from '../../../src/datasets/png.ts';
import { celebaCrop, crop, resizeAndCentre } from '../../../src/datasets/resize.ts';
import { sha256 } from '../foreign-files.ts';
import type { Comparison, GoldenFolderCase } from '../golden-case.ts';

// biome-ignore lint/suspicious/noExplicitAny: the expectations are JSON
type Json = any;

const same = (name: string, got: unknown, expected: unknown): Comparison => ({
  name,
  pass: JSON.stringify(got) === JSON.stringify(expected),
  detail: `got ${JSON.stringify(got)?.slice(0, 80)}, expected ${JSON.stringify(expected)?.slice(0, 80)}`,
});

function structure(name: string, reader: LmdbReader, want: Json): Comparison[] {
  const keys = [...reader.keys()].map((k) => Buffer.from(k).toString('latin1'));
  const ours: Json = {
    entries: reader.size,
    depth: reader.depth,
    branch_pages: reader.branchPages,
    leaf_pages: reader.leafPages,
    overflow_pages: reader.overflowPages,
    page_size: reader.pageSize,
    keys_in_order_sha256: sha256(Buffer.from(keys.join('\n'), 'latin1')),
  };
  if (want.sha256_values_in_key_order !== undefined) {
    const values = [...reader.entries()].map(([, value]) => value);
    ours.sha256_values_in_key_order = sha256(Buffer.concat(values));
  }
  if (want.sha256_concatenated !== undefined) {
    const values = keys.map((_, i) => reader.get(String(i)) ?? new Uint8Array());
    ours.sha256_concatenated = sha256(Buffer.concat(values));
  }
  const missing = reader.get('no such key') ?? reader.get('');
  return [
    ...Object.keys(ours)
      .filter((k) => k in want)
      .map((k) => same(`${name} ${k}`, ours[k], want[k])),
    same(`${name} absent key`, missing, undefined),
    same(`${name} keys`, keys.length, want.entries),
  ];
}

/** The decoded picture against a digest, or means, deviations and single pixels for JPEG. */
function pictureChecks(name: string, picture: RgbPicture, want: Json): Comparison[] {
  const { width, height, pixels } = picture;
  const rows: Comparison[] = [];
  const add = (what: string, got: unknown, expected: unknown) => {
    if (expected !== undefined) rows.push(same(`${name} ${what}`, got, expected));
  };
  add('width', width, want.width);
  add('height', height, want.height);
  add('sha256_rgb_hwc', sha256(pixels), want.sha256_rgb_hwc);
  const channel = (c: number) => pixels.filter((_, i) => i % 3 === c);
  const means = [0, 1, 2].map((c) => average(channel(c)));
  const deviations = [0, 1, 2].map((c) =>
    Math.sqrt(average(Float64Array.from(channel(c), (v) => (v - means[c]) ** 2))),
  );
  const near = (what: string, actual: number[], expected: number[] | undefined, value: number) => {
    if (expected === undefined) return;
    rows.push({ name: `${name} ${what}`, actual, expected, tolerance: { kind: 'abs', value } });
  };
  add(
    'first_pixels',
    want.first_pixels?.map((_: Json, i: number) => rgbAt(picture, i)),
    want.first_pixels,
  );
  const points = (want.pixels_at_yx ?? []) as [[number, number], number[]][];
  const at = points.flatMap(([[y, x]]) => rgbAt(picture, y * width + x));
  near('pixels_at_yx', at, points.length > 0 ? points.flatMap(([, rgb]) => rgb) : undefined, 6);
  near('mean_rgb', means, want.mean_rgb, 0.5);
  near('std_rgb', deviations, want.std_rgb, 1);
  return rows;
}

const rgbAt = ({ pixels }: RgbPicture, i: number) => [...pixels.subarray(3 * i, 3 * i + 3)];

function average(values: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i];
  return sum / values.length;
}

async function environments(path: string, all: Record<string, Json>): Promise<Comparison[]> {
  const rows: Comparison[] = [];
  for (const [folder, want] of Object.entries(all)) {
    if (folder.startsWith('bad/')) continue;
    const reader = openLmdb(join(path, folder));
    rows.push(...structure(folder, reader, want));
    for (const [key, image] of Object.entries((want.images ?? {}) as Record<string, Json>)) {
      const name = `${folder} ${key}`;
      // The long keys of one folder are three times what the list calls them.
      const bytes = reader.get(key) ?? reader.get(key.repeat(3));
      if (bytes === undefined) {
        rows.push({ name, pass: false, detail: 'there is no such key' });
        continue;
      }
      rows.push(same(`${name} bytes`, bytes.length, image.bytes ?? bytes.length));
      if (image.sha256_encoded !== undefined) {
        rows.push(same(`${name} sha256_encoded`, sha256(bytes), image.sha256_encoded));
      }
      const raw = image.format === undefined || /raw/i.test(image.format);
      const picture = raw ? rawPicture(bytes, name) : await decodePicture(bytes, name);
      rows.push(...pictureChecks(name, picture, image));
    }
    reader.close();
  }
  return rows;
}

/** Opening and reading everything must fail with an error of ours that names the file. */
function refusals(path: string): Comparison[] {
  return readdirSync(join(path, 'bad')).map((name) => {
    const folder = join(path, 'bad', name);
    try {
      const reader = openLmdb(folder);
      const entries = [...reader.entries()].length;
      return { name: `bad/${name}`, pass: false, detail: `was read: ${entries} entries` };
    } catch (error) {
      const { message } = error as Error;
      const readable = error instanceof GibbsError && message.includes(name);
      return { name: `bad/${name}`, pass: readable, detail: String(error) };
    }
  });
}

const TRANSFORMS: Record<string, (picture: RgbPicture) => RgbPicture> = {
  celeba: (picture) => celebaCrop(picture, 64),
  lsun: (picture) => resizeAndCentre(picture, 64),
};

async function transforms(path: string, all: Record<string, Json>): Promise<Comparison[]> {
  const rows: Comparison[] = [];
  for (const [name, want] of Object.entries(all)) {
    const file = (suffix: string) => join(path, 'transform', `${name}.${suffix}.png`);
    const read = (suffix: string) => decodePicture(readBytes(file(suffix)), file(suffix));
    const input = await read('in');
    const out = TRANSFORMS[name.replace(/_\d+$/, '')](input);
    const expected = (await read('out')).pixels;
    rows.push(same(`${name} input`, sha256(input.pixels), want.sha256_in_rgb_hwc));
    rows.push({
      name: `${name} output`,
      actual: out.pixels,
      expected,
      tolerance: { kind: 'abs', value: 1 },
    });
    if (want.sha256_cropped_rgb_hwc !== undefined) {
      const cropped = crop(input, 15, 40, 148, 148);
      rows.push(same(`${name} crop`, sha256(cropped.pixels), want.sha256_cropped_rgb_hwc));
    }
    rows.push(same(`${name} bit for bit`, sha256(out.pixels), want.sha256_out_rgb_hwc));
  }
  return rows;
}

async function run(path: string): Promise<Comparison[]> {
  const expected = JSON.parse(readFileSync(join(path, 'expected.json'), 'utf8')) as Json;
  return [
    ...(await environments(path, expected.environments)),
    ...refusals(path),
    ...(await transforms(path, expected.transform ?? {})),
  ];
}

export const folders: readonly GoldenFolderCase[] = [{ folder: 'lmdb', run }];
