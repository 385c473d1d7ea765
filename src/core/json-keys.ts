/**
 * The first object key that occurs twice within one object of `text`, which must be valid JSON
 * (JSON.parse has accepted it). JSON.parse itself keeps the last one silently.
 */
export function duplicateKey(text: string): string | undefined {
  // Per open container: the keys seen so far, or null for an array.
  const open: (Set<string> | null)[] = [];
  for (let i = 0; i < text.length; i++) {
    const c = text[i];
    if (c === '{') open.push(new Set());
    else if (c === '[') open.push(null);
    else if (c === '}' || c === ']') open.pop();
    else if (c === '"') {
      const start = i;
      for (i++; text[i] !== '"'; i++) if (text[i] === '\\') i++;
      const keys = open.at(-1);
      if (!keys || nextNonSpace(text, i + 1) !== ':') continue;
      const key = JSON.parse(text.slice(start, i + 1)) as string;
      if (keys.has(key)) return key;
      keys.add(key);
    }
  }
  return undefined;
}

function nextNonSpace(text: string, at: number): string | undefined {
  while (text[at] === ' ' || text[at] === '\n' || text[at] === '\r' || text[at] === '\t') at++;
  return text[at];
}
