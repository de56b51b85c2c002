// The dialog with the open reports and the log: those of a room, or those of the whole server. It
// is loaded when it is opened for the first time.

import { closable, h, icon, loadStyles, setText } from '../dom.js';
import { isAddress, isolated } from '../text/names.js';
import { full } from '../text/time.js';
import { inWords, when } from '../text/words.js';

const PAGE_SIZE = 50;

const styles = loadStyles('/page/moderation.css');

/** What was done, in a sentence. `whom` is the user whom it concerns. */
const ACTS = {
  register: () => 'registered the room',
  set_role: (whom, { role }) => (role ? `made ${whom} ${role === 'owner' ? 'an' : 'a'} ${role}` : `took the role of ${whom} away`),
  configure: () => 'changed the settings',
  kick: (whom) => `removed ${whom} from the room`,
  ban: (whom) => `banned ${whom}`,
  unban: (whom) => `ended the ban of ${whom}`,
  mute: (whom) => `muted ${whom}`,
  unmute: (whom) => `ended the mute of ${whom}`,
  warn: (whom) => `warned ${whom}`,
  delete: (whom) => `deleted a message of ${whom}`,
  invite: (whom) => `invited ${whom}`,
  accept: () => 'accepted the invitation',
  end_invitation: (whom, { by, username }) => (by === username ? 'declined the invitation' : `ended the invitation of ${whom}`),
  invite_link: () => 'made an invite link',
  use_link: () => 'joined with an invite link',
  end_links: () => 'ended all invite links',
  enter: () => 'entered the room as a moderator of this server',
  close_report: (whom, { username }) => (username ? `closed a report about a message of ${whom}` : 'closed a report'),
  erase_messages: (whom) => `erased the messages of ${whom}`,
  erase_reactions: (whom) => `removed the reactions of ${whom}`,
  erase_report: (whom, { by, username }) => `erased the text of a report about a message of ${by === username ? 'their own' : whom}`,
};
/** What reads differently, or happens only, on the whole server. */
const SERVER_ACTS = {
  ...ACTS,
  kick: (whom) => `removed ${whom} from all rooms`,
  announce: () => 'made an announcement',
  withdraw_announcement: () => 'withdrew the announcement',
};
/** These end at a time, if they have one. */
const HAVE_END = new Set(['ban', 'mute', 'invite', 'invite_link']);

export class ModerationLog {
  #reports = new Pages('reports', 'There are no open reports.', (report) => this.#report(report));
  #log = new Pages('records', 'Nothing was done here yet.', (record) => this.#record(record));
  #error = h('p', { id: 'moderation-log-error', class: 'error', role: 'alert', hidden: true });
  #title = h('h2', { id: 'moderation-log-title' });
  #dialog = h('dialog', { id: 'moderation-log', class: 'modal form-dialog', 'aria-labelledby': 'moderation-log-title' },
    h('header', { class: 'modal-head' }, this.#title,
      h('button', { class: 'icon', type: 'button', 'data-close': true, 'aria-label': 'Close' }, icon('close'))),
    this.#error, h('h3', {}, 'Open reports'), this.#reports.elements, h('h3', {}, 'Log'), this.#log.elements);
  #chat;
  #goTo;
  /** What the dialog is about: see `ofRoom` and `ofServer`. */
  #scope = null;

