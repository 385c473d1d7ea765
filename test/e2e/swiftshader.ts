import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import koffi from 'koffi';

/** Folders in which a Chromium keeps SwiftShader, a Vulkan driver that runs on the processor. */
const FOLDERS = ['/usr/lib/chromium', '/usr/share/chromium', '/opt/google/chrome', '/snap/chromium/current/usr/lib/chromium-browser']; // biome-ignore format: one list

/** Path of SwiftShader's driver description, where a Chromium is installed. */
export const SWIFTSHADER = FOLDERS.map((folder) => join(folder, 'vk_swiftshader_icd.json')).find(
  (path) => existsSync(path) && existsSync(join(dirname(path), 'libvulkan.so.1')),
);

let held: unknown;

/** Makes SwiftShader the only Vulkan driver of this process and of those that it starts. */
export function useSwiftShader(): void {
  if (SWIFTSHADER === undefined) throw new Error('no SwiftShader: apt-get install chromium-common');
  const folder = dirname(SWIFTSHADER);
  process.env['VK_ICD_FILENAMES'] = SWIFTSHADER;
  const paths = [folder, process.env['LD_LIBRARY_PATH']].filter(Boolean);
  process.env['LD_LIBRARY_PATH'] = paths.join(':');
  // Too late for this process, where the loader has read the variable; but a library that is
  // loaded is found again by its name.
  held = koffi.load(join(folder, 'libvulkan.so.1'), { global: true });
}

export const isHeld = () => held !== undefined;
