// The banner that shows the state of the connection and of the room.

import { byId, setText } from '../dom.js';
import { inWords, whyEnded, whyLeft } from '../text/words.js';

/** An outage shorter than this is not shown. */
const SHOW_AFTER_MS = 600;

/** Reasons that are more helpful than "Connection lost". */
const EXPLAINED = new Set(['shutting_down', 'server_full', 'too_slow']);
/** Removals after which rejoining is not possible. */
const FINAL = new Set(['banned', 'forbidden', 'unauthorized']);

export class Banner {
  #element = byId('banner');
  #text = byId('banner-text');
  #countdown = byId('banner-countdown');
  #action = byId('banner-action');
  #second = byId('banner-second');
  #chat = null;
  #room = null;
  #unsubscribes = [];
  #restart;
  #onAction = () => {};
  #onSecond = () => {};
  #timer;
  #downSince = null;
  /** Why the connection was lost. The errors of later attempts are not shown. */
  #reason = null;

  /** `restart()` starts a new session after the current one has ended. */
  constructor(restart) {
    this.#restart = restart;
    this.#action.addEventListener('click', () => this.#onAction());
    this.#second.addEventListener('click', () => this.#onSecond());
    for (const type of ['online', 'offline']) window.addEventListener(type, () => this.#update());
  }

  watch(chat) {
    this.#chat = chat;
    chat.on('status', () => this.#update());
    this.#update();
  }

  show(room) {
    for (const unsubscribe of this.#unsubscribes) unsubscribe();
    this.#room = room;
    this.#unsubscribes = room ? [room.on('state', () => this.#update())] : [];
    this.#update();
  }

  #update() {
    clearTimeout(this.#timer);
    if (!this.#chat) return;
    const { status } = this.#chat;
    if (status.state === 'open') this.#downSince = this.#reason = null;
    else this.#downSince ??= Date.now();
    if (status.state === 'closed') return this.#showEnded(status.reason);
    if (status.state !== 'open') {
      this.#reason ??= status.reason?.code ?? null;
      const wait = this.#downSince + SHOW_AFTER_MS - Date.now();
      if (wait > 0 && this.#element.hidden) this.#timer = setTimeout(() => this.#update(), wait);
      else this.#showDown(status);
      return;
    }
    const { left, delayed, called } = this.#room ?? {};
    if (left) return this.#showLeft(whyLeft(called, left, this.#room.room.info), left);
    if (delayed) {
      const taken = `Someone else in ${called} is using your name.`;
      const why = delayed.error.code === 'username_taken' ? taken : inWords(delayed.error, { name: this.#chat.name, where: called });
      return this.#display('delayed', `${why} Still trying to rejoin…`);
    }
    this.#element.hidden = true;
    this.#element.dataset.kind = 'none';
    this.#text.textContent = '';
  }

  #showLeft(text, { reason, error }) {
    const room = this.#room;
    const remove = ['Remove from list', () => this.#chat.leave(room)];
    if (FINAL.has(reason) || FINAL.has(error?.code)) return this.#display('left', text, remove);
    const rejoin = async () => {
      this.#action.disabled = true;
      try {
        await this.#chat.join(room.name);
      } catch (problem) {
        if (this.#room === room) this.#showLeft(inWords(problem, { name: this.#chat.name, where: room.called }), { reason, error: problem });
      } finally {
        this.#action.disabled = false;
      }
    };
    this.#display('left', text, ['Rejoin', rejoin], remove);
  }

  #showDown(status) {
    const offline = navigator.onLine === false;
    const why = offline ? 'You’re offline.' : inWords({ code: EXPLAINED.has(this.#reason) ? this.#reason : 'lost' });
    const tryNow = ['Try now', () => this.#chat.reconnect()];
    this.#display(offline ? 'offline' : 'down', `${why} Your messages will be sent when you’re back online.`, tryNow);
    this.#countDown(status);
  }

  /** The seconds are not in the live region: a screen reader would read each one aloud. */
  #countDown(status) {
    if (status.state !== 'waiting') {
      this.#countdown.textContent = 'Connecting…';
      return;
    }
    const seconds = Math.max(1, Math.ceil((status.retryAt - Date.now()) / 1_000));
    this.#countdown.textContent = `Reconnecting in ${seconds} s`;
    this.#timer = setTimeout(() => this.#countDown(status), 500);
  }

  #showEnded(reason) {
    if (reason.code === 'closed') return;
    const label = { replaced: 'Reconnect', forbidden: 'Try again' }[reason.code] ?? 'Sign in again';
    this.#display('ended', whyEnded(reason), [label, this.#restart]);
  }

  /** `action` and `second` are a button's label and its handler. */
  #display(kind, text, action, second) {
    this.#element.hidden = false;
    this.#element.dataset.kind = kind;
    if (this.#text.textContent !== text) this.#text.textContent = text;
    this.#countdown.textContent = '';
    this.#onAction = setButton(this.#action, action);
    this.#onSecond = setButton(this.#second, second);
  }
}

function setButton(button, [label, act] = ['', () => {}]) {
  setText(button, label);
  return act;
}
