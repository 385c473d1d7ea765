import { isObject, type Json, type JsonObject, type Output } from './document.ts';

/** Folders whose paths say more about the machine than about the result, and what stands for them. */
export type PathNames = readonly (readonly [folder: string, name: string])[];

/**
 * Outputs as they are committed: streams in one piece with carriage returns carried out, without
 * progress bars, execution counts and paths of this machine, and without what only a live kernel
 * could serve.
 */
export function normaliseOutputs(outputs: readonly Output[], paths: PathNames): Output[] {
  const kept: Output[] = [];
  for (const output of outputs) {
    const clean = normalise(output, paths);
    const last = kept.at(-1);
    if (
      clean?.output_type === 'stream' &&
      last?.output_type === 'stream' &&
      last.name === clean.name
    ) {
      kept[kept.length - 1] = { ...last, text: last.text + clean.text };
    } else if (clean) kept.push(clean);
  }
  return kept
    .map((output) =>
      output.output_type === 'stream' ? { ...output, text: settled(output.text) } : output,
    )
    .filter((output) => output.output_type !== 'stream' || output.text !== '');
}

function normalise(output: Output, paths: PathNames): Output | undefined {
  switch (output.output_type) {
    case 'stream':
      return { ...output, text: withoutPaths(output.text, paths) };
    case 'error':
      return {
        output_type: 'error',
        ename: output.ename,
        evalue: withoutPaths(output.evalue, paths),
        traceback: output.traceback.map((line) => withoutPaths(line, paths)),
      };
    case 'display_data':
    case 'execute_result': {
      if (isProgress(output.metadata)) return undefined;
      const data = bundle(output.data, paths);
      if (Object.keys(data).length === 0) return undefined;
      const metadata = pick(output.metadata, Object.keys(data));
      return output.output_type === 'display_data'
        ? { output_type: 'display_data', data, metadata }
        : { output_type: 'execute_result', execution_count: null, data, metadata };
    }
  }
}

/** The kernel's own progress bars say so. */
export function isProgress(metadata: JsonObject): boolean {
  const gibbs = metadata['gibbs'];
  return isObject(gibbs) && gibbs['progress'] === true;
}

/** Of a widget only its state could be shown again, and a notebook file does not hold it. */
const LIVE = 'application/vnd.jupyter.widget-view+json';

function bundle(data: JsonObject, paths: PathNames): JsonObject {
  const entries = Object.entries(data)
    .filter(([mime]) => mime !== LIVE)
    .map(([mime, value]): [string, Json] => [
      mime,
      typeof value === 'string' && (mime.startsWith('text/') || mime === 'image/svg+xml')
        ? withoutPaths(value, paths)
        : value,
    ]);
  return Object.fromEntries(entries);
}

export function pick(from: JsonObject, keys: readonly string[]): JsonObject {
  return Object.fromEntries(
    keys.filter((key) => from[key] !== undefined).map((key) => [key, from[key]]),
  );
}

/** What a terminal would show in the end, less the lines that are progress bars. */
function settled(text: string): string {
  const lines = text.split('\n').map(overwritten);
  return lines.filter((line) => !PROGRESS.test(line)).join('\n');
}

/** `45%|████▌     | 45/100 [00:03<00:04]` and bars of block characters of any maker. */
const PROGRESS = /\d+%\s*\|.*\|.*\d+\/\d+|[█▉▊▋▌▍▎▏━╸░▒]{4}|[█▉▊▋▌▍▎▏]\s{4}/;

function overwritten(line: string): string {
  let shown = '';
  for (const part of line.replace(/\r+$/, '').split('\r')) {
    shown = part + shown.slice(part.length);
  }
  return shown;
}

function withoutPaths(text: string, paths: PathNames): string {
  let result = text;
  for (const [folder, name] of paths) {
    if (folder === '' || folder === '/') continue;
    const escaped = folder.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
    const inside = new RegExp(`(?:file://)?(?<![\\w.~-])${escaped}/`, 'g');
    const itself = new RegExp(`(?:file://)?(?<![\\w.~-])${escaped}(?![\\w.-])`, 'g');
    result = result.replace(inside, name === '.' ? '' : `${name}/`).replace(itself, name);
  }
  return result;
}
