// A running chatd and its clients, ended with the test.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import WebSocket from 'ws';
import { ChatClient } from '../client.js';

const PROGRAM = process.env.CHATD;
if (!PROGRAM) throw new Error('set CHATD to the path of the chatd program');

export class Server {
  #child;
  #folder;
  #args;
  port = 0;

  static async start(t, ...args) {
    const server = new Server();
    server.#folder = await mkdtemp(join(tmpdir(), 'chatd-js-'));
    server.#args = args;
    await server.up();
    t.after(async () => {
      await server.end('SIGKILL');
      await rm(server.#folder, { recursive: true });
    });
    return server;
  }

  get url() {
    return `ws://127.0.0.1:${this.port}/ws`;
  }

  /** Starts it, on the same port and database as before. */
  async up() {
    const args = ['--listen', `127.0.0.1:${this.port}`, '--message-rate', '0', ...this.#args];
    this.#child = spawn(PROGRAM, args, { cwd: this.#folder, stdio: ['ignore', 'pipe', 'ignore'] });
    const [line] = await once(this.#child.stdout.setEncoding('utf8'), 'data');
    this.port = Number(/http:\/\/127\.0\.0\.1:(\d+)/.exec(line)[1]);
  }

  async end(signal) {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const exit = once(this.#child, 'exit');
    this.#child.kill(signal);
    await exit;
  }
}

/** A line to a server that can be cut, and made again. */
export class Line {
  #sockets = new Set();
  #up = true;
  #server;

  static async to(t, server) {
    const line = new Line();
    line.#server = createServer((socket) => line.#carry(socket, server)).listen(0, '127.0.0.1');
    await once(line.#server, 'listening');
    t.after(() => {
      line.cut();
      line.#server.close();
    });
    return line;
  }

  get url() {
    return `ws://127.0.0.1:${this.#server.address().port}/ws`;
  }

  /** Both ends see a reset: nobody says goodbye. */
  cut() {
    this.#up = false;
    for (const socket of this.#sockets) socket.resetAndDestroy();
    this.#sockets.clear();
  }

  mend() {
    this.#up = true;
  }

  #carry(socket, server) {
    if (!this.#up) return socket.resetAndDestroy();
    const other = connect(server.port, '127.0.0.1');
    for (const end of [socket, other]) {
      this.#sockets.add(end);
      end.on('error', () => {});
    }
    socket.pipe(other).pipe(socket);
  }
}

/** A client that comes back fast. */
export function client(t, url, username, options = {}) {
  const made = new ChatClient({ url, username, WebSocket, backoff: { baseMs: 20, capMs: 200 }, ...options });
  t.after(() => made.close());
  return made;
}

export async function member(t, url, username, room, options = {}) {
  const made = client(t, url, username, options);
  await made.connect();
  const joined = await made.join(room, { history: options.history });
  return { client: made, room: joined.room, joined };
}

/** The next event of this type for which `fits` holds. */
export function next(emitter, type, fits = () => true) {
  return new Promise((resolve) => {
    const off = emitter.on(type, (event) => {
      if (!fits(event)) return;
      off();
      resolve(event);
    });
  });
}

/** Everything that is said in a room, and a promise of the moment when there is enough of it. */
export function record(room) {
  const messages = [];
  room.on('message', ({ message }) => messages.push(message));
  return {
    messages,
    async has(count) {
      while (messages.length < count) await next(room, 'message');
      return messages;
    },
  };
}

export const seqs = (messages) => messages.map(({ seq }) => seq);
export const upTo = (count) => Array.from({ length: count }, (_, index) => index + 1);
