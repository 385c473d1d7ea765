import { createRequire } from 'node:module';

/** The faces shipped with Gibbs (an npm package of TrueType files), by weight. */
const FACES: Record<400 | 600, string> = {
  400: '400Regular/SourceSans3_400Regular.ttf',
  600: '600SemiBold/SourceSans3_600SemiBold.ttf',
};

/** Paths of the bundled TrueType files. */
export function fontFiles(): string[] {
  return ([400, 600] as const).map(fontFile);
}

/** Path of the bundled TrueType file of a weight. */
export function fontFile(weight: 400 | 600): string {
  const require = createRequire(import.meta.url);
  return require.resolve(`@expo-google-fonts/source-sans-3/${FACES[weight]}`);
}
