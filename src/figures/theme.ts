/** One look for all figures: bundled font, quiet axes, ink colours. */
export const FONT = 'Source Sans 3';

/** Written into specs: the bundled font, then what a viewer without it will have. */
export const FONT_STACK = `${FONT}, Source Sans Pro, Helvetica Neue, Arial, sans-serif`;

export const INK = '#1b1e23';
export const MUTED = '#5f6670';
export const FRAME = '#c3c8cf';
export const DATA_COLOUR = '#3f4650';
export const MODEL_COLOUR = '#2f5f8f';
/** Colours of the values of a setting, apart also for the colour-blind. */
export const CATEGORIES = ['#2f5f8f', '#c8702a', '#3d8a5f', '#8a4f9e', '#9a8a2f', '#5f6670'];

/** Vega-Lite `config` shared by every figure. */
export const THEME = {
  font: FONT_STACK,
  background: 'white',
  padding: { left: 8, top: 8, right: 12, bottom: 8 },
  view: { stroke: FRAME, strokeWidth: 1 },
  axis: {
    grid: false,
    domain: false,
    tickColor: FRAME,
    tickSize: 4,
    labelColor: MUTED,
    labelFontSize: 10.5,
    labelPadding: 3,
    titleColor: MUTED,
    titleFontSize: 11.5,
    titleFontWeight: 'normal',
    titlePadding: 6,
  },
  title: {
    color: INK,
    fontSize: 13.5,
    fontWeight: 600,
    subtitleColor: MUTED,
    subtitleFontSize: 11.5,
    subtitlePadding: 3,
    anchor: 'start',
    frame: 'group',
    offset: 8,
  },
} as const;
