/** One finding: what it is, what was found, whether work can go on with it. */
export interface Finding {
  readonly name: string;
  readonly found: string;
  /** `missing`: optional and absent. `broken`: needed. */
  readonly state: 'ok' | 'missing' | 'broken';
  /** What to do about it. */
  readonly advice?: string;
}
