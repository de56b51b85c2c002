// The dialog that asks before the user leaves a private room for good. It is loaded when it is
// opened for the first time.

import { h } from '../dom.js';
import { inWords } from '../text/words.js';
import { FormDialog } from './form-dialog.js';

export class LeavePrivate {
  #stay = h('button', { id: 'leave-private-stay', class: 'wide', type: 'button', 'data-close': true }, 'Stay');
  #form = new FormDialog('leave-private', [
    h('p', {}, 'You are no longer a member then, and you can’t read this room any more. To come back you need a new invitation.'),
  ], { submit: () => this.#submit(), words, actions: [this.#stay] });
  #chat;
  #done;
  #room = null;

  /** `done(text)` is called with what has been done. */
  constructor(chat, done) {
    this.#chat = chat;
    this.#done = done;
  }

  open(room) {
    this.#room = room;
    this.#form.title = ['Leave ', h('bdi', {}, room.called), '?'];
    this.#form.button = 'Leave this room';
    return this.#form.open(this.#stay);
  }

  async #submit() {
    const { called } = this.#room;
    await this.#chat.resign(this.#room);
    this.#done(`You left ${called}.`);
  }
}

/** The server says why the role stays: for example, because a room keeps an owner. */
function words(error) {
  if (error.code !== 'forbidden') return inWords(error);
  return `${error.message.charAt(0).toUpperCase()}${error.message.slice(1)}.`;
}
