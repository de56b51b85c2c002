// The announcement of the operator.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ChatClient } from '../client.js';
import { Socket, WELCOME, connected } from './support/socket.js';

const announcement = (id) => ({ id, level: 'warning', body: `*${id}*`, html: `<p>${id}</p>` });

function recorded(chat) {
  const events = [];
  chat.on('announcement', (event) => events.push(event?.id ?? null));
  return events;
}

test('an announcement is reported once, and its withdrawal', (t) => {
  const { client: chat, socket } = connected(t);
  const events = recorded(chat);
  assert.equal(chat.announcement, null);
  socket.deliver({ type: 'announcement', ...announcement('a1') });
  assert.deepEqual(chat.announcement, announcement('a1'));
  socket.deliver({ type: 'announcement', ...announcement('a1') });
  socket.deliver({ type: 'announcement', id: 'a0', withdrawn: true });
  assert.deepEqual(events, ['a1']);
  socket.deliver({ type: 'announcement', ...announcement('a2') });
  socket.deliver({ type: 'announcement', id: 'a1', withdrawn: true });
  assert.equal(chat.announcement.id, 'a2');
  socket.deliver({ type: 'announcement', id: 'a2', withdrawn: true });
  assert.equal(chat.announcement, null);
  assert.deepEqual(events, ['a1', 'a2', null]);
});

test('what a welcome says replaces what the client had', (t) => {
  Socket.all = [];
  const chat = new ChatClient({ url: 'http://chat.example/ws', username: 'ana', WebSocket: Socket });
  t.after(() => chat.close());
  const events = recorded(chat);
  chat.connect();
  const welcome = (fields) => {
    const socket = Socket.all.at(-1);
    socket.onopen();
    socket.reply({ ...WELCOME, ...fields });
  };
  const again = (fields) => {
    Socket.all.at(-1).onclose({ code: 1006, reason: '' });
    chat.reconnect();
    welcome(fields);
  };
  welcome({ announcement: announcement('a1') });
  again({ announcement: announcement('a1') });
  assert.deepEqual(events, ['a1']);
  again({ announcement: announcement('a2') });
  again({});
  again({});
  assert.deepEqual(events, ['a1', 'a2', null]);
  assert.equal(chat.announcement, null);
});
