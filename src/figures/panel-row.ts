import type { Spec } from './density-panels.ts';
import { heading } from './heading.ts';
import { THEME } from './theme.ts';

export interface PanelRow {
  readonly title: string;
  readonly caption: string;
  /** Of all panels and the space between them, in pixels: what the caption may fill. */
  readonly width: number;
  /** Between panels, in pixels. */
  readonly spacing: number;
  readonly panels: readonly Spec[];
}

/** Panels next to each other, each with its own axes, under a title and a caption. */
export function panelRow({ title, caption, width, spacing, panels }: PanelRow): Spec {
  return {
    $schema: 'https://vega.github.io/schema/vega-lite/v6.json',
    title: heading(title, caption, width, 20),
    bounds: 'flush',
    spacing,
    hconcat: panels,
    config: THEME,
  };
}
