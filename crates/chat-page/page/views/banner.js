// What is to be known of the connection, said honestly.

import { byId } from '../dom.js';
import { inWords, whyLeft } from '../text/words.js';

/** A line that is back within so long was hardly away. */
const PATIENCE_MS = 600;

const DOWN = {
  shutting_down: 'The server is restarting.',
  server_full: 'The server is full.',
  too_slow: 'This connection was too slow.',
};

export class Banner {
  #element = byId('banner');
  #text = byId('banner-text');
  #countdown = byId('banner-countdown');
  #action = byId('banner-action');
  #chat = null;
  #room = null;
  #offs = [];
  #restart;
  #act = () => {};
  #timer;
  #downSince = null;
  /** Why the line went down: what the later tries say is no news. */
  #why = null;

  /** `restart()` begins anew after an end for good. */
  constructor(restart) {
    this.#restart = restart;
    this.#action.addEventListener('click', () => this.#act());
    for (const type of ['online', 'offline']) window.addEventListener(type, () => this.#tell());
  }

  watch(chat) {
    this.#chat = chat;
    chat.on('status', () => this.#tell());
    this.#tell();
  }

  show(room) {
    for (const off of this.#offs) off();
    this.#room = room;
    this.#offs = room ? [room.on('state', () => this.#tell())] : [];
    this.#tell();
  }

  #tell() {
    clearTimeout(this.#timer);
    if (!this.#chat) return;
    const { status } = this.#chat;
    if (status.state === 'open') this.#downSince = this.#why = null;
    else this.#downSince ??= Date.now();
    if (status.state === 'closed') return this.#ended(status.reason);
    if (status.state !== 'open') {
      this.#why ??= status.reason?.code ?? null;
      const wait = this.#downSince + PATIENCE_MS - Date.now();
      if (wait > 0 && this.#element.hidden) this.#timer = setTimeout(() => this.#tell(), wait);
      else this.#down(status);
      return;
    }
    const { left, delayed, name } = this.#room ?? {};
    if (left) {
      const leave = () => this.#chat.leave(this.#room);
      return this.#say('left', whyLeft(name, left.reason, left.error), 'Close the room', leave);
    }
    if (delayed) {
      const why = delayed.error.code === 'username_taken' ? `Somebody in ${name} has your name now.` : inWords(delayed.error);
      return this.#say('delayed', `${why} Trying again.`);
    }
    this.#element.hidden = true;
    this.#element.dataset.kind = 'none';
    this.#text.textContent = '';
  }

  #down(status) {
    const offline = navigator.onLine === false;
    const why = offline ? 'You are offline.' : DOWN[this.#why] ?? 'The connection is lost.';
    const tryNow = () => this.#chat.tryNow();
    this.#say(offline ? 'offline' : 'down', `${why} What you write is sent when it is back.`, 'Try now', tryNow);
    this.#count(status);
  }

  /** Seconds are for the eye only: a screen reader would say each. */
  #count(status) {
    if (status.state !== 'waiting') {
      this.#countdown.textContent = 'Connecting…';
      return;
    }
    const seconds = Math.max(1, Math.ceil((status.retryAt - Date.now()) / 1_000));
    this.#countdown.textContent = `Trying again in ${seconds} s`;
    this.#timer = setTimeout(() => this.#count(status), 500);
  }

  #ended(reason) {
    if (reason.code === 'closed') return;
    if (reason.code === 'taken_over') {
      return this.#say('taken-over', 'This chat goes on in another tab or window, under the same name.', 'Start again here', this.#restart);
    }
    this.#say('ended', inWords(reason, { name: this.#chat.name }), 'Start again', this.#restart);
  }

  #say(kind, text, action = '', act = () => {}) {
    this.#element.hidden = false;
    this.#element.dataset.kind = kind;
    if (this.#text.textContent !== text) this.#text.textContent = text;
    this.#countdown.textContent = '';
    this.#action.hidden = action === '';
    this.#action.textContent = action;
    this.#act = act;
  }
}
