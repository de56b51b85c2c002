// A running chatd and its clients, ended with the test.

import WebSocket from 'ws';
import { ChatClient } from '../client.js';
import { Line } from './support/proxy.js';
import { Server } from './support/server.js';

export async function startServer(t, ...args) {
  const server = await Server.start(args);
  t.after(() => server.remove());
  return server;
}

/** A line to a server that can be cut, and mended again. */
export async function lineTo(t, server) {
  const line = await Line.to(server);
  t.after(() => line.end());
  return line;
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
