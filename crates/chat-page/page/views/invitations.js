// The invitations of the user, each with the choice to join the room or to decline.

import { byId, h } from '../dom.js';
import { profileOf } from '../state/account.js';
import { isolated } from '../text/names.js';
import { called, inWords } from '../text/words.js';

export class Invitations {
  #chat;
  /** The notices by room. */
  #notices = new Map();
  /** The ids of users who have sent an invitation, by name, as far as they are known. */
  #senders = new Map();
  #fail;

  /** `fail(text)` is called with why an answer was not possible. */
  constructor(chat, fail) {
    this.#chat = chat;
    this.#fail = fail;
    chat.on('invitations', () => this.#render());
    chat.on('blocking', () => this.#blockingChanged());
    this.#render();
  }

  /** An invitation has the name of its sender, and of a blocked user the id is known. */
  async #blockingChanged() {
    const names = new Set([...this.#chat.invitations.values()].map(({ by }) => by).filter((by) => by && !this.#senders.has(by)));
    await Promise.all([...names].map(async (name) => {
      // Without an answer the next list of rooms is right.
      const profile = await profileOf(name).catch(() => null);
      if (profile) this.#senders.set(name, profile.id);
    }));
    this.#render();
  }

  #render() {
    const isOpen = ({ by, expiresAt }) => Date.parse(expiresAt) > Date.now() && !this.#chat.isBlocked(this.#senders.get(by));
    const open = [...this.#chat.invitations.values()].filter(isOpen);
    const wanted = new Set(open.map(({ room }) => room));
    for (const [room, notice] of this.#notices) {
      if (wanted.has(room)) continue;
      notice.remove();
      this.#notices.delete(room);
    }
    for (const invitation of open) {
      if (this.#notices.has(invitation.room)) continue;
      const notice = this.#notice(invitation);
      this.#notices.set(invitation.room, notice);
      byId('notices').append(notice);
    }
  }

  #notice({ room, title, by }) {
    const where = called({ room, title });
    const name = title ?? where;
    const buttons = [
      h('button', { type: 'button', class: 'primary', 'data-invitation': 'join', 'aria-label': `Join ${name}`, onclick: () => this.#answer(room, 'accept') }, 'Join'),
      h('button', { type: 'button', 'data-invitation': 'decline', 'aria-label': `Decline the invitation to ${name}`, onclick: () => this.#answer(room, 'decline') }, 'Decline'),
    ];
    return h('p', { class: 'notice invitation', 'data-room': room },
      h('span', { dir: 'auto' }, h('strong', {}, by ? isolated(by) : 'An admin'), ` invites you to ${where}.`),
      h('span', { class: 'invitation-buttons' }, buttons));
  }

  async #answer(room, answer) {
    const buttons = this.#notices.get(room).querySelectorAll('button');
    for (const button of buttons) button.disabled = true;
    try {
      await this.#chat[answer](room);
    } catch (error) {
      const isGone = error.code === 'not_found';
      this.#fail(isGone ? 'This invitation has ended.' : inWords(error, { name: this.#chat.name, where: this.#chat.called(room) }));
    } finally {
      for (const button of buttons) button.disabled = false;
    }
  }
}
