// Waiting for a condition, never for a time.

import { setTimeout as pause } from 'node:timers/promises';

const POLL_INTERVAL_MS = 25;
const TIMEOUT_MS = 60_000;

/** Resolves with the result of `check` as soon as it is truthy. `what` describes the condition. */
export async function until(what, check) {
  const end = Date.now() + TIMEOUT_MS;
  for (;;) {
    const result = await check();
    if (result) return result;
    if (Date.now() > end) throw new Error(`timed out waiting until ${what}`);
    await pause(POLL_INTERVAL_MS);
  }
}

/**
 * Waits until `check` returns the expected value. If it never does, the error shows the last value.
 */
export async function untilEqual(check, expected) {
  const expectedJson = JSON.stringify(expected);
  let result;
  try {
    await until('', async () => JSON.stringify(result = await check()) === expectedJson);
  } catch {
    throw new Error(`expected ${expectedJson}, but it stayed ${JSON.stringify(result)}`);
  }
}
