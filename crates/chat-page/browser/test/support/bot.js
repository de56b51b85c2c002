// A user who has joined a room with the client alone, without a page. It sends faster than a page
// can.

import WebSocket from 'ws';
import { ChatClient } from '../../../../../clients/js/client.js';

export class Bot {
  client;
  room;

  /** `options` are those of the client. */
  static async join(at, name, room, options = {}) {
    const bot = new Bot();
    bot.client = new ChatClient({ url: at.url, username: name, WebSocket, queueLimit: 10_000, backoff: { baseMs: 20, capMs: 200 }, ...options });
    await bot.client.connect();
    try {
      ({ room: bot.room } = await bot.client.join(room));
    } catch (error) {
      bot.leave();
      throw error;
    }
    return bot;
  }

  /** Resolves when the message is stored. */
  send(body) {
    return this.room.send(body);
  }

  /** Sends this many messages in order. The text is made from the number: 1, 2, 3 and so on. */
  async sendMany(count, text = (number) => `Message ${number}`) {
    await Promise.all(Array.from({ length: count }, (_, index) => this.room.send(text(index + 1))));
  }

  leave() {
    this.client.close();
  }
}
