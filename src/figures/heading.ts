import { wrapText } from './font.ts';
import { THEME } from './theme.ts';

/**
 * Title and caption over a figure of several panels.
 * @param width of the panels and the space between them in pixels: what the caption may fill.
 * @param offset pixels between the caption and the panels.
 */
export function heading(title: string, caption: string, width: number, offset = 22) {
  return {
    text: title,
    subtitle: wrapText(caption, width, THEME.title.subtitleFontSize),
    fontSize: 16,
    subtitleLineHeight: 15,
    offset,
  };
}
