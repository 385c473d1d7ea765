import { Resvg } from '@resvg/resvg-js';
import * as vega from 'vega';
import { compile, type TopLevelSpec } from 'vega-lite';
import { ConfigError } from '../core/errors.ts';
import { fontFiles } from '../core/font-files.ts';
import { packageVersion } from '../core/versions.ts';
import type { Spec } from './density-panels.ts';
import { textWidth } from './font.ts';
import { reduceColours } from './palette.ts';
import { encodeIndexedPng, withText } from './png.ts';
import { FONT } from './theme.ts';

/** The keyword of the PNG text chunk and the name of the SVG metadata element's child. */
const KEYWORD = 'gibbs';

/**
 * Draws a Vega-Lite specification. The same specification and provenance give the same bytes.
 * @param provenance plain JSON, kept in the SVG's `<metadata>`.
 * @throws ConfigError when the specification does not compile.
 */
export async function renderSvg(spec: Spec, provenance: unknown): Promise<string> {
  measureInBundledFont();
  const problems: string[] = [];
  const quiet = vega.logger(vega.Warn);
  quiet.warn = (...args: readonly unknown[]) => {
    problems.push(args.join(' '));
    return quiet;
  };
  quiet.error = quiet.warn;
  let view: vega.View | undefined;
  try {
    const compiled = compile(spec as unknown as TopLevelSpec, { logger: quiet }).spec;
    view = new vega.View(vega.parse(compiled), { renderer: 'none', logger: quiet });
    const svg = numberClips(await view.toSVG());
    if (problems.length > 0) throw new Error(problems.join('; '));
    return withMetadata(svg, provenance);
  } catch (error) {
    throw new ConfigError(
      `renderSvg: not a drawable Vega-Lite specification: ${(error as Error).message}`,
      { cause: error },
    );
  } finally {
    view?.finalize();
  }
}

/**
 * Rasterises with the bundled font only, in at most 256 colours (`reduceColours`): a third of the
 * bytes, no difference to see. The provenance of the SVG is copied into the PNG.
 * @param scale pixels of the picture per unit of the SVG. Default 2.
 */
export function renderPng(svg: string, scale = 2): Uint8Array {
  const { width, height, pixels } = new Resvg(svg, {
    fitTo: { mode: 'zoom', value: scale },
    background: 'white',
    font: { fontFiles: fontFiles(), loadSystemFonts: false, defaultFontFamily: FONT },
  }).render();
  const { indices, palette } = reduceColours(pixels);
  return signed(encodeIndexedPng(width, height, indices, palette), svg);
}

function signed(bytes: Uint8Array, svg: string): Uint8Array {
  const png = withText(bytes, 'Software', 'Gibbs');
  const provenance = provenanceOf(svg);
  return provenance === undefined ? png : withText(png, KEYWORD, JSON.stringify(provenance));
}

/** The provenance in an SVG written by `renderSvg`, undefined where there is none. */
export function provenanceOf(svg: string): unknown {
  const match = new RegExp(`<metadata id="${KEYWORD}">(.*?)</metadata>`, 's').exec(svg);
  return match ? JSON.parse(unescapeXml(match[1])) : undefined;
}

/** Versions of the packages whose code decides the bytes of a figure. */
export function rendererVersions(): Record<string, string> {
  const versions: Record<string, string> = {};
  for (const name of ['vega', 'vega-lite', '@resvg/resvg-js']) {
    versions[name] = packageVersion(name, import.meta.url) ?? 'unknown';
  }
  return versions;
}

/** The part of vega's text measurement that is replaced; its types leave it out. */
interface TextMetrics {
  width: (item: { fontSize?: number; fontWeight?: unknown }, text: unknown) => number;
}

function measureInBundledFont(): void {
  // Without a canvas vega guesses widths, with one it measures in the system's fonts.
  const { textMetrics } = vega as unknown as { textMetrics: TextMetrics };
  textMetrics.width = (item, text) => {
    const bold = item.fontWeight === 'bold' || Number(item.fontWeight) >= 600;
    return textWidth(String(text), item.fontSize ?? 11, bold ? 600 : 400);
  };
}

/** Clip paths are numbered by a counter of the whole process; here by their order in the figure. */
function numberClips(svg: string): string {
  const numbers = new Map<string, number>();
  return svg.replaceAll(/(url\(#|id=")clip(\d+)/g, (_all, before: string, id: string) => {
    if (!numbers.has(id)) numbers.set(id, numbers.size + 1);
    return `${before}clip${numbers.get(id)}`;
  });
}

function withMetadata(svg: string, provenance: unknown): string {
  const end = svg.indexOf('>') + 1;
  const json = escapeXml(JSON.stringify(provenance));
  return `${svg.slice(0, end)}<metadata id="${KEYWORD}">${json}</metadata>${svg.slice(end)}\n`;
}

function escapeXml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}

function unescapeXml(text: string): string {
  return text.replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&amp;', '&');
}
