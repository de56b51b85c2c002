// A server with an admin API: what `chatd admin` does, over HTTP.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { register, signIn } from './accounts.js';

const TOKEN = '0123456789abcdef-of-the-operator';

export class Admin {
  #port;

  /** Starts a server with an admin API. */
  static async start(fixture) {
    const admin = new Admin();
    admin.#port = await freePort();
    const folder = await mkdtemp(join(tmpdir(), 'chatd-operator-'));
    // The server reads the file again when it is started again.
    fixture.atEnd(() => rm(folder, { recursive: true }));
    const file = join(folder, 'token');
    await writeFile(file, TOKEN, { mode: 0o600 });
    const server = await fixture.server('--admin-listen', `127.0.0.1:${admin.#port}`, '--admin-token-file', file);
    return { server, admin };
  }

  kick(room, name) {
    return this.#request('DELETE', `/v1/rooms/${encodeURIComponent(room)}/members/${encodeURIComponent(name)}`);
  }

  close(room) {
    return this.#request('DELETE', `/v1/rooms/${encodeURIComponent(room)}`);
  }

  configure(room, settings) {
    return this.#request('PATCH', `/v1/rooms/${encodeURIComponent(room)}/settings`, settings);
  }

  notice(room, body) {
    return this.#request('POST', `/v1/rooms/${encodeURIComponent(room)}/notice`, { body });
  }

  announce(body, level = 'info') {
    return this.#request('PUT', '/v1/announcement', { body, level });
  }

  withdraw() {
    return this.#request('DELETE', '/v1/announcement');
  }

  createAccount(username) {
    return this.#request('POST', '/v1/accounts', { username });
  }

  deleteAccount(username) {
    return this.#request('DELETE', `/v1/accounts/${encodeURIComponent(username)}`);
  }

  /** Gives an account a role on the server: its sessions end, and begin again with that role. */
  setServerRole(username, role) {
    return this.#request('PATCH', `/v1/accounts/${encodeURIComponent(username)}`, { role });
  }

  /** Ends all sessions of a user. */
  async endSessions(username) {
    const sessions = await (await this.#request('GET', '/v1/sessions')).json();
    const own = sessions.sessions.filter((session) => session.username === username);
    for (const { session } of own) await this.#request('DELETE', `/v1/sessions/${encodeURIComponent(session)}`);
  }

  /** Deletes all messages of the user with this id. */
  async erase(user) {
    const path = `/v1/users/${encodeURIComponent(user)}/messages`;
    for (let after = null, first = true; first || after !== null; first = false) {
      const response = await this.#request('DELETE', after === null ? path : `${path}?after=${encodeURIComponent(after)}`);
      after = (await response.json()).next ?? null;
    }
  }

  async #request(method, path, body) {
    const headers = { authorization: `Bearer ${TOKEN}`, ...(body && { 'content-type': 'application/json' }) };
    const response = await fetch(`http://127.0.0.1:${this.#port}${path}`, { method, headers, body: body && JSON.stringify(body) });
    assert.ok(response.ok, `${method} ${path}: ${response.status}`);
    return response;
  }
}

async function freePort() {
  const listener = createServer().listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const { port } = listener.address();
  listener.close();
  await once(listener, 'close');
  return port;
}

/** A moderator of the server at a page, who has no role in any room, and the account's token. */
export async function serverModerator(fixture, options = {}) {
  const { server, admin } = await Admin.start(fixture);
  const token = await register(server, 'sam');
  await admin.setServerRole('sam', 'moderator');
  const sam = await fixture.visitor(server, '/r/lobby', options);
  await signIn(sam, 'sam');
  await sam.waitForRoom('lobby');
  return { server, admin, sam, token };
}
