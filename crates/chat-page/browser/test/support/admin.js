// A server with an admin API: what `chatd admin` does, over HTTP.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const TOKEN = '0123456789abcdef-of-the-operator';

export class Operator {
  #port;

  /** Starts a server with an admin API. */
  static async of(house) {
    const operator = new Operator();
    operator.#port = await freePort();
    const folder = await mkdtemp(join(tmpdir(), 'chatd-operator-'));
    try {
      const file = join(folder, 'token');
      await writeFile(file, TOKEN, { mode: 0o600 });
      const server = await house.server('--admin-listen', `127.0.0.1:${operator.#port}`, '--admin-token-file', file);
      return { server, operator };
    } finally {
      await rm(folder, { recursive: true });
    }
  }

  kick(room, name) {
    return this.#ask('DELETE', `/v1/rooms/${encodeURIComponent(room)}/members/${encodeURIComponent(name)}`);
  }

  close(room) {
    return this.#ask('DELETE', `/v1/rooms/${encodeURIComponent(room)}`);
  }

  notice(room, body) {
    return this.#ask('POST', `/v1/rooms/${encodeURIComponent(room)}/notice`, { body });
  }

  async #ask(method, path, body) {
    const headers = { authorization: `Bearer ${TOKEN}`, ...(body && { 'content-type': 'application/json' }) };
    const answer = await fetch(`http://127.0.0.1:${this.#port}${path}`, { method, headers, body: body && JSON.stringify(body) });
    assert.ok(answer.ok, `${method} ${path}: ${answer.status} ${await answer.text()}`);
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
