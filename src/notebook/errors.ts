import { GibbsError } from '../core/errors.ts';

/** A cell of a notebook ended with an error, was stopped, or took longer than it was given. */
export class CellError extends GibbsError {
  /** Number of the cell among all cells, from 1. */
  readonly cell: number;
  readonly id: string;
  readonly source: string;
  readonly traceback: readonly string[];

  constructor(
    where: { path: string; cell: number; id: string; source: string },
    reason: string,
    traceback: readonly string[] = [],
  ) {
    super('cell', `notebook ${where.path}: cell ${where.cell} '${where.id}': ${reason}`);
    this.cell = where.cell;
    this.id = where.id;
    this.source = where.source;
    this.traceback = traceback;
  }
}
