import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { itemsOf, type PickleValue } from '../../../src/core/pickle.ts';
import { readStateDict } from '../../../src/core/torch-content.ts';
import { readTorchFile, torchTensor } from '../../../src/core/torch-file.ts';
import { type TorchTensor, torchToFloat32 } from '../../../src/core/torch-tensor.ts';
import type { Tensor } from '../../../src/jit/tf.ts';
import { compare, relToMax } from '../compare.ts';
import { executor } from '../executor.ts';
import { checkForeignFiles, sha256 } from '../foreign-files.ts';
import type { Comparison, GoldenFolderCase } from '../golden-case.ts';
import { GoldenFile } from '../golden-file.ts';
import { generatorOf } from './05-networks.ts';

// biome-ignore lint/suspicious/noExplicitAny: the expectations are JSON
type Json = any;

const bytesOf = (data: ArrayBufferView) =>
  new Uint8Array(data.buffer, data.byteOffset, data.byteLength);

const special = (v: number) => (Number.isFinite(v) ? v : String(v));

/** Everything in the tree by its path: tensors and the rest, as the expectations describe them. */
function describe(value: PickleValue) {
  const tensors: Record<string, TorchTensor> = {};
  const other: Record<string, Json> = {};
  const walk = (v: PickleValue, path: string): void => {
    const at = (key: unknown) => (path === '' ? String(key) : `${path}/${String(key)}`);
    const name = path === '' ? '.' : path;
    const tensor = torchTensor(v);
    if (tensor !== undefined) tensors[name] = tensor;
    else if (v instanceof Map) {
      other[name] = { keys: [...v.keys()] };
      for (const [key, item] of v) walk(item, at(key));
    } else if (v instanceof Uint8Array) {
      other[name] = { hex: Buffer.from(v).toString('hex') };
    } else if (itemsOf(v) !== undefined) {
      const items = itemsOf(v) as readonly PickleValue[];
      other[name] = { length: items.length };
      items.forEach((item, i) => {
        walk(item, at(i));
      });
    } else if (typeof v === 'object' && v !== null && 'kind' in v && v.kind === 'object') {
      other[name] = { type: v.type, attributes: plain(v.attributes) };
    } else if (typeof v === 'number') other[name] = { value: special(v) };
    else other[name] = { value: typeof v === 'bigint' ? String(v) : v };
  };
  walk(value, '');
  return { tensors, other };
}

function plain(v: PickleValue): Json {
  if (v instanceof Map) return Object.fromEntries([...v].map(([k, i]) => [String(k), plain(i)]));
  return itemsOf(v)?.map(plain) ?? (typeof v === 'bigint' ? String(v) : v);
}

/** Our description of a file in the form of the expectation, key for key. */
function read(path: string, expected: Json): Record<string, unknown> {
  const { tensors, other } = describe(readTorchFile(path));
  const f32 = Object.values(tensors).map((t) => sha256(bytesOf(torchToFloat32(t))));
  const out: Record<string, unknown> = { n_tensors: Object.keys(tensors).length };
  if (expected.digest !== undefined) out['digest'] = sha256(Buffer.from(f32.join(''), 'hex'));
  out['tensors'] = Object.fromEntries(
    Object.entries((expected.tensors ?? {}) as Record<string, Json>).map(([key, want]) => {
      const tensor = tensors[key];
      if (tensor === undefined) return [key, null];
      const values = torchToFloat32(tensor);
      const said: Json = {
        dtype: tensor.dtype.toLowerCase(),
        shape: [...tensor.shape],
        sha256_f32: sha256(bytesOf(values)),
        sha256_native: sha256(bytesOf(tensor.data)),
        first_exact: Array.from(tensor.data.subarray(0, 4) as ArrayLike<number | bigint>, String),
      };
      // Fields that are not compared exactly keep the expected value.
      return [
        key,
        Object.fromEntries(Object.keys(want).map((k) => [k, k in said ? said[k] : want[k]])),
      ];
    }),
  );
  out['other'] = Object.fromEntries(
    Object.entries((expected.other ?? {}) as Record<string, Json>).map(([key, want]) => [
      key,
      Object.fromEntries(
        Object.keys(want).map((k) => [
          k,
          other[key] === undefined ? null : k in other[key] ? other[key][k] : want[k],
        ]),
      ),
    ]),
  );
  return out;
}

/** `load or refuse`: a readable refusal is as good as the values. */
function choices(path: string): Set<string> {
  const all = JSON.parse(readFileSync(join(path, 'expected.json'), 'utf8')) as Record<string, Json>;
  return new Set(
    Object.keys(all).filter((name) => !['load', 'refuse'].includes(all[name].outcome)),
  );
}

/** The network of the checkpoint against the outputs of its golden file beside the folder. */
async function sameOutput(path: string): Promise<Comparison[]> {
  const file = new GoldenFile(join(path, '..', '05_gen_ncsnpp.safetensors'));
  const network = generatorOf(file.args);
  const run = executor((p: Record<string, Tensor>, t: Tensor, x: Tensor, z: Tensor) =>
    network.bind(p, { levels: t })(x, z, { kind: 'batch' }),
  );
  const rows: Comparison[] = [];
  for (const name of ['a_netG.pth', 'c_netG_module_prefix.pth']) {
    const inputs = ['t', 'x', 'z'].map((n) => file.tensor(`in:${n}`));
    const out = (await run(readStateDict(join(path, name)), ...inputs)) as { data: Float32Array };
    rows.push({ ...compare(file, 'out:y', out.data, relToMax(1e-5)), name: `${name} output` });
  }
  return rows;
}

async function run(path: string): Promise<Comparison[]> {
  const either = choices(path);
  const checks = checkForeignFiles(path, read).map((check) => {
    const name = check.name.split(' ')[0];
    const refused = !check.name.includes(' ') && (check.detail?.startsWith('DataError') ?? false);
    return either.has(name) && refused ? { ...check, pass: true } : check;
  });
  return [...checks, ...(await sameOutput(path))];
}

export const folders: readonly GoldenFolderCase[] = [{ folder: 'pth', run }];
