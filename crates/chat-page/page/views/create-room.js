// The dialog that creates a private room. It is loaded when it is opened for the first time.

import { h } from '../dom.js';
import { inWords } from '../text/words.js';
import { FormDialog, field } from './form-dialog.js';

export const MAX_TITLE = 80;
export const MAX_TOPIC = 500;

export class CreateRoom {
  #title = h('input', {
    id: 'create-room-name', maxlength: MAX_TITLE, dir: 'auto', 'aria-describedby': 'create-room-error',
    oninput: () => this.#title.removeAttribute('aria-invalid'),
  });
  #topic = h('textarea', { id: 'create-room-topic', rows: 2, maxlength: MAX_TOPIC, dir: 'auto', 'aria-describedby': 'create-room-hint' });
  #form = new FormDialog('create-room', [
    h('p', { class: 'quiet' }, 'Only people whom you invite can find a private room and join it.'),
    field('Title', this.#title), field('Topic (optional)', this.#topic, h('p', { id: 'create-room-hint', class: 'hint' }, 'What the room is about.')),
  ], { submit: () => this.#submit(), words });
  #chat;

  constructor(chat) {
    this.#chat = chat;
    this.#form.title = ['Create a private room'];
    this.#form.button = 'Create';
  }

  open() {
    this.#title.value = this.#topic.value = '';
    this.#title.removeAttribute('aria-invalid');
    return this.#form.open(this.#title);
  }

  async #submit() {
    const [title, topic] = [this.#title.value.trim(), this.#topic.value.trim()];
    if (title === '') {
      this.#title.setAttribute('aria-invalid', 'true');
      this.#form.fail('Enter a title.');
      this.#title.focus();
      return false;
    }
    await this.#chat.createPrivate({ title, ...(topic !== '' && { topic }) });
  }
}

function words(error) {
  if (error.code === 'limit_reached') return 'Your list of rooms is full. Leave a room first.';
  if (error.code === 'forbidden') return 'You need an account to create a private room.';
  return inWords(error);
}
