// Waiting for a condition, and for nothing else.

import { setTimeout as pause } from 'node:timers/promises';

const LOOK_EVERY_MS = 25;
const GIVE_UP_MS = 60_000;

/** Resolves with what `look` answers, as soon as that is true. `what` says in words what was waited for. */
export async function until(what, look) {
  const end = Date.now() + GIVE_UP_MS;
  for (;;) {
    const seen = await look();
    if (seen) return seen;
    if (Date.now() > end) throw new Error(`waited in vain: ${what}`);
    await pause(LOOK_EVERY_MS);
  }
}

/** Waits until `look` answers what is expected, and shows the last answer where it never does. */
export async function untilEqual(look, expected) {
  const wanted = JSON.stringify(expected);
  let seen;
  try {
    await until('', async () => JSON.stringify(seen = await look()) === wanted);
  } catch {
    throw new Error(`expected ${wanted}, and it was ${JSON.stringify(seen)} to the end`);
  }
}
