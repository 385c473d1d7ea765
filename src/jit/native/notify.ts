/** What has been said already in this process. */
const said = new Set<string>();

/** Says something on the error stream, once. */
export function notify(text: string): void {
  if (said.has(text)) return;
  said.add(text);
  process.stderr.write(`note: ${text}\n`);
}
