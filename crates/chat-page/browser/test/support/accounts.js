// Users with an account.

import assert from 'node:assert/strict';

const PASSWORD = 'correct horse';

/** Registers an account, and returns the token of its session. */
export async function register(server, username) {
  const response = await fetch(`${server.address}/api/v1/accounts`, {
    method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ username, password: PASSWORD }),
  });
  assert.ok(response.ok);
  return (await response.json()).token;
}

/** The token of the session at a page. */
export function tokenOf(user) {
  return user.page.evaluate(async () => (await import('/page/state/account.js')).session().token);
}

/** Deletes the account of this token, with what its user wrote. */
export async function deleteAccount(server, token) {
  const response = await fetch(`${server.address}/api/v1/me`, {
    method: 'DELETE', headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify({ password: PASSWORD, erase_messages: true }),
  });
  assert.equal(response.status, 204);
}

/** A user with a new account who has joined the room without a page. */
export async function accountBot(fixture, server, username, room = 'lobby') {
  return fixture.bot(server, username, room, { token: await register(server, username) });
}

/** A user with a new account at a page. */
export async function accountUser(fixture, server, username, room = 'lobby', options = {}) {
  await register(server, username);
  const user = await fixture.visitor(server, `/r/${encodeURIComponent(room)}`, options);
  await signIn(user, username);
  await user.waitForRoom(room);
  return user;
}

/** Signs in with the form that is open. */
export async function signIn(user, username) {
  const other = user.page.locator('#entry-sign-in');
  await user.page.locator('#entry-password, #entry-sign-in').filter({ visible: true }).first().waitFor();
  if (await other.isVisible()) await other.click();
  await user.page.locator('#entry-name').fill(username);
  await user.page.locator('#entry-password').fill(PASSWORD);
  await user.page.keyboard.press('Enter');
  await user.page.locator('#chat').waitFor();
}
