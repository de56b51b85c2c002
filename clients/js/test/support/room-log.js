// The log of a room as the server keeps it, and the frames that the server makes of it: with these
// a test plays the server.

const BY_SEQ = (one, other) => one.seq - other.seq;
const MAX_RECOVERED = 1_000;

export class RoomLog {
  name;
  epoch;
  seq = 0;
  oldest = 1;
  info = { join: 'everyone', post: 'everyone' };
  #messages = new Map();
  /** The frame of each event, in order. */
  frames = [];

  constructor(name = 'lobby', epoch = 'e') {
    Object.assign(this, { name, epoch });
  }

  /** All messages in their current states. */
  get messages() {
    return [...this.#messages.values()].sort(BY_SEQ);
  }

  post(message = {}) {
    const seq = this.seq + 1;
    const stored = { seq, id: `m${seq}`, from: 'bob', user: 'g_bob', body: `text ${seq}`, sent_at: timeOf(seq), ...message };
    this.#messages.set(seq, stored);
    return this.#event({ type: 'message', ...stored });
  }

  edit(target, body) {
    const frame = this.#event({ type: 'edited', target, body, html: `<p>${body}</p>`, edited_at: timeOf(this.seq + 1) });
    this.#messages.set(target, { ...this.#messages.get(target), body, html: frame.html, edited_at: frame.edited_at, changed_seq: this.seq });
    return frame;
  }

  /** A user puts an emoji on a message, or removes it. The test's own user is `g_ana`. */
  react(target, emoji, username, on = true) {
    const user = `g_${username}`;
    const { reactions: before = [], ...rest } = this.#messages.get(target);
    const { users = [] } = before.find((reaction) => reaction.emoji === emoji) ?? {};
    const names = on ? [...users, username] : users.filter((name) => name !== username);
    const mine = names.includes('ana') && { mine: true };
    const after = { emoji, count: names.length, users: names, ...mine };
    const known = before.map((reaction) => (reaction.emoji === emoji ? after : reaction));
    const reactions = (users.length > 0 ? known : [...before, after]).filter(({ count }) => count > 0);
    const change = { emoji, count: names.length, added: on ? [{ username, user }] : [], removed: on ? [] : [{ username, user }] };
    const frame = this.#event({ type: 'reactions', target, changes: [change] });
    this.#messages.set(target, { ...rest, ...(reactions.length > 0 && { reactions }), changed_seq: this.seq });
    return frame;
  }

  delete(targets, by = 'operator') {
    const frame = this.#event({ type: 'deleted', targets, by });
    for (const target of targets) {
      const { sent_at: sentAt } = this.#messages.get(target);
      this.#messages.set(target, { seq: target, sent_at: sentAt, deleted: true, by, changed_seq: this.seq });
    }
    return frame;
  }

  configure(info) {
    this.info = { ...this.info, ...info };
    return this.#event({ type: 'room_changed', info: this.info });
  }

  /** An event of a type that this version of the protocol does not have. */
  other(fields = {}) {
    return this.#event({ type: 'aurora', ...fields });
  }

  /** Retention removes the messages before this one. */
  prune(oldest) {
    this.oldest = oldest;
    for (const seq of [...this.#messages.keys()]) if (seq < oldest) this.#messages.delete(seq);
  }

  /** The answer to a `join`. */
  joined({ since, history = 0 } = {}) {
    const head = { type: 'joined', room: this.name, epoch: this.epoch, seq: this.seq, oldest: this.oldest, info: this.info, members: [], member_count: 0, last: this.seq };
    const { posted, changed } = this.#after(since?.seq ?? 0);
    const isLost = since?.epoch !== this.epoch || since.seq > this.seq || since.seq + 1 < this.oldest;
    if (!since || isLost || posted.length + changed.length > MAX_RECOVERED) {
      const { first, messages } = this.history({ limit: history });
      return { ...head, first, messages, recovered: false };
    }
    return { ...head, first: since.seq + 1, messages: posted, changed, recovered: true };
  }

  /** Stands for the events from `first` to `last`. */
  sync(first, last = this.seq) {
    const { posted, changed } = this.#after(first - 1);
    return { type: 'sync', room: this.name, first_seq: first, seq: last, recovered: true, messages: posted.filter(({ seq }) => seq <= last), changed, info: this.info };
  }

  /** The answer to `history`. */
  history({ before = this.seq + 1, after, limit = 50 } = {}) {
    const answer = { type: 'history', room: this.name, epoch: this.epoch };
    if (after !== undefined) {
      const rest = this.messages.filter(({ seq }) => seq > after);
      const more = rest.length > limit;
      const messages = rest.slice(0, limit);
      return { ...answer, first: after + 1, last: more ? messages.at(-1).seq : this.seq, messages, more };
    }
    const rest = this.messages.filter(({ seq }) => seq < before);
    const messages = limit === 0 ? [] : rest.slice(-limit);
    const more = rest.length > messages.length;
    const first = messages[0]?.seq ?? before;
    return { ...answer, first: more ? first : Math.min(first, this.oldest), last: before - 1, messages, more };
  }

  #after(since) {
    const posted = this.messages.filter(({ seq }) => seq > since);
    const changed = this.messages.filter(({ seq, changed_seq: changedSeq }) => seq <= since && changedSeq > since);
    return { posted, changed };
  }

  #event(event) {
    this.seq += 1;
    const frame = { room: this.name, seq: this.seq, ...event };
    this.frames.push(frame);
    return frame;
  }
}

function timeOf(seq) {
  return new Date(Date.UTC(2026, 0, 1) + seq * 1_000).toISOString();
}
