/** Variables named when they are lost. */
const LISTED = 40;

/** The names of the variables that the process of the cells holds. */
export class LivingVariables {
  readonly #names = new Set<string>();

  add(names: readonly string[]): void {
    for (const name of names) this.#names.add(name);
  }

  /** Says which are gone with the process, and begins anew. */
  lose(): string {
    const names = [...this.#names];
    this.#names.clear();
    if (names.length === 0) return 'No variables were lost.';
    const shown = names.slice(0, LISTED).join(', ');
    const more = names.length > LISTED ? ` and ${names.length - LISTED} more` : '';
    return `Lost: ${names.length === 1 ? 'the variable' : 'the variables'} ${shown}${more}.`;
  }
}
