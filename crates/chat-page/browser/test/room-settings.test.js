// Rooms in which not everyone may post, or be.

import assert from 'node:assert/strict';
import { Admin } from './support/admin.js';
import { browserTest } from './support/fixture.js';
import { untilEqual } from './support/until.js';

browserTest('the box says who may post, as soon as the settings change', async (fixture) => {
  const { server, admin } = await Admin.start(fixture);
  await admin.configure('lobby', { post: 'moderators' });
  const ana = await fixture.user(server, 'ana');
  const box = ana.page.locator('#compose-text');
  const state = async () => [await box.isDisabled(), await box.getAttribute('placeholder')];
  await untilEqual(state, [true, 'Only moderators post in #lobby']);
  await admin.configure('lobby', { post: 'accounts' });
  await untilEqual(state, [true, 'Sign in to post in #lobby']);
  await admin.configure('lobby', { post: 'everyone' });
  await untilEqual(state, [false, 'Message #lobby']);
  await ana.sendAndWait('now I can');
});

browserTest('a guest in a room that becomes one for accounts is told so, also when it comes back', async (fixture) => {
  const { server, admin } = await Admin.start(fixture);
  const ana = await fixture.user(server, 'ana');
  const text = '#lobby is only for people with an account now. Sign in to join.';
  await admin.configure('lobby', { join: 'accounts' });
  assert.equal(await ana.waitForBanner('left'), text);
  await ana.page.locator('#banner-action').click();
  await untilEqual(() => ana.text('#banner-text'), '#lobby is only for people with an account. Sign in to join.');
});
