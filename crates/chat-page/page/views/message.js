// One entry of the log: a message, and above it the day or the "New messages" line.

import { avatar, h, hueOf } from '../dom.js';
import { insertServerHtml } from '../text/html.js';
import { markReferences } from '../text/marks.js';
import { clock, dayName, dayOf, full } from '../text/time.js';
import { inWords } from '../text/words.js';
import { decorate } from './dress.js';
import { expandButton } from './long.js';
import { quoteOf } from './quote.js';
import { reactionsOf } from './reactions.js';

/** Consecutive messages of one user within this time are grouped under one name. */
const GROUP_MS = 5 * 60_000;
/**
 * In a long run of messages of one user, the first message after each multiple of this number shows
 * the name again.
 */
const GROUP_SIZE = 20;

/** What is shown in place of a deleted message, by who deleted it. */
const DELETED = {
  author: 'This message was deleted.',
  moderator: 'This message was deleted by a moderator.',
  operator: 'This message was deleted by the operator.',
};

const BLOCKED = 'Message of a blocked user.';

/** `previous` is the message before this one, or `undefined` if it is the first one loaded. */
export function entryOf(message, previous, room) {
  const sent = new Date(message.sent_at);
  const newDay = !previous || dayOf(new Date(previous.sent_at)) !== dayOf(sent);
  const isNew = isFirstNew(message, previous, room);
  const isContinued = !newDay && !isNew && isSameGroup(message, previous, sent, room);
  return h('div', { class: 'entry', 'data-seq': message.seq },
    newDay && h('div', { class: 'day' }, h('span', {}, dayName(sent))),
    isNew && h('div', { class: 'new-line', id: 'new-line' }, h('span', {}, 'New messages')),
    message.deleted ? deletedMessage(message, sent) : room.isHidden(message) ? hiddenMessage(message, sent) : postedMessage(message, sent, isContinued, room));
}

/** A message of the user that is not stored yet. */
export function outboxEntry(message, room, act) {
  const failed = message.state === 'failed';
  const quote = message.replyTo !== undefined && quoteOf(room.find(message.replyTo) ?? { seq: message.replyTo }, room);
  const article = h('article', {
    class: `message mine ${message.state}`, 'data-id': message.id, 'data-from': room.me, 'data-state': message.state,
    'aria-label': failed ? 'Your message, not sent' : 'Your message, being sent',
  }, ...sender(room.me, room.myId, null, true), quote, bodyOf(message, room));
  if (failed) {
    article.append(h('div', { class: 'failure' },
      h('span', {}, `Not sent. ${reasonOf(message)}`),
      h('span', { class: 'failure-actions' },
        h('button', { type: 'button', 'data-action': 'retry', onclick: () => act('retry', message.id) }, 'Try again'),
        h('button', { type: 'button', 'data-action': 'edit', onclick: () => act('edit', message.id) }, 'Edit'),
        h('button', { type: 'button', 'data-action': 'discard', onclick: () => act('discard', message.id) }, 'Discard'))));
  } else {
    article.append(h('p', { class: 'sending' }, 'Sending…'));
  }
  return h('div', { class: 'entry' }, article);
}

function reasonOf({ error, replyTo }) {
  return error?.code === 'not_found' && replyTo !== undefined ? 'The message that you reply to does not exist any more.' : inWords(error);
}

function isFirstNew(message, previous, { dividerSeq, more, first }) {
  if (dividerSeq === null || message.seq <= dividerSeq) return false;
  // The first loaded message need not be the first unread one: that may not be loaded yet.
  return previous ? previous.seq <= dividerSeq : !more || first <= dividerSeq + 1;
}

function isSameGroup(message, previous, sent, room) {
  const block = ({ seq }) => Math.floor(seq / GROUP_SIZE);
  if (message.reply_to || previous.deleted || room.isHidden(previous) || previous.user !== message.user || block(previous) !== block(message)) return false;
  return sent - new Date(previous.sent_at) < GROUP_MS;
}

function postedMessage(message, sent, isContinued, room) {
  const mine = room.isMine(message);
  const classes = ['message'];
  if (mine) classes.push('mine');
  if (isContinued) classes.push('goes-on');
  if (room.mentionsMe(message)) classes.push('for-me');
  const time = h('time', { datetime: message.sent_at, title: full(sent) }, clock(sent));
  return h('article', {
    class: classes.join(' '), 'data-seq': message.seq, 'data-id': message.id, 'data-from': message.from, 'data-state': 'stored',
    'aria-label': `${mine ? 'You' : message.from}, ${clock(sent)}`, 'aria-describedby': `text-${message.seq}`, tabindex: -1,
  }, isContinued ? time : sender(message.from, message.user, time, mine), message.reply_to && quoteOf(message.reply_to, room),
  bodyOf(message, room), editedMark(message, sent), reactionsOf(message, room), menuButton());
}

function editedMark({ edited_at: editedAt }, sent) {
  if (!editedAt) return null;
  const edited = new Date(editedAt);
  const when = dayOf(edited) === dayOf(sent) ? clock(edited) : `${dayName(edited)} ${clock(edited)}`;
  return h('span', { class: 'edited', title: `Edited ${full(edited)}` }, `edited ${when}`);
}

/** For screen readers, which can read the log without the keys of the page. */
function menuButton() {
  return h('button', { class: 'open-menu visually-hidden', type: 'button', tabindex: -1, 'aria-label': 'Message actions', 'aria-haspopup': 'menu' });
}

function deletedMessage(message, sent) {
  return placeholder(message, sent, 'deleted', DELETED[message.by] ?? DELETED.author);
}

function hiddenMessage(message, sent) {
  return placeholder(message, sent, 'blocked', BLOCKED,
    h('button', { class: 'plain-button show-blocked', type: 'button', 'data-inner': true, tabindex: -1, 'aria-describedby': `text-${message.seq}` }, 'Show'));
}

/** A quiet line in place of a message. */
function placeholder(message, sent, state, text, button) {
  const time = h('time', { datetime: message.sent_at, title: full(sent) }, clock(sent));
  // An empty place in the column of avatars: the message is not by the author above it.
  return h('article', { class: `message ${state}`, 'data-seq': message.seq, 'data-state': state, 'aria-label': `Message, ${clock(sent)}`, 'aria-describedby': `text-${message.seq}`, tabindex: -1 },
    h('span', { class: 'avatar', 'aria-hidden': 'true' }),
    h('p', { class: 'message-head' }, h('span', { class: 'body', id: `text-${message.seq}` }, text), time, button));
}

/** The avatar and the line above the first message of a group. */
function sender(username, user, time, mine) {
  const from = h('span', { class: 'from', dir: 'auto', title: username }, username);
  from.style.setProperty('--hue', hueOf(user));
  return [avatar({ username, user }), h('header', { class: 'message-head' }, from, mine && h('span', { class: 'you' }, 'you'), time)];
}

/** The body, and the button that expands it if it is long. */
function bodyOf(message, room) {
  const body = h('div', { class: 'body', dir: 'auto', id: message.state === undefined && `text-${message.seq}` });
  if (message.html === undefined) {
    body.classList.add('as-written');
    body.textContent = message.body;
  } else {
    insertServerHtml(body, message.html);
  }
  markReferences(body, room, { isToEveryone: message.mentions?.includes('room') });
  decorate(body);
  const more = expandButton(message, body);
  return more ? [body, more] : [body];
}
