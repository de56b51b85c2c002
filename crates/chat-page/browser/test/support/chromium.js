// Finds and starts Chromium.

import { accessSync, constants } from 'node:fs';
import { delimiter, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';

const NAMES = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];
const ARGS = [
  '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update',
  '--disable-sync',
];

/**
 * The path of a Chromium, or `null` if there is none. If `CHROMIUM` is set, no other browser is
 * used in its place.
 */
export function findChromium() {
  const { CHROMIUM, PATH = '' } = process.env;
  const inPath = PATH.split(delimiter).flatMap((folder) => NAMES.map((name) => join(folder, name)));
  const candidates = CHROMIUM ? [CHROMIUM] : ['/usr/bin/chromium', ...inPath];
  return candidates.find(isProgram) ?? null;
}

function isProgram(path) {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

export function launch() {
  return chromium.launch({ executablePath: findChromium(), args: ARGS, headless: true, env: { ...process.env, ...fonts(process.env.FONTS) } });
}

/**
 * The environment that limits the fonts of the browser: to a file in `fonts/`, given by its name,
 * or to another fontconfig file, given by its path.
 */
function fonts(name) {
  if (!name) return {};
  const isPath = name.includes('/') || name.includes('.');
  const file = isPath ? resolve(name) : fileURLToPath(new URL(`../../fonts/${name}.conf`, import.meta.url));
  accessSync(file, constants.R_OK);
  return { FONTCONFIG_FILE: file };
}
