// The client for chatd's dialect chat.v2: one module without dependencies, for browsers and Node.
// The protocol is specified in docs/protocol.md of chatd. The public API is typed in client.d.ts.

const DIALECT = 'chat.v2';
/** From opening the socket to `welcome`. */
const CONNECT_TIMEOUT_MS = 15_000;
/** The maximum time to wait for a `pong`. */
const PONG_TIMEOUT_MS = 10_000;
const TYPING_INTERVAL_MS = 3_000;
/** The server's maximum page size for history and for members. */
const MAX_PAGE_SIZE = 200;
/** Of the users who have put an emoji on a message, at most this many are named. */
const MAX_REACTION_NAMES = 10;
/**
 * Messages in the outbox that are older than this are not sent. The server recognises a message id
 * for 24 h.
 */
const OUTBOX_MAX_AGE_MS = 12 * 3_600_000;

/** The `ChatError.code` of each close code of the protocol. */
const CLOSE_CODES = new Map([
  [1001, 'shutting_down'], [1009, 'message_too_large'], [1011, 'internal'], [4400, 'protocol'],
  [4401, 'unauthorized'], [4403, 'forbidden'], [4408, 'no_sign_of_life'], [4409, 'replaced'],
  [4503, 'too_slow'],
]);
/** Close codes after which a reconnect is useless, even without a `bye`. */
const FINAL_CLOSE_CODES = new Set([4401, 4403, 4409]);
/** Errors in reply to `hello` that would be the same next time. */
const FINAL_HELLO_ERRORS = new Set([
  'bad_json', 'unknown_type', 'missing_field', 'hello_first', 'invalid_username', 'name_reserved', 'unauthorized', 'forbidden',
]);
/** Errors in reply to a `join` that may succeed later. */
const RETRYABLE_ERRORS = new Set(['username_taken', 'store_unavailable', 'rate_limited', 'internal']);

/** 32 bytes in base64url without padding. */
const GUEST_TOKEN = /^[\w-]{42}[AEIMQUYcgkosw048]$/;

/** Why an operation failed. `code` is for programs, `message` is a sentence for people. */
export class ChatError extends Error {
  constructor(code, message, details = {}) {
    super(message);
    this.name = 'ChatError';
    this.code = code;
    this.closeCode = details.closeCode;
    this.retryAfterMs = details.retryAfterMs;
    this.denied = details.denied;
    this.until = details.until;
  }
}

const disconnected = () => new ChatError('disconnected', 'not connected to the server');

/** `null` removes a title or a topic. */
const settingFields = ({ title, topic, visibility, join, post, slowModeS, mentionRoom }) => (
  { title: title === null ? '' : title, topic: topic === null ? '' : topic, visibility, join, post, slow_mode_s: slowModeS, mention_room: mentionRoom }
);

/** The settings in `info`. Older servers have fewer of them. */
const settingsOf = ({ title = null, topic = null, topic_html: topicHtml, visibility = 'unlisted', join, post, slow_mode_s: slowModeS = 0, mention_room: mentionRoom = 'moderators' }) => (
  { title, topic, ...(topicHtml !== undefined && { topicHtml }), visibility, join, post, slowModeS, mentionRoom }
);

/** What the user is in a room, from `you` or `info`. */
const standingOf = ({ role = null, muted = false, muted_until: mutedUntil }) => ({ role, muted, mutedUntil });

/** Monotonic, for durations. The wall clock may be set back. */
const monotonicNow = () => performance.now();

class Emitter {
  #listeners = new Map();

  /** Adds a listener. Call the returned function to remove it. */
  on(type, listener) {
    const listeners = this.#listeners.get(type) ?? new Set();
    this.#listeners.set(type, listeners.add(listener));
    return () => this.off(type, listener);
  }

  off(type, listener) {
    this.#listeners.get(type)?.delete(listener);
  }

  once(type, listener) {
    const off = this.on(type, (event) => {
      off();
      listener(event);
    });
    return off;
  }

