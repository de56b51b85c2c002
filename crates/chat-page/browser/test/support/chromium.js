// The browser on this machine.

import { accessSync, constants } from 'node:fs';
import { delimiter, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';

const NAMES = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];
const ARGS = [
  '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update',
  '--disable-sync',
];

/** The path of a Chromium; null where there is none. One that is asked for by `CHROMIUM` is not replaced by another. */
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

/** The fonts that the browser may use: those of a file in `fonts/`, by its name, or of another fontconfig file, by its path. */
function fonts(name) {
  if (!name) return {};
  const isPath = name.includes('/') || name.includes('.');
  const file = isPath ? resolve(name) : fileURLToPath(new URL(`../../fonts/${name}.conf`, import.meta.url));
  accessSync(file, constants.R_OK);
  return { FONTCONFIG_FILE: file };
}
