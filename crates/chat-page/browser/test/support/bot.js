// A user who has joined a room with the client alone, without a page. It sends faster than a page
// can.

import WebSocket from 'ws';
import { ChatClient } from '../../../../../clients/js/client.js';

export class Raw {
  client;
  room;

  static async in(at, name, room) {
    const raw = new Raw();
    raw.client = new ChatClient({ url: at.url, username: name, WebSocket, queueLimit: 10_000, backoff: { baseMs: 20, capMs: 200 } });
    await raw.client.connect();
    try {
      ({ room: raw.room } = await raw.client.join(room));
    } catch (error) {
      raw.leave();
      throw error;
    }
    return raw;
  }

  /** Resolves when the message is stored. */
  say(body) {
    return this.room.send(body);
  }

  /** Sends this many messages in order. The text is made from the number: 1, 2, 3 and so on. */
  async fill(count, text = (number) => `Message ${number}`) {
    await Promise.all(Array.from({ length: count }, (_, index) => this.room.send(text(index + 1))));
  }

  leave() {
    this.client.close();
  }
}
