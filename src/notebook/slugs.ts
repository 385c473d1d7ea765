import { createHash } from 'node:crypto';

const LENGTH = 40;

/**
 * Ids for cells, from what stands in them: `why-diffusion` for a cell headed "Why diffusion?".
 * The same cells get the same ids whoever saves them; a repeated slug gets `-2`, `-3`, …
 */
export function slugIds(
  cells: readonly { readonly cell_type: string; readonly source: string }[],
): string[] {
  const taken = new Set<string>();
  return cells.map((cell) => {
    const base = slug(cell.cell_type, cell.source);
    let id = base;
    for (let n = 2; taken.has(id); n++) id = `${base}-${n}`;
    taken.add(id);
    return id;
  });
}

function slug(type: string, source: string): string {
  const lines = source.split('\n').map((line) => line.trim());
  const first = lines.find((line) => words(line) !== '') ?? '';
  const heading = type === 'markdown' ? lines.find((line) => /^#+\s/.test(line)) : undefined;
  const text = words(heading ?? first);
  if (text !== '') return text;
  const hash = createHash('sha256').update(source).digest('hex').slice(0, 8);
  return `${type === 'code' ? 'code' : 'text'}-${hash}`;
}

/** Lower-case words joined by hyphens, cut between words. */
function words(line: string): string {
  const plain = line.normalize('NFKD').replace(/\p{M}/gu, '').toLowerCase();
  const all = plain.match(/[a-z0-9]+/g) ?? [];
  let text = '';
  for (const word of all) {
    const longer = text === '' ? word.slice(0, LENGTH) : `${text}-${word}`;
    if (longer.length > LENGTH) break;
    text = longer;
  }
  return text;
}
