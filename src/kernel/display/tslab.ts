import type { Display, DisplayHandle } from './display.ts';

type Bytes = string | Uint8Array;

/** The display functions of tslab; each of its displays may be shown again to replace itself. */
export interface TslabDisplay {
  javascript(s: string): void;
  html(s: string): void;
  markdown(s: string): void;
  latex(s: string): void;
  svg(s: string): void;
  png(b: Bytes): void;
  jpeg(b: Bytes): void;
  gif(b: Bytes): void;
  pdf(b: Bytes): void;
  text(s: string): void;
  raw(contentType: string, b: Bytes): void;
}

/** What `import * as tslab from 'tslab'` gives: notebooks written for tslab run as they are. */
export function createTslab(display: Display): Record<string, unknown> {
  const methods = (show: (bundle: Record<string, unknown>) => void): TslabDisplay => {
    const as = (type: string) => (content: Bytes) => show({ [type]: encoded(content) });
    return {
      javascript: as('text/javascript'),
      html: as('text/html'),
      markdown: as('text/markdown'),
      latex: as('text/latex'),
      svg: as('image/svg+xml'),
      png: as('image/png'),
      jpeg: as('image/jpeg'),
      gif: as('image/gif'),
      pdf: as('application/pdf'),
      text: as('text/plain'),
      raw: (contentType: string, content: Bytes) => show({ [contentType]: encoded(content) }),
    };
  };
  /** A display whose later contents replace its first. */
  const newDisplay = (): TslabDisplay => {
    let handle: DisplayHandle | undefined;
    return methods((bundle) => {
      if (handle === undefined) handle = display.raw(bundle);
      else handle.raw(bundle);
    });
  };
  const tslab = { display: methods((bundle) => void display.raw(bundle)), newDisplay };
  return { ...tslab, default: tslab };
}

function encoded(content: Bytes): string {
  return typeof content === 'string' ? content : Buffer.from(content).toString('base64');
}
