// Starts chatd and clients, and stops them after the test.

import WebSocket from 'ws';
import { ChatClient } from '../client.js';
import { TcpProxy } from './support/proxy.js';
import { Server } from './support/server.js';

export async function startServer(t, ...args) {
  const server = await Server.start(args);
  t.after(() => server.remove());
  return server;
}

/** A TCP proxy to a server: its connections can be cut and restored. */
export async function proxyTo(t, server) {
  const proxy = await TcpProxy.to(server);
  t.after(() => proxy.close());
  return proxy;
}

/** A client that reconnects quickly. */
export function client(t, url, username, options = {}) {
  const chatClient = new ChatClient({ url, username, WebSocket, backoff: { baseMs: 20, capMs: 200 }, ...options });
  t.after(() => chatClient.close());
  return chatClient;
}

export async function member(t, url, username, room, options = {}) {
  const chatClient = client(t, url, username, options);
  await chatClient.connect();
  const joined = await chatClient.join(room, { history: options.history });
  return { client: chatClient, room: joined.room, joined };
}

/** The token of a new account. */
export async function account(server, username) {
  const response = await fetch(`${server.address}/api/v1/accounts`, {
    method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ username, password: 'correct horse' }),
  });
  if (!response.ok) throw new Error(await response.text());
  return (await response.json()).token;
}

/** The next event of this type that `matches`. */
export function next(emitter, type, matches = () => true) {
  return new Promise((resolve) => {
    const off = emitter.on(type, (event) => {
      if (!matches(event)) return;
      off();
      resolve(event);
    });
  });
}

/** Records the messages of a room. `has(count)` resolves when at least this many have arrived. */
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
