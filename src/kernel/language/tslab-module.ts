/** The types of `import * as tslab from 'tslab'`: what notebooks written for tslab may call. */
export const TSLAB_DECLARATIONS = `
/** Shows values in the output of the cell. */
export interface Display {
  javascript(s: string): void;
  html(s: string): void;
  markdown(s: string): void;
  svg(s: string): void;
  png(b: Uint8Array): void;
  jpeg(b: Uint8Array): void;
  gif(b: Uint8Array): void;
  pdf(b: Uint8Array): void;
  text(s: string): void;
  /** Any MIME type; binary data as base64. */
  raw(contentType: string, b64Data: string | Uint8Array): void;
}
export declare const display: Display;
/** A display whose output is replaced by its next call. */
export declare function newDisplay(): Display;
export declare const versions: Readonly<Record<string, string>>;
`;
