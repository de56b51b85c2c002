// What is to be known of the connection, said honestly.

import { byId, say } from '../dom.js';
import { hash, inWords, whyLeft } from '../text/words.js';

/** A line that is back within so long was hardly away. */
const PATIENCE_MS = 600;

/** Reasons that are worth more than "Connection lost". */
const WORTH_SAYING = new Set(['shutting_down', 'server_full', 'too_slow']);
/** Removals that a new join would not change. */
const FINAL = new Set(['banned', 'forbidden', 'unauthorized']);

export class Banner {
  #element = byId('banner');
  #text = byId('banner-text');
  #countdown = byId('banner-countdown');
  #action = byId('banner-action');
  #second = byId('banner-second');
  #chat = null;
  #room = null;
  #offs = [];
  #restart;
  #act = () => {};
  #actSecond = () => {};
  #timer;
  #downSince = null;
  /** Why the line went down: what the later tries say is no news. */
  #why = null;

  /** `restart()` begins anew after an end for good. */
  constructor(restart) {
    this.#restart = restart;
    this.#action.addEventListener('click', () => this.#act());
    this.#second.addEventListener('click', () => this.#actSecond());
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
    if (left) return this.#left(whyLeft(name, left.reason, left.error), left);
    if (delayed) {
      const taken = `Someone else in ${hash(name)} is using your name.`;
      const why = delayed.error.code === 'username_taken' ? taken : inWords(delayed.error, { name: this.#chat.name, room: name });
      return this.#say('delayed', `${why} Still trying to rejoin…`);
    }
    this.#element.hidden = true;
    this.#element.dataset.kind = 'none';
    this.#text.textContent = '';
  }

  #left(text, { reason, error }) {
    const room = this.#room;
    const remove = ['Remove from list', () => this.#chat.leave(room)];
    if (FINAL.has(reason) || FINAL.has(error?.code)) return this.#say('left', text, remove);
    const rejoin = async () => {
      this.#action.disabled = true;
      try {
        await this.#chat.join(room.name);
      } catch (problem) {
        if (this.#room === room) this.#left(inWords(problem, { name: this.#chat.name, room: room.name }), { reason, error: problem });
      } finally {
        this.#action.disabled = false;
      }
    };
    this.#say('left', text, ['Rejoin', rejoin], remove);
  }

  #down(status) {
    const offline = navigator.onLine === false;
    const why = offline ? 'You’re offline.' : inWords({ code: WORTH_SAYING.has(this.#why) ? this.#why : 'lost' });
    const tryNow = ['Try now', () => this.#chat.tryNow()];
    this.#say(offline ? 'offline' : 'down', `${why} Your messages will be sent when you’re back online.`, tryNow);
    this.#count(status);
  }

  /** Seconds are for the eye only: a screen reader would say each. */
  #count(status) {
    if (status.state !== 'waiting') {
      this.#countdown.textContent = 'Connecting…';
      return;
    }
    const seconds = Math.max(1, Math.ceil((status.retryAt - Date.now()) / 1_000));
    this.#countdown.textContent = `Reconnecting in ${seconds} s`;
    this.#timer = setTimeout(() => this.#count(status), 500);
  }

  #ended(reason) {
    if (reason.code === 'closed') return;
    if (reason.code === 'taken_over') {
      return this.#say('taken-over', 'You’re using this chat in another tab.', ['Use this tab', this.#restart]);
    }
    this.#say('ended', inWords(reason), ['Sign in again', this.#restart]);
  }

  /** `action` and `second` are a button's label and what it does. */
  #say(kind, text, action, second) {
    this.#element.hidden = false;
    this.#element.dataset.kind = kind;
    if (this.#text.textContent !== text) this.#text.textContent = text;
    this.#countdown.textContent = '';
    this.#act = offer(this.#action, action);
    this.#actSecond = offer(this.#second, second);
  }
}

function offer(button, [label, act] = ['', () => {}]) {
  say(button, label);
  return act;
}