  /** `goTo(room, seq)` shows a message. */
  constructor(chat, goTo) {
    [this.#chat, this.#goTo] = [chat, goTo];
    document.body.append(this.#dialog);
    closable(this.#dialog);
  }

  /** Opens the dialog for a room, or for the whole server if the room is `null`. */
  async open(room) {
    await styles;
    if (this.#dialog.open) return;
    this.#scope = room ? ofRoom(room) : ofServer(this.#chat);
    this.#title.replaceChildren(...this.#scope.title);
    // What the dialog showed before may be about another room.
    this.#reports.clear();
    this.#log.clear();
    setText(this.#error, '');
    this.#dialog.showModal();
    await this.#attempt(() => Promise.all([
      this.#reports.begin(this.#scope.reports, (failure) => this.#fail(failure)),
      this.#readLog(),
    ]));
  }

  #readLog() {
    return this.#log.begin(this.#scope.records, (failure) => this.#fail(failure));
  }

  #report({ number, at, room: named, by, target, from, body, reason }) {
    const room = named ?? this.#scope.room;
    const isOutside = isAddress(room) && !this.#chat.rooms.has(room);
    const hint = isOutside ? h('p', { id: `report-hint-${number}`, class: 'hint' }, 'You would enter this room, and its log would say so. Nobody can enter the direct room of two others.') : null;
    const go = h('button', {
      type: 'button', 'aria-describedby': hint?.id, onclick: () => this.#attempt(() => this.#show(room, target, () => {
        item.querySelector('[data-action="close"]').focus();
        go.remove();
        hint?.remove();
      })),
    }, 'Go to message');
    const item = h('li', { class: 'entry', 'data-report': number },
      h('p', {}, h('strong', { dir: 'auto' }, by), ' reported a message of ', h('strong', { dir: 'auto' }, from), this.#where(named), ', ', time(at)),
      body === undefined
        ? h('p', { class: 'quiet' }, 'The text was erased.')
        : h('blockquote', { class: 'reported', dir: 'auto' }, body),
      reason && h('p', { class: 'entry-text', dir: 'auto' }, `Reason: ${reason}`),
      hint,
      h('div', { class: 'entry-buttons' },
        go, h('button', {
          type: 'button', 'data-action': 'close', 'aria-label': `Close the report by ${by}`, onclick: () => this.#attempt(() => this.#close(room, number, item)),
        }, 'Close')));
    return item;
  }

  /**
   * Shows the message that was reported, and enters its room first if necessary. `refused()` is
   * called if nobody enters it: the page cannot tell a direct room by its address.
   */
  async #show(room, target, refused) {
    try {
      await this.#chat.join(room, { show: false });
    } catch (error) {
      if (!isAddress(room) || error.code !== 'not_found') return setText(this.#error, inWords(error, { name: this.#chat.name, where: this.#chat.called(room) }));
      refused();
      return setText(this.#error, 'This message is in a direct room, which only its two users can enter, or its room does not exist any more.');
    }
    this.#dialog.close();
    this.#goTo(room, target);
  }

  #record(record) {
    const where = this.#where(record.room);
    return h('li', { class: 'entry', 'data-act': record.act },
      h('p', { class: 'entry-text', dir: 'auto' }, sentence(record, this.#scope.isServer && record.room === undefined ? SERVER_ACTS : ACTS)),
      h('p', { class: 'quiet' }, where, where.length > 0 && ', ', time(record.at)));
  }

  /** Where something happened. In the dialog of a room it goes without saying. */
  #where(room) {
    if (!this.#scope.isServer) return [];
    if (room === undefined) return ['on this server'];
    // Operators need the whole address.
    return [' in ', h('bdi', { title: isAddress(room) && room }, this.#chat.calledApart(room))];
  }

  async #close(room, number, item) {
    try {
      await this.#chat.closeReport(room, number);
    } catch (error) {
      // Another moderator has closed it.
      if (error.code !== 'not_found') throw error;
    }
    (item.nextElementSibling ?? item.previousElementSibling)?.querySelector('button').focus();
    this.#reports.remove(item);
    await this.#readLog();
  }

  async #attempt(act) {
    setText(this.#error, '');
    try {
      await act();
    } catch (error) {
      this.#fail(error);
    }
  }

  #fail(error) {
    setText(this.#error, error.code === 'forbidden' ? `Only ${this.#scope.readers} see its reports and its log.` : inWords(error));
  }
}

function ofRoom({ name, called, room }) {
  return {
    isServer: false, room: name, title: ['Reports and log of ', h('bdi', {}, called)], readers: 'moderators and owners of this room',
    reports: (query) => room.reports(query), records: (query) => room.audit(query),
  };
}

/** Here each report has its room, and so has each record that is not about the whole server. */
function ofServer(chat) {
  return {
    isServer: true, title: ['Reports and log of this server'], readers: 'moderators of this server',
    reports: (query) => chat.reports(query), records: (query) => chat.audit(query),
  };
}

/** A list that is read page by page, newest first. */
class Pages {
  #key;
  #create;
  #list = h('ol', { class: 'entries' });
  #empty;
  #more = h('button', { class: 'wide', type: 'button', hidden: true, onclick: () => this.#readMore() }, 'Show older');
  #read = null;
  #fail = null;
  #before;

  /** `key` is the name of the list in a page, and `create(entry)` makes its elements. */
  constructor(key, empty, create) {
    this.#key = key;
    this.#create = create;
    this.#list.id = `moderation-log-${key}`;
    this.#empty = h('p', { class: 'quiet', hidden: true }, empty);
  }

  get elements() {
    return [this.#empty, this.#list, this.#more];
  }

  /**
   * Reads the newest page. `read(query)` resolves with a page, and `fail(error)` says why one is
   * missing.
   */
  begin(read, fail) {
    [this.#read, this.#fail, this.#before] = [read, fail, undefined];
    return this.#page();
  }

  clear() {
    this.#list.replaceChildren();
    this.#empty.hidden = this.#more.hidden = true;
  }

  remove(item) {
    item.remove();
    this.#empty.hidden = this.#list.childElementCount > 0 || !this.#more.hidden;
  }

  async #page() {
    const [read, before] = [this.#read, this.#before];
    const page = await read({ before, limit: PAGE_SIZE });
    if (read !== this.#read) return;
    const entries = page[this.#key];
    const items = entries.map((entry) => this.#create(entry));
    if (before === undefined) this.#list.replaceChildren(...items);
    else this.#list.append(...items);
    this.#before = entries.at(-1)?.number ?? before;
    this.#more.hidden = !page.more;
    this.#empty.hidden = this.#list.childElementCount > 0;
  }

  async #readMore() {
    this.#more.disabled = true;
    try {
      await this.#page();
    } catch (error) {
      this.#fail(error);
    } finally {
      this.#more.disabled = false;
    }
  }
}

function sentence(record, acts) {
  const { by, act, username, until, reason } = record;
  const who = by ? isolated(by) : 'An admin of this server';
  // An act of a newer server is shown as it is.
  const done = acts[act]?.(username ? isolated(username) : 'someone', record) ?? `${act.replaceAll('_', ' ')}${username ? ` (${isolated(username)})` : ''}`;
  const end = until && HAVE_END.has(act) ? `${act === 'invite_link' ? ', valid' : ''} until ${when(until)}` : '';
  return `${who} ${done}${end}${reason ? `: ${reason}` : '.'}`;
}

function time(at) {
  const date = new Date(at);
  return h('time', { datetime: at, title: full(date) }, when(date));
}
