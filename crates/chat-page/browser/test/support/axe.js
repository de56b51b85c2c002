// Violations that axe-core finds in a page.

import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { until } from './until.js';

const AXE = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const TAGS = ['wcag2a', 'wcag2aa', 'wcag21aa', 'best-practice'];

/** The serious and critical violations, each with its location. `what` names the view. */
export async function violations(user, what) {
  // Elements are half transparent during animations.
  await until('all animations have ended', () => user.page.evaluate(() => document.getAnimations().length === 0));
  await user.page.evaluate(AXE);
  const { violations: found } = await user.page.evaluate((values) => window.axe.run(document, { runOnly: { type: 'tag', values } }), TAGS);
  return found.filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .flatMap(({ id, nodes }) => nodes.map(({ target, failureSummary }) => `${what}: ${id} at ${target}: ${failureSummary}`));
}
