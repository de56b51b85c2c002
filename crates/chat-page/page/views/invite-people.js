// The dialog that invites people into a room: by name, or with a link. It is loaded when it is
// opened for the first time.

import { copyText } from '../clipboard.js';
import { h, setText } from '../dom.js';
import { isolated } from '../text/names.js';
import { inWords, plural, when } from '../text/words.js';
import { FormDialog, field, options } from './form-dialog.js';
import { linkTo } from './invite.js';

const DAY_S = 86_400;
const DAYS = [[1, '1 day'], [7, '7 days'], [30, '30 days']];
const USES = [[1, '1 person'], [5, '5 people'], [25, '25 people'], [100, '100 people']];

export class InvitePeople {
  #name = h('input', {
    id: 'invite-name', maxlength: 50, dir: 'auto', autocapitalize: 'none', spellcheck: 'false', 'aria-describedby': 'invite-hint invite-error',
    oninput: () => this.#name.removeAttribute('aria-invalid'),
  });
  #uses = h('select', { id: 'invite-uses' }, options(USES));
  #days = h('select', { id: 'invite-days' }, options(DAYS));
  #link = h('input', { id: 'invite-link', readonly: true, dir: 'ltr', onfocus: ({ target }) => target.select() });
  #copy = h('button', { id: 'invite-copy', class: 'wide', type: 'button', onclick: () => this.#copyLink() }, 'Copy the link');
  #linkHint = h('p', { id: 'invite-link-hint', class: 'hint' });
  #result = h('div', { class: 'form', hidden: true }, field('Link', this.#link, this.#linkHint), this.#copy);
  #status = h('p', { id: 'invite-status', class: 'quiet', role: 'status', hidden: true });
  #form = new FormDialog('invite', [
    field('Username', this.#name, h('p', { id: 'invite-hint', class: 'hint' }, 'A person with an account. They can join or decline within 30 days.')),
  ], {
    submit: () => this.#invite(), words: (error) => this.#inWords(error),
    actions: [
      this.#status, h('h3', {}, 'Invite with a link'),
      h('p', { class: 'hint' }, 'Everyone who has the link and an account can become a member.'),
      field('For how many people', this.#uses), field('Valid for', this.#days),
      h('button', { id: 'invite-make', class: 'wide', type: 'button', onclick: () => this.#attempt(() => this.#makeLink()) }, 'Make a link'),
      this.#result,
      h('button', { id: 'invite-end', class: 'wide', type: 'button', onclick: () => this.#attempt(() => this.#endLinks()) }, 'End all links of this room'),
    ],
  });
  #room = null;
  #isAskingByName = false;

  open(room) {
    this.#room = room;
    this.#name.value = '';
    this.#name.removeAttribute('aria-invalid');
    this.#uses.value = '1';
    this.#days.value = '7';
    this.#result.hidden = true;
    setText(this.#status, '');
    this.#form.title = ['Invite people to ', h('bdi', {}, room.called)];
    this.#form.button = 'Invite';
    return this.#form.open(this.#name);
  }

  async #invite() {
    this.#isAskingByName = true;
    const name = this.#name.value.trim().replace(/^@/, '');
    setText(this.#status, '');
    if (name === '') {
      this.#name.setAttribute('aria-invalid', 'true');
      this.#form.fail('Enter a username.');
    } else {
      await this.#room.room.invite(name);
      this.#name.value = '';
      setText(this.#status, `${isolated(name)} is invited.`);
    }
    this.#name.focus();
    // More people may follow.
    return false;
  }

  async #makeLink() {
    const room = this.#room;
    const [uses, days] = [Number(this.#uses.value), Number(this.#days.value)];
    const { invite, expiresAt } = await room.room.inviteLink({ uses, seconds: days * DAY_S });
    if (room !== this.#room) return;
    this.#link.value = `${linkTo(room.name)}#invite=${invite}`;
    setText(this.#linkHint, `For ${plural(uses, 'person', 'people')}, until ${when(expiresAt)}. It is shown only now.`);
    this.#result.hidden = false;
    this.#copy.focus();
  }

  async #endLinks() {
    await this.#room.room.endInviteLinks();
    this.#result.hidden = true;
    setText(this.#status, 'All links of this room have ended.');
  }

  async #copyLink() {
    setText(this.#status, await copyText(this.#link.value) ? 'Link copied.' : 'The browser did not allow copying.');
  }

  async #attempt(act) {
    this.#isAskingByName = false;
    this.#form.fail('');
    setText(this.#status, '');
    try {
      await act();
    } catch (error) {
      this.#form.fail(this.#inWords(error));
    }
  }

  #inWords(error) {
    if (error.code === 'not_found' && this.#isAskingByName) return 'There is no account with this name.';
    if (error.code === 'forbidden') return this.#isAskingByName ? 'You can’t invite this person: they are a member already, or you may not invite people to this room.' : 'Only moderators and owners invite people.';
    if (error.code === 'limit_reached') return 'This room has as many open invitations or links as it can have. End the links, or wait until some have ended.';
    return inWords(error);
  }
}
