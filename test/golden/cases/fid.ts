import type { GoldenCase } from '../golden-case.ts';

export const cases: readonly GoldenCase[] = [];
