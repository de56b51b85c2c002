// Waiting for a condition, never for a time.

import { setTimeout as pause } from 'node:timers/promises';

const LOOK_EVERY_MS = 25;
const GIVE_UP_MS = 60_000;

/** Resolves with the result of `check` as soon as it is truthy. `what` describes the condition. */
export async function until(what, look) {
  const end = Date.now() + GIVE_UP_MS;
  for (;;) {
    const seen = await look();
    if (seen) return seen;
    if (Date.now() > end) throw new Error(`timed out waiting until ${what}`);
    await pause(LOOK_EVERY_MS);
  }
}

/**
 * Waits until `check` returns the expected value. If it never does, the error shows the last value.
 */
export async function untilEqual(look, expected) {
  const wanted = JSON.stringify(expected);
  let seen;
  try {
    await until('', async () => JSON.stringify(seen = await look()) === wanted);
  } catch {
    throw new Error(`expected ${wanted}, but it stayed ${JSON.stringify(seen)}`);
  }
}