  /**
   * An exception in a listener is a bug in the application and must not stop the stream: it is
   * reported, and the other listeners still run.
   */
  emit(type, event) {
    for (const listener of [...(this.#listeners.get(type) ?? [])]) {
      try {
        listener(event);
      } catch (error) {
        report(error);
      }
    }
  }
}

/** An entry of the list of rooms, as programs see it. */
function entryOf({ room, kind, title = null, with: other = null, role = null, by = null, expires_at: expiresAt, favourite, notify, epoch, newest, read_up_to: readUpTo, unread, mentions, seen_up_to: seenUpTo = null }) {
  return { room, kind, title, with: other, role, by, expiresAt, favourite, notify, epoch, newest, readUpTo, unread, mentions, seenUpTo };
}

function report(error) {
  if (typeof globalThis.reportError === 'function') globalThis.reportError(error);
  else console.error(error);
}

/**
 * One connection from opening to end: frames, replies matched by `ref`, and the heartbeat. It does
 * not reconnect; the client creates a new one.
 */
class Connection {
  #socket;
  #handlers;
  #callbacks = new Map();
  #nextRef = 1;
  #bye = null;
  #refused = null;
  #ended = false;
  #lastReceivedAt = 0;
  #timer;
  #heartbeatMs = 0;
  #pingedAt = null;
  welcomed = false;

  /**
   * `handlers` has `welcome(frame)`, `frame(frame)`, and `end(error, bye)`, which is called once.
   */
  constructor(WebSocket, url, hello, handlers) {
    this.#handlers = handlers;
    this.#timer = setTimeout(() => this.drop('timeout', 'the server did not answer in time'), CONNECT_TIMEOUT_MS);
    this.#socket = new WebSocket(url, DIALECT);
    this.#socket.onopen = () => this.request(hello, (error, welcome) => (error ? this.#helloRefused(error) : this.#welcome(welcome)));
    this.#socket.onmessage = ({ data }) => this.#onData(data);
    // The close event that follows carries the reason.
    this.#socket.onerror = () => {};
    this.#socket.onclose = ({ code, reason }) => this.#onClose(code, reason);
  }

  /**
   * Sends a command. `callback(error, frame)` is called exactly once, in stream order, or with an
   * error if the connection ends first.
   */
  request(command, callback) {
    if (this.#ended) return callback(disconnected());
    const ref = String(this.#nextRef++);
    this.#callbacks.set(ref, callback);
    this.post({ ...command, ref });
  }

  /** Sends a command that has no reply. */
  post(command) {
    if (!this.#ended && this.#socket.readyState === 1) this.#socket.send(JSON.stringify(command));
  }

  /** Sends a ping now, unless one is already pending. */
  probe() {
    if (!this.welcomed || this.#pingedAt !== null) return;
    this.#pingedAt = monotonicNow();
    this.post({ type: 'ping' });
    this.#arm(PONG_TIMEOUT_MS);
  }

  /** Ends the connection at once, without waiting for the closing handshake. */
  drop(code, message) {
    const socket = this.#socket;
    this.#end(this.#refused ?? new ChatError(code, message));
    // On a dead connection the closing handshake would never finish. `terminate` of the package
    // `ws` skips it.
    if (typeof socket.terminate === 'function') socket.terminate();
    else socket.close();
  }

  /** Closes the connection normally. */
  close() {
    const socket = this.#socket;
    this.#end(new ChatError('closed', 'the client is closed'));
    socket.close(1000);
  }

  #onData(data) {
    this.#lastReceivedAt = monotonicNow();
    let frame;
    try {
      frame = JSON.parse(data);
    } catch {
      return;
    }
    if (frame === null || typeof frame !== 'object') return;
    if (frame.type === 'bye') this.#bye = frame;
    else if (frame.ref !== undefined && this.#callbacks.has(frame.ref)) this.#onReply(frame);
    else this.#handlers.frame(frame);
  }

  #onReply(frame) {
    const callback = this.#callbacks.get(frame.ref);
    this.#callbacks.delete(frame.ref);
    if (frame.type === 'error') callback(new ChatError(frame.code, frame.message, { retryAfterMs: frame.retry_after_ms, denied: frame.denied, until: frame.until }), null);
    else callback(null, frame);
  }

  #welcome(frame) {
    this.welcomed = true;
    this.#heartbeatMs = frame.heartbeat_ms;
    this.#arm(this.#heartbeatMs);
    this.#handlers.welcome(frame);
  }

  #helloRefused(error) {
    if (this.#ended) return;
    this.#refused = error;
    this.drop(error.code, error.message);
  }

  #arm(ms) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#checkHeartbeat(), ms);
  }

  #checkHeartbeat() {
    const now = monotonicNow();
    if (this.#pingedAt !== null && this.#lastReceivedAt < this.#pingedAt) {
      // The timers of a suspended page fire late: frames that arrived meanwhile may still be queued
      // after this callback. Probe once more before giving up.
      const late = now - this.#pingedAt > PONG_TIMEOUT_MS * 2;
      if (!late) return this.drop('silent', 'the server stopped responding');
      this.#pingedAt = null;
      return this.probe();
    }
    this.#pingedAt = null;
    const idleMs = now - this.#lastReceivedAt;
    if (idleMs >= this.#heartbeatMs) this.probe();
    else this.#arm(this.#heartbeatMs - idleMs);
  }

  #onClose(code, reason) {
    if (this.#ended) return;
    const known = CLOSE_CODES.get(this.#bye?.code ?? code);
    const error = this.#refused
      ?? (this.#bye && new ChatError(known ?? 'bye', this.#bye.reason, { closeCode: this.#bye.code, retryAfterMs: this.#bye.after_ms }))
      ?? (this.welcomed || known
        ? new ChatError(known ?? 'lost', reason || 'the connection was lost', { closeCode: code })
        : new ChatError('unreachable', 'the server cannot be reached', { closeCode: code }));
    this.#end(error);
  }

  #end(error) {
    if (this.#ended) return;
    this.#ended = true;
    clearTimeout(this.#timer);
    this.#socket.onopen = this.#socket.onmessage = this.#socket.onclose = null;
    const callbacks = [...this.#callbacks.values()];
    this.#callbacks.clear();
    for (const callback of callbacks) callback(disconnected(), null);
    this.#handlers.end(error, this.#bye);
  }
}

/** The unacknowledged messages of one room, in the order in which they were sent. */
class SendQueue {
  /** By id: `{id, body, state, settle(error, ack)}`. A Map keeps insertion order. */
  #pending = new Map();
  #open = false;
  /**
   * The store failed: only the oldest message is retried, and the others wait until it succeeds.
   */
  #blocked = false;
  #failures = 0;
  #timer;
  #write;

  /** `write(message)` sends a message to the server. */
  constructor(write) {
    this.#write = write;
  }

  get size() {
    return this.#pending.size;
  }

  has(id) {
    return this.#pending.has(id);
  }

  get(id) {
    return this.#pending.get(id);
  }

  add(message) {
    this.#pending.set(message.id, message);
    if (this.#open && !this.#blocked) this.#transmit(message);
  }

  /** Inserts messages before all others. The queue must be closed. */
  prepend(messages) {
    this.#pending = new Map([...messages.map((message) => [message.id, message]), ...this.#pending]);
  }

  /** The room is joined: sends every message, again or for the first time. */
  open() {
    this.#open = true;
    this.#blocked = false;
    this.#failures = 0;
    for (const message of [...this.#pending.values()]) this.#transmit(message);
  }

  /** The connection is lost: no message is in flight any more. */
  close() {
    this.#open = false;
    clearTimeout(this.#timer);
    for (const message of this.#pending.values()) message.inFlight = false;
  }

  /** The message has its final outcome. */
  settle(message, error, ack) {
    if (this.#pending.get(message.id) !== message) return;
    this.#pending.delete(message.id);
    message.settle(error, ack);
    if (!error && this.#open && this.#blocked) this.open();
    else if (this.#blocked) this.#retryOldest();
  }

  /**
   * The outcome of the message is unknown: it is sent again under the same id after a pause, and
   * the messages after it wait.
   */
  defer(message, pause) {
    message.inFlight = false;
    if (!this.#blocked) this.#failures += 1;
    this.#blocked = true;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#retryOldest(), pause(this.#failures));
  }

  fail(error) {
    clearTimeout(this.#timer);
    const pending = [...this.#pending.values()];
    this.#pending.clear();
    for (const message of pending) message.settle(error, null);
  }

  #retryOldest() {
    const [oldest] = this.#pending.values();
    if (!oldest) this.#blocked = false;
    else if (this.#open && ![...this.#pending.values()].some((message) => message.inFlight)) {
      this.#failures += 1;
      this.#transmit(oldest);
    }
  }

  #transmit(message) {
    if (message.inFlight || !this.#pending.has(message.id)) return;
    message.inFlight = true;
    this.#write(message);
  }
}

/** The members of a room, as far as this client knows. */
class Roster {
  names = new Map();
  count = 0;
  complete = true;
  /** While the list is read again: the part of the new list that has been read. */
  #incoming = null;

  snapshot(members, count) {
    this.names = byUsername(members);
    this.count = count;
    this.complete = this.names.size >= count;
    this.#incoming = null;
  }

  begin() {
    this.#incoming = new Map();
  }

  page(members, count) {
    for (const [name, member] of byUsername(members)) this.#incoming?.set(name, member);
    this.count = count;
  }

  end(complete) {
    if (!this.#incoming) return;
    this.names = this.#incoming;
    this.#incoming = null;
    this.complete = complete;
  }

  /**
   * Applies a change to the current list, and to the one that is being read, so that pages and
   * changes agree.
   */
  apply({ joined, left, member_count: count, partial }) {
    for (const names of [this.names, this.#incoming]) {
      if (!names) continue;
      for (const [name, member] of byUsername(joined)) names.set(name, member);
      for (const name of left) names.delete(name);
    }
    this.count = count;
    if (partial) this.complete = false;
  }
}

function byUsername(members) {
  return new Map(members.map(({ username, user, joined_at: joinedAt }) => [username, { username, user, joinedAt }]));
}

/** The client's state of one joined room. It outlives connections. */
class Membership {
  /**
   * `out`: to be requested on the next connection; `requested`; `in`; `delayed`: refused, and
   * retried after a pause; `left`.
   */
  stage = 'out';
  /** The cursor: the epoch, and the last event of the room that was applied. */
  epoch = null;
  /** The settings of the room. */
  info = null;
  standing = standingOf({});
  seq = 0;
  /** From an event that does not fit the cursor to the `joined` that closes the gap. */
  isResyncing = false;
  roster = new Roster();
  joining = null;
  leaving = null;
  attempts = 0;
  typedAt = -Infinity;
  timer;

  constructor(name, history, since, invite) {
    this.name = name;
    this.history = history;
    this.invite = invite;
    if (since) ({ epoch: this.epoch, seq: this.seq } = since);
  }

  get since() {
    return this.epoch === null ? undefined : { epoch: this.epoch, seq: this.seq };
  }
}

/** A room that the client has joined. Created by `ChatClient.join`. */
export class Room extends Emitter {
  #membership;
  #client;

  constructor(membership, client) {
    super();
    this.#membership = membership;
    this.#client = client;
  }

  get name() {
    return this.#membership.name;
  }

  /**
   * `joining`, `in`, `rejoining` (disconnected, or the server does not admit the client yet) or
   * `left`.
   */
  get state() {
    const { stage, epoch, joining } = this.#membership;
    if (stage === 'in' || stage === 'left') return stage;
    return epoch === null || joining ? 'joining' : 'rejoining';
  }

  get epoch() {
    return this.#membership.epoch;
  }

  get seq() {
    return this.#membership.seq;
  }

  get info() {
    return this.#membership.info;
  }

  get standing() {
    return this.#membership.standing;
  }

  /** By username. A live view: do not modify it. */
  get members() {
    return this.#membership.roster.names;
  }

  get memberCount() {
    return this.#membership.roster.count;
  }

  /** Whether `members` is only a sample. */
  get partial() {
    return !this.#membership.roster.complete;
  }

  send(body, options) {
    return this.#client.send(this.name, body, options);
  }

  edit(target, body) {
    return this.#client.edit(this.name, target, body);
  }

  delete(target) {
    return this.#client.delete(this.name, target);
  }

  configure(settings) {
    return this.#client.configureRoom(this.name, settings);
  }

  setRole(user, role) {
    return this.#client.setRole(this.name, user, role);
  }

  roles(query) {
    return this.#client.roles(this.name, query);
  }

  moderate(action, whom) {
    return this.#client.moderate(this.name, action, whom);
  }

  invite(username) {
    return this.#client.invite(this.name, username);
  }

  inviteLink(options) {
    return this.#client.inviteLink(this.name, options);
  }

  endInviteLinks() {
    return this.#client.endInviteLinks(this.name);
  }

  report(target, reason) {
    return this.#client.report(this.name, target, reason);
  }

  reports(query) {
    return this.#client.reports(this.name, query);
  }

  closeReport(number) {
    return this.#client.closeReport(this.name, number);
  }

  audit(query) {
    return this.#client.audit(this.name, query);
  }

  react(target, emoji, on) {
    return this.#client.react(this.name, target, emoji, on);
  }

  history(query) {
    return this.#client.history(this.name, query);
  }

  listMembers(query) {
    return this.#client.members(this.name, query);
  }

  refreshMembers(limit) {
    return this.#client.refreshMembers(this.name, limit);
  }

  typing() {
    this.#client.typing(this.name);
  }

  leave() {
    return this.#client.leave(this.name);
  }
}

/**
 * The messages of a room that a program shows or keeps: without a gap, each in its newest state. It
 * applies the events of the room. The client itself holds no messages.
 */
export class MessageList {
  #items = [];
  /** 0 before the first `joined`. */
  #first = 0;
  #more = false;

  /** Oldest first. A live view: do not modify it. */
  get items() {
    return this.#items;
  }

  /** The list has every message from this number on. */
  get first() {
    return this.#first;
  }

  /** Whether the server may have older messages. */
  get more() {
    return this.#more;
  }

  /** The index of the first message with this number or a larger one. Numbers have gaps. */
  indexFrom(seq) {
    let [low, high] = [0, this.#items.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#items[middle].seq < seq) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** Applies an event of the room. Returns what has changed, or `null`. */
  apply(type, event) {
    if (type === 'joined') return event.recovered && this.#first > 0 ? this.#prune(event.oldest) : this.#restart(event);
    if (type === 'message') return this.#append(event.message);
    if (type === 'changed') return this.#replace(event.messages);
    if (type === 'edited') return this.#edit(event);
    if (type === 'deleted') return this.#delete(event);
    if (type === 'reactions') return this.#react(event);
    return null;
  }

  /**
   * Inserts the answer to `history({ before })`. It is ignored if the list does not begin at
   * `before` any more.
   */
  prepend(page, before) {
    if (before !== this.#first) return null;
    this.#items.unshift(...page.messages);
    this.#first = page.first;
    this.#more = page.more && page.first < before;
    return { kind: 'prepended', count: page.messages.length };
  }

  /** Removes this many of the oldest messages, to save memory. They can be read again. */
  dropOldest(count) {
    const removed = this.#items.splice(0, count);
    if (removed.length === 0) return null;
    this.#first = removed.at(-1).seq + 1;
    this.#more = true;
    return { kind: 'dropped', count: removed.length };
  }

  #restart({ messages, first, oldest }) {
    this.#items = [...messages];
    this.#first = first;
    this.#more = first > oldest;
    return { kind: 'replaced' };
  }

  /** The server has removed the messages before this one. */
  #prune(oldest) {
    const removed = this.#items.splice(0, this.indexFrom(oldest));
    this.#first = Math.max(this.#first, oldest);
    this.#more &&= this.#first > oldest;
    return removed.length > 0 ? { kind: 'dropped', count: removed.length } : null;
  }

  #append(message) {
    if (this.#held(message.seq)) return this.#replace([message]);
    this.#items.push(message);
    return { kind: 'appended', count: 1 };
  }

  #replace(messages) {
    return this.#change(messages.filter(({ seq, changed_seq: changedSeq = 0 }) => (this.#held(seq)?.changed_seq ?? 0) <= changedSeq));
  }

  #edit({ seq, target, body, html, mentions, edited_at: editedAt }) {
    const held = this.#changeable(target, seq);
    if (!held) return null;
    const { html: _, mentions: __, ...rest } = held;
    const optional = { ...(html !== undefined && { html }), ...(mentions !== undefined && { mentions }) };
    return this.#change([{ ...rest, body, ...optional, edited_at: editedAt, changed_seq: seq }]);
  }

  #react({ seq, target, changes }) {
    const held = this.#changeable(target, seq);
    if (!held) return null;
    const { reactions: before = [], ...rest } = held;
    const reactions = changes.reduce(withReaction, before);
    return this.#change([{ ...rest, ...(reactions.length > 0 && { reactions }), changed_seq: seq }]);
  }

  /** The message that an event with this number changes, or `undefined` if it changes nothing. */
  #changeable(target, seq) {
    const held = this.#held(target);
    return held && !held.deleted && (held.changed_seq ?? 0) < seq ? held : undefined;
  }

  #delete({ seq: changedSeq, targets, by }) {
    const held = targets.map((target) => this.#held(target)).filter((message) => message && (message.changed_seq ?? 0) < changedSeq);
    return this.#change(held.map(({ seq, sent_at: sentAt }) => ({ seq, sent_at: sentAt, deleted: true, by, changed_seq: changedSeq })));
  }

  #change(messages) {
    const held = messages.filter(({ seq }) => this.#held(seq));
    for (const message of held) this.#items[this.indexFrom(message.seq)] = message;
    return held.length > 0 ? { kind: 'changed', messages: held } : null;
  }

  #held(seq) {
    const message = this.#items[this.indexFrom(seq)];
    return message?.seq === seq ? message : undefined;
  }
}

/** The reactions of a message after a change of one emoji. */
function withReaction(reactions, { emoji, count, added, removed, mine }) {
  const before = reactions.find((reaction) => reaction.emoji === emoji);
  const names = new Set(before?.users);
  for (const { username } of removed) names.delete(username);
  for (const { username } of added) if (names.size < MAX_REACTION_NAMES) names.add(username);
  const after = { emoji, count, users: [...names], ...((mine ?? before?.mine) && { mine: true }) };
  if (count === 0) return reactions.filter((reaction) => reaction !== before);
  return before ? reactions.map((reaction) => (reaction === before ? after : reaction)) : [...reactions, after];
}

export class ChatClient extends Emitter {
  #options;
  #connection = null;
  #status = { state: 'idle' };
  #memberships = new Map();
  /** The secret of a guest, or `null`. Never part of an event, an error or an address. */
  #guestToken;
  /** As whom the server knows this client: `{id, username, kind, role, was?}`. */
  #user = null;
  /** The list of the user's rooms by name, or `null` before it has arrived, and for guests. */
  #list = null;
  /** The announcement of the operator. */
  #announcement = null;
  /** The entries of a list that has not arrived completely. */
  #incoming = [];
  /** The names of the users whom the user has blocked, by id. `null` if the name is not known. */
  #blocked = new Map();
  /** The last session, which the next one replaces. */
  #session = null;
  /** Whether the server keeps messages, according to its last ack. */
  #isStoring = true;
  #frameLimit = Infinity;
  #attempts = 0;
  #openedAt = null;
  #timer;
  #connecting = null;
  #queued = 0;
  /** Messages of the outbox whose room is not joined yet. */
  #unsent = [];
  /**
   * The newest `createdAt`. Each message gets a larger value, so that the order survives changes of
   * the wall clock.
   */
  #createdAt = 0;
  #unwatch = () => {};

  constructor(options) {
    super();
    const WebSocket = options.WebSocket ?? globalThis.WebSocket;
    if (typeof WebSocket !== 'function') throw new TypeError('this environment has no WebSocket: pass one as the option `WebSocket`');
    const { guestToken, ...others } = options;
    this.#guestToken = guestToken ?? (options.token === undefined ? newGuestToken() : null);
    if (this.#guestToken !== null && !GUEST_TOKEN.test(this.#guestToken)) {
      throw new TypeError('the option `guestToken` must be 32 bytes in base64url without padding: 43 characters');
    }
    this.#options = {
      client: 'chatd-client.js/0.1.0', render: false, queueLimit: 500, memberLimit: 1_000,
      backoff: { baseMs: 500, capMs: 30_000 }, outbox: null, random: Math.random,
      page: typeof document === 'object' ? { window: globalThis, document } : null,
      ...others, WebSocket, url: socketUrl(options.url),
    };
  }

  /** The connection state: `{state: 'idle' | 'connecting' | 'open' | 'waiting' | 'closed', …}`. */
  get status() {
    return this.#status;
  }

  /** The name as everyone sees it. */
  get username() {
    return this.#user?.username ?? this.#options.username?.normalize('NFC') ?? null;
  }

  /** As whom the server knows this client, or `null` before the first session. */
  get user() {
    return this.#user;
  }

  /** The announcement of the operator, or `null` if there is none. */
  get announcement() {
    return this.#announcement;
  }

  /** The users whom the user has blocked, with their names: hide their messages. A live view. */
  get blocked() {
    return this.#blocked;
  }

  /** The list of the user's rooms by name, or `null` before it has arrived, and for guests. */
  get list() {
    return this.#list;
  }

  /** Whether this is an id of the user: the present one, or one that the user had as a guest. */
  isMine(id) {
    return this.#user !== null && (id === this.#user.id || this.#user.was?.includes(id) === true);
  }

  /**
   * The secret that makes a client the same guest again, together with the name. `null` if the
   * client has a `token` and no guest token.
   */
  get guestToken() {
    return this.#guestToken;
  }

  /** How many messages have no ack. */
  get queued() {
    return this.#queued;
  }

  /** The messages of the outbox whose room is not joined yet, oldest first. */
  get unsent() {
    return [...this.#unsent];
  }

  /** Removes one of `unsent` from the outbox: it will not be sent. */
  discardUnsent(id) {
    for (const message of this.#unsent.filter((each) => each.id === id)) this.#discard(message);
  }

  room(name) {
    return this.#memberships.get(name.normalize('NFC'))?.room;
  }

  get rooms() {
    return [...this.#memberships.values()].map((membership) => membership.room);
  }

  /**
   * Connects, and from then on reconnects by itself. Resolves with the first session. Rejects if
   * there will be none.
   */
  connect() {
    if (this.#connecting) return this.#connecting.promise;
    this.#connecting = deferred();
    if (this.#status.state === 'closed') this.#connecting.reject(closedError(this.#status.reason));
    else {
      this.#loadOutbox();
      this.#watchPage();
      this.#open();
    }
    return this.#connecting.promise;
  }

  /** Reconnects now instead of waiting. If there is a connection, checks it with a ping. */
  reconnect() {
    if (this.#status.state === 'waiting') this.#open();
    else this.#connection?.probe();
  }

  /** Leaves all rooms and closes the connection, for good. */
  close() {
    this.#closeFor(new ChatError('closed', 'the client is closed'));
  }

  join(name, { history = 0, since, invite } = {}) {
    name = name.normalize('NFC');
    if (this.#status.state === 'closed') return Promise.reject(closedError(this.#status.reason));
    const existing = this.#memberships.get(name);
    if (existing?.leaving) return existing.leaving.promise.then(() => this.join(name, { history, since, invite }));
    if (existing) return Promise.reject(new ChatError('already_in_room', 'you are already in that room'));
    const membership = new Membership(name, history, since, invite);
    membership.room = new Room(membership, this);
    membership.sendQueue = new SendQueue((message) => this.#write(membership, message));
    membership.joining = deferred();
    this.#memberships.set(name, membership);
    if (this.#connection?.welcomed) this.#requestJoin(membership);
    return membership.joining.promise;
  }

  leave(name) {
    const membership = this.#memberships.get(name.normalize('NFC'));
    if (!membership) return Promise.reject(notInRoom());
    if (membership.leaving) return membership.leaving.promise;
    membership.leaving = deferred();
    const { promise } = membership.leaving;
    if (!this.#connection?.welcomed || membership.stage === 'out' || membership.stage === 'delayed') this.#left(membership, 'asked');
    else {
      // If `joined` has not arrived yet, it arrives first: commands about one room take effect in
      // the order sent.
      this.#connection.request({ type: 'leave', room: membership.name }, () => this.#left(membership, 'asked'));
    }
    return promise;
  }

  /**
   * Resolves with the ack. The promise carries the message's `id`, which is also in the `outgoing`
   * events and in the room's `message` event.
   */
  send(name, body, { id = uuid(), replyTo } = {}) {
    const membership = this.#memberships.get(name.normalize('NFC'));
    const refuse = (error) => Object.assign(handled(Promise.reject(error)), { id });
    if (this.#status.state === 'closed') return refuse(closedError(this.#status.reason));
    if (!membership || membership.leaving) return refuse(notInRoom());
    if (membership.sendQueue.has(id)) return refuse(new ChatError('id_reused', 'a message with this id is being sent'));
    if (this.#queued >= this.#options.queueLimit) {
      return refuse(new ChatError('queue_full', 'too many messages are waiting to be sent'));
    }
    this.#createdAt = Math.max(Date.now(), this.#createdAt + 1);
    const reply = replyTo === undefined ? {} : { replyTo, epoch: membership.epoch };
    const entry = { room: membership.name, id, body, ...reply, createdAt: this.#createdAt };
    const saved = this.#outbox('add', entry);
    const { message, promise } = this.#outgoing(membership, entry, { saved, restored: false });
    this.#queued += 1;
    message.pending();
    membership.sendQueue.add(message);
    return Object.assign(promise, { id });
  }

  /** A message for a send queue. Its outcome is emitted as `outgoing`, and settles the promise. */
  #outgoing(membership, entry, extra) {
    const outcome = deferred();
    const { id, body, replyTo, epoch, createdAt } = entry;
    const details = { id, body, ...(replyTo !== undefined && { replyTo }), createdAt, ...extra };
    const notify = (change) => this.#emitInRoom(membership, 'outgoing', { ...details, ...change });
    const settle = (error, ack) => {
      this.#queued -= 1;
      // A closed client leaves its messages in the outbox: the next client sends them.
      if (this.#status.state !== 'closed') this.#outbox('remove', entry);
      if (error) outcome.reject(error);
      else outcome.resolve(ack);
      notify(error ? { state: 'failed', error } : { state: 'acked', ack });
    };
    const message = { id, body, replyTo, epoch, settle, pending: () => notify({ state: 'pending' }), inFlight: false };
    return { message, promise: outcome.promise };
  }

  /** A page of history, oldest first: `{epoch, first, last, messages, more}`. */
  async history(name, { before, after, limit } = {}) {
    const membership = this.#memberships.get(name.normalize('NFC'));
    const asked = membership?.epoch;
    const { epoch, first, last, messages, more } = await this.#call(name, { type: 'history', before, after, limit });
    if (epoch !== membership.epoch) this.#resync(membership);
    // The numbers of the query are those of the old epoch: the page belongs to no place in the new.
    if (epoch !== asked) throw new ChatError('epoch_changed', 'the history of this room was replaced');
    this.#settleStored(membership, messages);
    return { epoch, first, last, messages, more };
  }

  /** A page of members, ordered by name. */
  async members(name, { after, prefix, limit } = {}) {
    const page = await this.#call(name, { type: 'members', after, prefix, limit });
    return { members: [...byUsername(page.members).values()], memberCount: page.member_count, more: page.more };
  }

  /**
   * Reads the room's member list again, up to `limit` names. Useful in a large room when the user
   * opens the list.
   */
  refreshMembers(name, limit = this.#options.memberLimit) {
    const membership = this.#memberships.get(name.normalize('NFC'));
    if (!membership || membership.stage !== 'in') return Promise.reject(membership ? disconnected() : notInRoom());
    return new Promise((resolve, reject) => {
      membership.roster.begin();
      this.#readMembers(membership, undefined, limit, (error) => (error ? reject(error) : resolve()));
    });
  }

  /** Reports that the user is typing. At most one report is sent in 3 s. */
  typing(name) {
    const membership = this.#memberships.get(name.normalize('NFC'));
    const now = monotonicNow();
    if (membership?.stage !== 'in' || now - membership.typedAt < TYPING_INTERVAL_MS) return;
    membership.typedAt = now;
    this.#connection.post({ type: 'typing', room: membership.name });
  }

  #call(name, command) {
    const membership = this.#memberships.get(name.normalize('NFC'));
    if (!membership) return Promise.reject(notInRoom());
    if (membership.stage !== 'in') return Promise.reject(disconnected());
    return new Promise((resolve, reject) => {
      this.#connection.request({ ...command, room: membership.name }, (error, page) => (error ? reject(error) : resolve(page)));
    });
  }

  // The connection.

  #open() {
    clearTimeout(this.#timer);
    this.#setStatus({ state: 'connecting', attempt: this.#attempts });
    const { token } = this.#options;
    if (typeof token !== 'function') return this.#openWith(token);
    const isCurrent = this.#status;
    Promise.resolve().then(token).then(
      (fresh) => this.#status === isCurrent && this.#openWith(fresh),
      // The reason may contain a secret.
      () => this.#status === isCurrent && this.#ended(new ChatError('no_token', 'the token provider has failed')),
    );
  }

  #openWith(token) {
    const { WebSocket, url, username, client, render } = this.#options;
    const guestToken = token === undefined ? this.#guestToken : undefined;
    const hello = { type: 'hello', username, token, guest_token: guestToken, replaces: this.#session ?? undefined, client, render };
    this.#connection = new Connection(WebSocket, url, hello, {
      welcome: (frame) => this.#welcomed(frame),
      frame: (frame) => this.#frame(frame),
      end: (error, bye) => this.#ended(error, bye),
    });
  }

  #welcomed({ session, user, expires_at: expiresAt, server, limits, announcement }) {
    this.#session = session;
    this.#user = user;
    this.#incoming = [];
    this.#openedAt = monotonicNow();
    this.#frameLimit = limits.message_bytes || Infinity;
    const rate = { messagesPerSecond: limits.messages_per_second, burst: limits.burst };
    const clientLimits = { messageBytes: limits.message_bytes, rooms: limits.rooms, sessions: limits.sessions, editWindowS: limits.edit_window_s ?? 0, ...rate };
    this.#setStatus({ state: 'open', session, user, ...(expiresAt && { expiresAt }), server, limits: clientLimits });
    this.#connecting.resolve(this.#status);
    this.#announced(announcement ?? null);
    for (const membership of [...this.#memberships.values()]) if (membership.stage === 'out') this.#requestJoin(membership);
  }

  #ended(error, bye) {
    const welcomed = this.#openedAt !== null;
    if (welcomed && monotonicNow() - this.#openedAt > this.#options.backoff.capMs) this.#attempts = 0;
    this.#connection = null;
    this.#openedAt = null;
    for (const membership of [...this.#memberships.values()]) this.#interrupted(membership);
    if (this.#status.state === 'closed') return;
    const final = bye ? bye.reconnect === false : FINAL_CLOSE_CODES.has(error.closeCode) || (!welcomed && FINAL_HELLO_ERRORS.has(error.code));
    if (final) return this.#closeFor(error);
    // Added to the delay that the server asked for: all clients that received the same delay would
    // otherwise reconnect at the same moment.
    const pause = (error.retryAfterMs ?? 0) + this.#pause(this.#attempts);
    this.#attempts += 1;
    this.#timer = setTimeout(() => this.#open(), pause);
    this.#setStatus({ state: 'waiting', reason: error, retryAt: Date.now() + pause, retryInMs: pause, attempt: this.#attempts });
  }

  /**
   * Exponential backoff with full jitter, so that the clients of a failed server do not all
   * reconnect at the same moment.
   */
  #pause(attempt) {
    const { backoff: { baseMs, capMs }, random } = this.#options;
    return Math.max(Math.min(50, baseMs), random() * Math.min(capMs, baseMs * 2 ** Math.min(attempt, 30)));
  }

  #closeFor(error) {
    if (this.#status.state === 'closed') return;
    clearTimeout(this.#timer);
    this.#unwatch();
    this.#setStatus({ state: 'closed', reason: error });
    this.#connection?.close();
    this.#connecting?.reject(closedError(error));
    for (const membership of [...this.#memberships.values()]) {
      const { joining } = membership;
      membership.joining = null;
      this.#left(membership, 'closed', closedError(error));
      joining?.reject(closedError(error));
    }
  }

  #setStatus(status) {
    this.#status = status;
    this.emit('state', status);
  }

  // Rooms.

  #requestJoin(membership) {
    membership.stage = 'requested';
    this.#connection.request(joinOf(membership), (error, frame) => {
      if (membership.stage !== 'requested') return;
      if (!error) this.#joined(membership, frame);
      else if (error.code !== 'disconnected') this.#joinRefused(membership, error);
    });
  }

  #joined(membership, frame) {
    const rejoined = membership.epoch !== null;
    const { recovered, epoch, seq, oldest, first, last, info } = frame;
    membership.stage = 'in';
    membership.attempts = 0;
    membership.isResyncing = false;
    membership.roster.snapshot(frame.members, frame.member_count);
    if (!recovered) [membership.epoch, membership.seq] = [epoch, seq];
    membership.info = info ? settingsOf(info) : null;
    membership.standing = standingOf(info ?? {});
    const details = { epoch, seq, oldest, first, last, info: membership.info, rejoined, recovered, messages: recovered ? [] : frame.messages };
    this.#emitInRoom(membership, 'joined', details);
    const { joining } = membership;
    membership.joining = null;
    joining?.resolve({ room: membership.room, ...details });
    const listed = [...frame.messages, ...(frame.changed ?? [])];
    if (membership.stage === 'in') this.#sendUnsent(membership, listed);
    if (membership.stage === 'in') this.#settleStored(membership, listed);
    if (recovered) this.#applyLists(membership, frame, true);
    if (membership.stage !== 'in') return;
    this.#completeMembers(membership, frame);
    membership.sendQueue.open();
  }

  #joinRefused(membership, error) {
    if (!membership.leaving && !membership.joining && RETRYABLE_ERRORS.has(error.code)) {
      return this.#delayJoin(membership, error, Math.max(error.retryAfterMs ?? 0, this.#pause(membership.attempts)));
    }
    const { joining } = membership;
    membership.joining = null;
    this.#left(membership, 'refused', error);
    joining?.reject(error);
  }

  #delayJoin(membership, error, pause) {
    membership.attempts += 1;
    membership.stage = 'delayed';
    membership.timer = setTimeout(() => {
      membership.stage = 'out';
      if (this.#connection?.welcomed) this.#requestJoin(membership);
    }, pause);
    this.#emitInRoom(membership, 'rejoinDelayed', { error, retryAt: Date.now() + pause });
  }

  /** The connection is lost: everything pending in this room is cancelled, except messages. */
  #interrupted(membership) {
    clearTimeout(membership.timer);
    membership.sendQueue.close();
    membership.isResyncing = false;
    if (membership.leaving) this.#left(membership, 'asked');
    else if (membership.stage !== 'left') membership.stage = 'out';
  }

  #left(membership, reason, error = new ChatError('left_room', 'you are no longer in this room'), until) {
    if (membership.stage === 'left') return;
    membership.stage = 'left';
    clearTimeout(membership.timer);
    if (this.#memberships.get(membership.name) === membership) this.#memberships.delete(membership.name);
    membership.sendQueue.fail(error);
    membership.joining?.reject(error);
    membership.leaving?.resolve();
    this.#emitInRoom(membership, 'left', { reason, error: reason === 'refused' || reason === 'closed' ? error : undefined, until });
  }

  #emitInRoom(membership, type, event) {
    const roomEvent = { room: membership.room, ...event };
    membership.room.emit(type, roomEvent);
    this.emit(type, roomEvent);
  }

  // Frames that are not replies.

  /** This is the announcement from now on; `null`: there is none. Each is reported once. */
  #announced(announcement) {
    if (announcement?.id === this.#announcement?.id) return;
    this.#announcement = announcement && { id: announcement.id, level: announcement.level, body: announcement.body, html: announcement.html };
    this.emit('announcement', this.#announcement);
  }

  #frame(frame) {
    if (this.#onList(frame)) return;
    if (frame.type === 'notice') {
      const room = frame.room === undefined ? undefined : this.#memberships.get(frame.room)?.room;
      if (frame.room !== undefined && !room) return;
      return this.emit('notice', { room, level: frame.level, body: frame.body });
    }
    if (frame.type === 'announcement') {
      if (!frame.withdrawn) this.#announced(frame);
      else if (frame.id === this.#announcement?.id) this.#announced(null);
      return;
    }
    // Also of a room that the user is not in any more.
    if (frame.type === 'invited') return this.emit('invited', { room: frame.room, title: frame.title ?? null, by: frame.by ?? null, expiresAt: frame.expires_at });
    if (frame.type === 'warned') return this.emit('warned', { room: frame.room, by: frame.by, reason: frame.reason, at: frame.at });
    const membership = this.#memberships.get(frame.room);
    if (frame.type === 'error') return this.emit('error', new ChatError(frame.code, frame.message));
    if (!membership) return;
    if (frame.type === 'left') return this.#left(membership, frame.reason, undefined, frame.until);
    if (membership.stage !== 'in') return;
    if (isDurable(frame)) this.#onDurable(membership, frame);
    else if (frame.type === 'presence') {
      membership.roster.apply(frame);
      const joined = [...byUsername(frame.joined).values()];
      this.#emitInRoom(membership, 'presence', { joined, left: frame.left, memberCount: frame.member_count, partial: frame.partial === true });
    } else if (frame.type === 'typing') {
      this.#emitInRoom(membership, 'typing', { username: frame.username });
    } else if (frame.type === 'you') {
      membership.standing = standingOf(frame);
      this.#emitInRoom(membership, 'standing', { standing: membership.standing });
    }
  }

  // The durable events of a room: each once, in order.

  /** The cursor rule. It holds for events of every type, also for those of a newer protocol. */
  #onDurable(membership, frame) {
    const { type, seq, first_seq: first = seq } = frame;
    if (type === 'message') this.#settleStored(membership, [frame]);
    if (membership.stage !== 'in' || seq <= membership.seq) return;
    const isGap = first > membership.seq + 1 || (type === 'sync' && !frame.recovered);
    if (isGap) this.#resync(membership);
    else if (type === 'sync') this.#applySync(membership, frame);
    else this.#applyEvent(membership, frame);
  }

  #applyEvent(membership, { type, room: _, ...event }) {
    membership.seq = event.seq;
    if (type === 'message') this.#emitInRoom(membership, 'message', { message: event, missed: false });
    else if (type === 'edited') this.#emitInRoom(membership, 'edited', event);
    else if (type === 'deleted') this.#emitInRoom(membership, 'deleted', { seq: event.seq, targets: event.targets, by: event.by });
    else if (type === 'reactions') this.#emitInRoom(membership, 'reactions', this.#reactionsOf(event));
    else if (type === 'room_changed') this.#setInfo(membership, event.info, event.by);
  }

  /** The frame is the same for everyone in the room: adds what it means for this user. */
  #reactionsOf({ seq, target, changes }) {
    const hasOwn = (users) => users.some((user) => this.#isOwn(user));
    const mineOf = ({ added, removed }) => (hasOwn(added) ? { mine: true } : hasOwn(removed) ? { mine: false } : {});
    return { seq, target, changes: changes.map((change) => ({ ...change, ...mineOf(change) })) };
  }

  #setInfo(membership, info, by) {
    membership.info = settingsOf(info);
    this.#emitInRoom(membership, 'roomChanged', { info: membership.info, by });
  }

  #applySync(membership, frame) {
    this.#settleStored(membership, [...(frame.messages ?? []), ...(frame.changed ?? [])]);
    this.#applyLists(membership, frame, false);
    if (frame.info && membership.stage === 'in') this.#setInfo(membership, frame.info);
  }

  /**
   * Delivers the lists that stand for all events up to `seq`. First the changes, so that a program
   * that stops in between and continues after its last message gets the others again.
   */
  #applyLists(membership, { seq, messages = [], changed = [] }, missed) {
    const cursor = membership.seq;
    // The lists may begin before the cursor. Of what was delivered only changes are news.
    const known = messages.filter((message) => message.seq <= cursor);
    const news = [...changed, ...known].filter((message) => message.changed_seq > cursor);
    if (news.length > 0 && membership.stage === 'in') this.#emitInRoom(membership, 'changed', { messages: news });
    for (const message of messages.slice(known.length)) {
      if (membership.stage !== 'in') return;
      membership.seq = message.seq;
      this.#emitInRoom(membership, 'message', { message, missed });
    }
    membership.seq = seq;
  }

  /**
   * Asks for everything after the cursor. Until the answer arrives, events that do not fit the
   * cursor are ignored: the answer contains them.
   */
  #resync(membership) {
    if (membership.isResyncing || membership.leaving || membership.stage !== 'in') return;
    membership.isResyncing = true;
    this.#requestResync(membership);
  }

  #requestResync(membership) {
    this.#connection.request(joinOf(membership), (error, frame) => {
      if (membership.stage === 'left') return error || this.#undoJoin(membership);
      if (!membership.isResyncing) return;
      if (!error) return this.#joined(membership, frame);
      const pause = Math.max(error.retryAfterMs ?? 0, this.#pause(membership.attempts));
      membership.attempts += 1;
      clearTimeout(membership.timer);
      membership.timer = setTimeout(() => membership.isResyncing && !membership.leaving && this.#requestResync(membership), pause);
    });
  }

  /** The user was removed from the room, and the request that was in flight has joined it again. */
  #undoJoin({ name }) {
    if (!this.#memberships.has(name)) this.#connection?.post({ type: 'leave', room: name });
  }

  // Members.

  #completeMembers(membership, frame) {
    if (membership.roster.complete || frame.member_count > this.#options.memberLimit) return this.#emitInRoom(membership, 'members', {});
    membership.roster.begin();
    membership.roster.page(frame.members, frame.member_count);
    const last = frame.members.at(-1)?.username;
    this.#readMembers(membership, last, this.#options.memberLimit - frame.members.length, () => {});
  }

  #readMembers(membership, after, left, done) {
    const limit = Math.min(MAX_PAGE_SIZE, left);
    this.#connection.request({ type: 'members', room: membership.name, after, limit }, (error, page) => {
      if (error || membership.stage !== 'in') return done(error ?? disconnected());
      membership.roster.page(page.members, page.member_count);
      const last = page.members.at(-1)?.username;
      if (page.more && last !== undefined && left > page.members.length) {
        return this.#readMembers(membership, last, left - page.members.length, done);
      }
      membership.roster.end(!page.more);
      this.#emitInRoom(membership, 'members', {});
      done(null);
    });
  }

  // Sending messages.

  #write(membership, message) {
    // In another epoch the number belongs to another message.
    const replyTo = (message.epoch ?? membership.epoch) === membership.epoch ? message.replyTo : undefined;
    const command = { type: 'send', room: membership.name, id: message.id, body: message.body, reply_to: replyTo };
    // The server would close the connection because of a larger frame, and the message would then
    // close the next connection too. 32 bytes are more than `ref` takes.
    const size = new TextEncoder().encode(JSON.stringify(command)).length + 32;
    if (size > this.#frameLimit) {
      const error = new ChatError('message_too_large', `the message is too long: the server accepts at most ${this.#frameLimit} bytes`);
      return membership.sendQueue.settle(message, error, null);
    }
    this.#connection.request(command, (error, frame) => {
      if (error?.code === 'disconnected') return;
      if (error?.code === 'store_unavailable') {
        membership.sendQueue.defer(message, (failures) => Math.max(error.retryAfterMs ?? 0, this.#pause(failures)));
      } else if (error) membership.sendQueue.settle(message, error, null);
      else {
        this.#isStoring = frame.stored !== false;
        membership.sendQueue.settle(message, null, this.#ackOf(frame));
      }
    });
  }

  /** Settles pending messages that the server has stored, although their acks were lost. */
  #settleStored(membership, messages) {
    for (const stored of messages) {
      const pending = this.#isOwn(stored) ? membership?.sendQueue.get(stored.id) : undefined;
      if (pending) membership.sendQueue.settle(pending, null, this.#ackOf(stored));
    }
  }

  #ackOf({ id, seq, sent_at: sentAt }) {
    return { id, seq, sentAt, stored: this.#isStoring };
  }

  /** Only the id tells: a name may have had another user before. Deleted messages have none. */
  #isOwn({ user }) {
    return user !== undefined && this.isMine(user);
  }

  // Changes of messages.

  /**
   * Replaces the text of an own message. Resolves with the number of the event, or with `null` if
   * the message has this text already. If it rejects with `disconnected`, it may be done; it is
   * safe to try again.
   */
  async edit(name, target, body) {
    const { seq = null } = await this.#ask({ type: 'edit', room: name.normalize('NFC'), target, body });
    return seq;
  }

  /** Deletes an own message, or as a moderator any message. As for `edit`. */
  async delete(name, target) {
    const { seq = null } = await this.#ask({ type: 'delete', room: name.normalize('NFC'), target });
    return seq;
  }

  /** Puts an emoji on a message, or removes it. As for `edit`. */
  async react(name, target, emoji, on = true) {
    const { seq = null } = await this.#ask({ type: 'react', room: name.normalize('NFC'), target, emoji, on });
    return seq;
  }

  /**
   * Searches the messages of a room, or of all rooms of the user. A page of results, newest first:
   * `{messages, more, before}`. `before` is where the next page begins.
   */
  async search(query, { room, from, before, limit } = {}) {
    const command = { type: 'search', query, room: room?.normalize('NFC'), from: from?.normalize('NFC'), before, limit };
    const { messages, more, before: next } = await this.#ask(command);
    return { messages, more, before: next };
  }

  // Owners and moderators.

  /** Registers a room that the client has joined: the user becomes its owner. As for `edit`. */
  async createRoom(name, settings = {}) {
    const { seq = null } = await this.#ask({ type: 'create_room', room: name.normalize('NFC'), ...settingFields(settings) });
    return seq;
  }

  /**
   * Creates a private room, whose owner is the user. The settings need a `title`. Resolves with its
   * address: join it next.
   */
  async createPrivate(settings) {
    const { room } = await this.#ask({ type: 'create_room', ...settingFields(settings) });
    return room;
  }

  /** Changes settings of a room; those that are absent stay. As for `edit`. */
  async configureRoom(name, settings) {
    const { seq = null } = await this.#ask({ type: 'configure_room', room: name.normalize('NFC'), ...settingFields(settings) });
    return seq;
  }

  /** Gives a user a role in a room; `null` takes it away. */
  async setRole(name, user, role) {
    await this.#ask({ type: 'set_role', room: name.normalize('NFC'), user, role: role ?? undefined });
  }

  /** A page of the users who have a role: `{roles, more}`, ordered by their ids. */
  async roles(name, { after, limit } = {}) {
    const { roles, more } = await this.#ask({ type: 'roles', room: name.normalize('NFC'), after, limit });
    return { roles, more };
  }

  /**
   * Removes, bans, mutes or warns a user (by id) or the author of a message (by number). Without a
   * room it is on the whole server.
   */
  async moderate(name, action, { user, target, reason, seconds } = {}) {
    await this.#ask({ type: 'moderate', room: name?.normalize('NFC'), action, user, target, reason, for_s: seconds });
  }

  /** Shows the moderators of a room a message. */
  async report(name, target, reason) {
    await this.#ask({ type: 'report', room: name.normalize('NFC'), target, reason });
  }

  /** A page of the open reports: `{reports, more}`, newest first. Without a name: of all rooms. */
  async reports(name, { before, limit } = {}) {
    const { reports, more } = await this.#ask({ type: 'reports', room: name?.normalize('NFC'), before, limit });
    return { reports, more };
  }

  async closeReport(name, number) {
    await this.#ask({ type: 'close_report', room: name.normalize('NFC'), number });
  }

  /**
   * A page of what moderators and owners have done: `{records, more}`, newest first. Without a
   * name: in all rooms and on the server itself.
   */
  async audit(name, { before, limit } = {}) {
    const { records, more } = await this.#ask({ type: 'audit', room: name?.normalize('NFC'), before, limit });
    return { records, more };
  }

  // Invitations, direct rooms and the directory.

  /** Invites a user with an account into a room. */
  async invite(name, username) {
    await this.#ask({ type: 'invite', room: name.normalize('NFC'), username: username.normalize('NFC') });
  }

  /** Makes a link for some users: `{invite, uses, expiresAt}`. `invite` is a secret, for `join`. */
  async inviteLink(name, { uses = 1, seconds } = {}) {
    const { invite, uses: left, expires_at: expiresAt } = await this.#ask({ type: 'invite_link', room: name.normalize('NFC'), uses, for_s: seconds });
    return { invite, uses: left, expiresAt };
  }

  async endInviteLinks(name) {
    await this.#ask({ type: 'invite_link', room: name.normalize('NFC'), uses: 0 });
  }

  /** Silences a user, or lets it be heard again. */
  async block(user, on = true) {
    await this.#ask({ type: 'block', user, on });
  }

  /** Opens the direct room with a user: `{room, with, user}`. Join `room` next. */
  async direct(username) {
    const { room, with: other, user } = await this.#ask({ type: 'direct', username: username.normalize('NFC') });
    return { room, with: other, user };
  }

  /**
   * A page of the public rooms: `{rooms, more}`, those with the newest messages first. `after` is
   * how many the pages before had.
   */
  async directory({ query, after, limit } = {}) {
    const { rooms, more } = await this.#ask({ type: 'directory', query, after, limit });
    const entry = ({ room, title = null, topic = null, topic_html: topicHtml, members, last_message_at: lastMessageAt }) => ({ room, title, topic, topicHtml, members, lastMessageAt });
    return { rooms: rooms.map(entry), more };
  }

  // The list of the user's rooms.

  /**
   * Keeps a room in the list of the user, on all devices, or changes its entry. With `favourite:
   * false` it is removed. Resolves with the entry, or with `null` if it was removed.
   */
  async keep(name, { favourite, notify } = {}) {
    const frame = await this.#ask({ type: 'keep', room: name.normalize('NFC'), favourite, notify });
    this.#onList(frame);
    return frame.type === 'kept' ? entryOf(frame.entry) : null;
  }

  /**
   * Marks the messages of a room in the list as read, up to this number and on all devices. `epoch`
   * is that of the room by default.
   */
  async markRead(name, upTo, epoch = this.#memberships.get(name.normalize('NFC'))?.epoch ?? undefined) {
    const frame = await this.#ask({ type: 'mark_read', room: name.normalize('NFC'), epoch, up_to: upTo });
    this.#onList(frame);
  }

  #ask(command) {
    if (this.#status.state !== 'open') return Promise.reject(disconnected());
    return new Promise((resolve, reject) => {
      this.#connection.request(command, (error, frame) => (error ? reject(error) : resolve(frame)));
    });
  }

  /** Applies a frame about the list. Returns whether it is one. */
  #onList(frame) {
    const { type, room } = frame;
    if (type === 'rooms') {
      this.#incoming.push(...frame.entries.map(entryOf));
      if (frame.more) return true;
      this.#blocked = new Map(frame.blocked?.map(({ user, username = null }) => [user, username]));
      this.#list = new Map(this.#incoming.splice(0).map((entry) => [entry.room, entry]));
      this.emit('list', this.#list);
    } else if (type === 'kept') {
      const entry = entryOf(frame.entry);
      this.#list?.set(entry.room, entry);
      this.emit('kept', { entry });
    } else if (type === 'dropped') {
      this.#list?.delete(room);
      this.emit('dropped', { room });
    } else if (type === 'read') {
      const { epoch, up_to: upTo, username, unread, mentions } = frame;
      if (username !== undefined) {
        if (this.#list?.get(room)?.epoch === epoch) this.#updateEntry(room, { seenUpTo: upTo });
        this.emit('seen', { room, username, epoch, upTo });
        return true;
      }
      this.#updateEntry(room, { epoch, readUpTo: upTo, unread, mentions });
      this.emit('read', { room, epoch, upTo, unread, mentions });
    } else if (type === 'blocked') {
      const { user, username = null, on } = frame;
      if (on) this.#blocked.set(user, username);
      else this.#blocked.delete(user);
      this.emit('blocked', { user, username, on });
    } else if (type === 'inbox') {
      const { up_to: upTo, unread, mentions, from } = frame;
      this.#updateEntry(room, { newest: upTo, unread, mentions });
      this.emit('inbox', { room, upTo, unread, mentions, from });
    } else return false;
    return true;
  }

  #updateEntry(room, changes) {
    const entry = this.#list?.get(room);
    if (entry) this.#list.set(room, { ...entry, ...changes });
  }

  // The page: becoming visible or online.

  #watchPage() {
    const { page } = this.#options;
    if (!page) return;
    const { window, document } = page;
    const listeners = [
      [window, 'online', () => this.reconnect()],
      [window, 'offline', () => this.#connection?.probe()],
      [window, 'pageshow', ({ persisted }) => persisted && this.reconnect()],
      [document, 'visibilitychange', () => document.visibilityState !== 'hidden' && this.reconnect()],
    ];
    for (const [target, type, listener] of listeners) target.addEventListener(type, listener);
    this.#unwatch = () => {
      for (const [target, type, listener] of listeners) target.removeEventListener(type, listener);
    };
  }

  // The outbox: unacknowledged messages that survive a reload.

  #loadOutbox() {
    const { outbox, queueLimit } = this.#options;
    let entries = [];
    try {
      entries = [...(outbox?.load() ?? [])];
    } catch (error) {
      report(error);
    }
    // Messages beyond the limit stay in the outbox and are loaded the next time.
    this.#unsent = entries.filter(isUnsent).slice(0, queueLimit);
    this.#queued += this.#unsent.length;
    for (const { createdAt } of this.#unsent) this.#createdAt = Math.max(this.#createdAt, createdAt);
  }

  /**
   * Adds to or removes from the outbox. Returns whether it succeeded. A message that cannot be
   * saved is still sent.
   */
  #outbox(action, entry) {
    const { outbox } = this.#options;
    try {
      outbox?.[action](entry);
      return Boolean(outbox);
    } catch {
      return false;
    }
  }

  #discard(entry) {
    this.#unsent = this.#unsent.filter((each) => each !== entry);
    this.#queued -= 1;
    this.#outbox('remove', entry);
  }

  /**
   * The room is joined, and `recent` are the messages that came with it. Queues the outbox's
   * messages for this room before all others.
   */
  #sendUnsent(membership, recent) {
    const entries = this.#unsent.filter(({ room }) => room === membership.name);
    if (entries.length === 0) return;
    this.#unsent = this.#unsent.filter((entry) => !entries.includes(entry));
    const messages = [];
    for (const entry of entries) {
      const isStored = recent.some((message) => message.id === entry.id && this.#isOwn(message));
      if (isStored || membership.sendQueue.has(entry.id)) {
        this.#queued -= 1;
        if (isStored) this.#outbox('remove', entry);
        continue;
      }
      const { message } = this.#outgoing(membership, entry, { saved: true, restored: true });
      if (Date.now() - entry.createdAt <= OUTBOX_MAX_AGE_MS) messages.push(message);
      else message.settle(new ChatError('expired', 'this message is too old to be sent automatically'), null);
    }
    membership.sendQueue.prepend(messages);
    for (const message of messages) message.pending();
  }
}

function isUnsent(entry) {
  return ['room', 'id', 'body'].every((field) => typeof entry?.[field] === 'string') && Number.isFinite(entry.createdAt);
}

/**
 * An outbox in a `Storage`. Each message has its own key, so that tabs that share the storage do
 * not overwrite each other's messages. Use one prefix for each server and name.
 */
export function storageOutbox(storage, prefix) {
  const keyOf = ({ room, id }) => `${prefix}.${JSON.stringify([room, id])}`;
  return {
    load() {
      const keys = Array.from({ length: storage.length }, (_, index) => storage.key(index));
      const entries = keys.filter((key) => key?.startsWith(`${prefix}.[`)).map((key) => parsed(storage.getItem(key)));
      return entries.filter(isUnsent).sort((one, other) => one.createdAt - other.createdAt);
    },
    add(message) {
      storage.setItem(keyOf(message), JSON.stringify(message));
    },
    remove(message) {
      storage.removeItem(keyOf(message));
    },
  };
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function joinOf({ name, invite, since, history }) {
  return { type: 'join', room: name, invite, since, history };
}

/** Whether a frame belongs to the log of its room, whatever its type. */
function isDurable({ type, seq }) {
  return typeof seq === 'number' && type !== 'joined' && type !== 'ack';
}

function notInRoom() {
  return new ChatError('not_in_room', 'you are not in that room');
}

function closedError(reason) {
  return reason.code === 'closed' ? reason : new ChatError(reason.code, reason.message, { closeCode: reason.closeCode, denied: reason.denied, until: reason.until });
}

/**
 * Converts `http:` and `https:` to `ws:` and `wss:`. Default: `/ws` on the server of the current
 * page.
 */
function socketUrl(url = new URL('/ws', globalThis.location?.href)) {
  const parsed = new URL(url, globalThis.location?.href);
  parsed.protocol = parsed.protocol.replace(/^http/, 'ws');
  return parsed.href;
}

/** `crypto.randomUUID` is missing on pages that were loaded over plain HTTP. */
function uuid() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}

function newGuestToken() {
  const bytes = crypto.getRandomValues(new Uint8Array(32));
  return btoa(String.fromCharCode(...bytes)).replaceAll('+', '-').replaceAll('/', '_').replace('=', '');
}

/** A promise whose rejection may go unhandled: events report it too. */
function deferred() {
  const parts = {};
  parts.promise = handled(new Promise((resolve, reject) => Object.assign(parts, { resolve, reject })));
  return parts;
}

function handled(promise) {
  promise.catch(() => {});
  return promise;
}
