// The client for chatd's dialect chat.v2: one module, no dependencies, for browsers and Node.
// The contract is docs/protocol.md of chatd. What is public here is typed in client.d.ts.

const DIALECT = 'chat.v2';
/** From the first byte to `welcome`. */
const CONNECT_TIMEOUT_MS = 15_000;
/** How long a `pong` may take. */
const PONG_DEADLINE_MS = 10_000;
const TYPING_EVERY_MS = 3_000;
/** The server's largest page of history and of members. */
const PAGE = 200;
/** While a gap is filled, live messages are held back up to this number; beyond it they are read from history as well. */
const MOST_HELD = 2_000;
/** After a lost session the name may look taken until the server notices: for this long a first join is tried again. */
const TAKEN_FOR_MS = 15_000;
const TAKEN_RETRY_MS = 2_000;
/** Older messages of the outbox are not sent. The server recognises an id for 24 h. */
const OUTBOX_MAX_AGE_MS = 12 * 3_600_000;

/** What the close codes of the protocol mean, as `ChatError.code`. */
const CLOSE_CODES = new Map([
  [1001, 'shutting_down'], [1009, 'message_too_large'], [1011, 'internal'], [1013, 'server_full'], [4400, 'protocol'],
  [4401, 'unauthorized'], [4403, 'forbidden'], [4408, 'no_sign_of_life'], [4409, 'taken_over'], [4429, 'rate_limited'],
  [4503, 'too_slow'],
]);
/** Closes after which coming back is of no use, even without a `bye`. */
const NO_HOPE = new Set([4401, 4403, 4409]);
/** Answers to `hello` that would be the same the next time. */
const HELLO_REFUSED = new Set([
  'bad_json', 'unknown_type', 'missing_field', 'hello_first', 'invalid_username', 'unauthorized', 'forbidden',
]);
/** Answers to a `join` that may be another one after a while. */
const JOIN_MAY_CHANGE = new Set(['username_taken', 'store_unavailable', 'rate_limited', 'internal']);

/** Why something was not done. `code` is for the program, `message` a sentence for a person. */
export class ChatError extends Error {
  constructor(code, message, details = {}) {
    super(message);
    this.name = 'ChatError';
    this.code = code;
    this.closeCode = details.closeCode;
    this.retryAfterMs = details.retryAfterMs;
  }
}

const disconnected = () => new ChatError('disconnected', 'not connected to the server');

/** For durations. The wall clock may be set back. */
const clock = () => performance.now();

class Emitter {
  #listeners = new Map();

  /** Listens; the answer stops it again. */
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

  /** A listener that throws is the application's fault and must not stop the stream: it is reported, and the rest goes on. */
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

function report(error) {
  if (typeof globalThis.reportError === 'function') globalThis.reportError(error);
  else console.error(error);
}

/** A connection from its opening to its end: frames, answers by `ref`, signs of life. It never comes back; the client makes a new one. */
class Link {
  #socket;
  #handlers;
  #answers = new Map();
  #nextRef = 1;
  #bye = null;
  #refused = null;
  #ended = false;
  #heard = 0;
  #timer;
  #heartbeatMs = 0;
  #pingedAt = null;
  welcomed = false;

  /** `handlers`: `welcome(frame)`, `frame(frame)`, and `end(error, bye)`, which is called once. */
  constructor(WebSocket, url, hello, handlers) {
    this.#handlers = handlers;
    this.#timer = setTimeout(() => this.drop('timeout', 'the server did not answer in time'), CONNECT_TIMEOUT_MS);
    this.#socket = new WebSocket(url, DIALECT);
    this.#socket.onopen = () => this.ask(hello, (error, welcome) => (error ? this.#helloRefused(error) : this.#welcome(welcome)));
    this.#socket.onmessage = ({ data }) => this.#read(data);
    // whatever it was, the close that follows tells
    this.#socket.onerror = () => {};
    this.#socket.onclose = ({ code, reason }) => this.#closed(code, reason);
  }

  /** Sends a command; `answer(error, frame)` is called once, in the order of the stream, also when the connection ends first. */
  ask(command, answer) {
    if (this.#ended) return answer(disconnected());
    const ref = String(this.#nextRef++);
    this.#answers.set(ref, answer);
    this.post({ ...command, ref });
  }

  /** Sends a command that nothing answers. */
  post(command) {
    if (!this.#ended && this.#socket.readyState === 1) this.#socket.send(JSON.stringify(command));
  }

  /** Asks for a sign of life now, unless one was asked for already. */
  probe() {
    if (!this.welcomed || this.#pingedAt !== null) return;
    this.#pingedAt = clock();
    this.post({ type: 'ping' });
    this.#arm(PONG_DEADLINE_MS);
  }

  /** Ends it at once, without waiting for the other side. */
  drop(code, message) {
    const socket = this.#socket;
    this.#end(this.#refused ?? new ChatError(code, message));
    // a line that is dead would keep a closing handshake waiting; ws can do without
    if (typeof socket.terminate === 'function') socket.terminate();
    else socket.close();
  }

  /** Ends it as one who leaves. */
  close() {
    const socket = this.#socket;
    this.#end(new ChatError('closed', 'the client is closed'));
    socket.close(1000);
  }

  #read(data) {
    this.#heard = clock();
    let frame;
    try {
      frame = JSON.parse(data);
    } catch {
      return;
    }
    if (frame === null || typeof frame !== 'object') return;
    if (frame.type === 'bye') this.#bye = frame;
    else if (frame.ref !== undefined && this.#answers.has(frame.ref)) this.#answer(frame);
    else this.#handlers.frame(frame);
  }

  #answer(frame) {
    const answer = this.#answers.get(frame.ref);
    this.#answers.delete(frame.ref);
    if (frame.type === 'error') answer(new ChatError(frame.code, frame.message, { retryAfterMs: frame.retry_after_ms }), null);
    else answer(null, frame);
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
    this.#timer = setTimeout(() => this.#beat(), ms);
  }

  #beat() {
    const now = clock();
    if (this.#pingedAt !== null && this.#heard < this.#pingedAt) {
      // the timer of a page that slept is late: what came meanwhile may still wait behind it, so one more turn
      const late = now - this.#pingedAt > PONG_DEADLINE_MS * 2;
      if (!late) return this.drop('silent', 'the server stopped responding');
      this.#pingedAt = null;
      return this.probe();
    }
    this.#pingedAt = null;
    const silent = now - this.#heard;
    if (silent >= this.#heartbeatMs) this.probe();
    else this.#arm(this.#heartbeatMs - silent);
  }

  #closed(code, reason) {
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
    const answers = [...this.#answers.values()];
    this.#answers.clear();
    for (const answer of answers) answer(disconnected(), null);
    this.#handlers.end(error, this.#bye);
  }
}

/** The messages of one room that have no ack, in the order in which they were said. */
class Lane {
  /** By id: `{id, body, state, settle(error, ack)}`. A Map keeps the order of insertion. */
  #pending = new Map();
  #open = false;
  /** The store failed: nothing goes until the oldest got through, alone. */
  #held = false;
  #failures = 0;
  #timer;
  #write;

  /** `write(message)` puts a message on the wire. */
  constructor(write) {
    this.#write = write;
  }

  get size() {
    return this.#pending.size;
  }

  has(id) {
    return this.#pending.has(id);
  }

  add(message) {
    this.#pending.set(message.id, message);
    if (this.#open && !this.#held) this.#go(message);
  }

  /** Messages from before all others, while the lane is shut. */
  addFirst(messages) {
    this.#pending = new Map([...messages.map((message) => [message.id, message]), ...this.#pending]);
  }

  /** The room is joined: everything goes, again or for the first time. */
  open() {
    this.#open = true;
    this.#held = false;
    this.#failures = 0;
    for (const message of [...this.#pending.values()]) this.#go(message);
  }

  /** The connection is gone, and with it whatever was on its way. */
  shut() {
    this.#open = false;
    clearTimeout(this.#timer);
    for (const message of this.#pending.values()) message.onItsWay = false;
  }

  /** The message has its answer, for good. */
  settle(message, error, ack) {
    if (!this.#pending.delete(message.id)) return;
    message.settle(error, ack);
    if (!error && this.#open && this.#held) this.open();
    else if (this.#held) this.#tryOldest();
  }

  /** The fate of the message is unknown: it goes again under its id after a pause, and before those behind it. */
  putOff(message, pause) {
    message.onItsWay = false;
    if (!this.#held) this.#failures += 1;
    this.#held = true;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#tryOldest(), pause(this.#failures));
  }

  fail(error) {
    clearTimeout(this.#timer);
    const pending = [...this.#pending.values()];
    this.#pending.clear();
    for (const message of pending) message.settle(error, null);
  }

  #tryOldest() {
    const [oldest] = this.#pending.values();
    if (!oldest) this.#held = false;
    else if (this.#open && ![...this.#pending.values()].some((message) => message.onItsWay)) {
      this.#failures += 1;
      this.#go(oldest);
    }
  }

  #go(message) {
    if (message.onItsWay || !this.#pending.has(message.id)) return;
    message.onItsWay = true;
    this.#write(message);
  }
}

/** Who is in a room, as far as this client knows. */
class Roster {
  names = new Map();
  count = 0;
  complete = true;
  /** While the list is asked for anew: what is known of the new one. */
  #fresh = null;

  snapshot(members, count) {
    this.names = named(members);
    this.count = count;
    this.complete = this.names.size >= count;
    this.#fresh = null;
  }

  begin() {
    this.#fresh = new Map();
  }

  page(members, count) {
    for (const [name, member] of named(members)) this.#fresh?.set(name, member);
    this.count = count;
  }

  end(complete) {
    if (!this.#fresh) return;
    this.names = this.#fresh;
    this.#fresh = null;
    this.complete = complete;
  }

  /** Applied as to a set; a list that is being asked for anew is told as well, so that pages and changes add up. */
  change({ joined, left, member_count: count, partial }) {
    for (const names of [this.names, this.#fresh]) {
      if (!names) continue;
      for (const [name, member] of named(joined)) names.set(name, member);
      for (const name of left) names.delete(name);
    }
    this.count = count;
    if (partial) this.complete = false;
  }
}

function named(members) {
  return new Map(members.map(({ username, joined_at: joinedAt }) => [username, { username, joinedAt }]));
}

/** What the client knows of a room to be in. It outlives connections. */
class Seat {
  /** `out`: to be asked for with the next connection, `asked`, `in`, `later`: refused, and asked again after a pause. */
  stage = 'out';
  epoch = null;
  /** The newest message that was told. */
  seq = 0;
  /** While a gap is filled: what came behind it, in order. Null otherwise. */
  held = null;
  /** The seq at which the stream goes on, where `held` is empty. */
  until = 0;
  /** How many missed messages were told since the last join. */
  missed = 0;
  roster = new Roster();
  joining = null;
  leaving = null;
  attempts = 0;
  typedAt = -Infinity;
  timer;

  constructor(name, history, since) {
    this.name = name;
    this.history = history;
    if (since) ({ epoch: this.epoch, seq: this.seq } = since);
  }

  get since() {
    return this.epoch === null ? undefined : { epoch: this.epoch, seq: this.seq };
  }
}

/** A room, for as long as one is in it. Made by `ChatClient.join`. */
export class Room extends Emitter {
  #seat;
  #client;

  constructor(seat, client) {
    super();
    this.#seat = seat;
    this.#client = client;
  }

  get name() {
    return this.#seat.name;
  }

  /** `joining`, `in`, `rejoining` (the line is down, or the room does not let us in again yet) or `left`. */
  get state() {
    const { stage, epoch, joining } = this.#seat;
    if (stage === 'in' || stage === 'left') return stage;
    return epoch === null || joining ? 'joining' : 'rejoining';
  }

  get epoch() {
    return this.#seat.epoch;
  }

  get seq() {
    return this.#seat.seq;
  }

  /** By username: a live view, not to be changed. */
  get members() {
    return this.#seat.roster.names;
  }

  get memberCount() {
    return this.#seat.roster.count;
  }

  /** Whether `members` is a sample only. */
  get partial() {
    return !this.#seat.roster.complete;
  }

  send(body, options) {
    return this.#client.send(this.name, body, options);
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

export class ChatClient extends Emitter {
  #options;
  #link = null;
  #status = { state: 'idle' };
  #seats = new Map();
  #resume = null;
  #frameLimit = Infinity;
  #attempts = 0;
  #openedAt = null;
  #timer;
  #connecting = null;
  #queued = 0;
  /** Messages of the outbox whose rooms are not joined yet. */
  #unsent = [];
  /** The newest `createdAt`. Each message gets a later one, so that they keep their order whatever the clock does. */
  #createdAt = 0;
  /** Whether this page had a session before, and until when its name may look taken because of that. */
  #hadSession = false;
  #takenUntil = -Infinity;
  #unwatch = () => {};

  constructor(options) {
    super();
    const WebSocket = options.WebSocket ?? globalThis.WebSocket;
    if (typeof WebSocket !== 'function') throw new TypeError('this environment has no WebSocket: pass one as the option `WebSocket`');
    this.#options = {
      client: 'chatd-client.js/0.1.0', render: false, queueLimit: 500, gapLimit: Infinity, memberLimit: 1_000,
      backoff: { baseMs: 500, capMs: 30_000 }, storage: null, storageKey: 'chatd.session', outbox: null,
      random: Math.random,
      page: typeof document === 'object' ? { window: globalThis, document } : null,
      ...options, WebSocket, url: socketUrl(options.url),
    };
  }

  /** Where the connection stands: `{state: 'idle' | 'connecting' | 'open' | 'waiting' | 'closed', …}`. */
  get status() {
    return this.#status;
  }

  /** The name as everyone sees it. */
  get username() {
    return this.#status.username ?? this.#options.username.normalize('NFC');
  }

  /** How many messages have no ack. */
  get queued() {
    return this.#queued;
  }

  /** The messages of the outbox that wait until their room is joined, oldest first. */
  get unsent() {
    return [...this.#unsent];
  }

  /** Removes one of `unsent`, for good. */
  discardUnsent(id) {
    for (const message of this.#unsent.filter((each) => each.id === id)) this.#discard(message);
  }

  room(name) {
    return this.#seats.get(name.normalize('NFC'))?.room;
  }

  get rooms() {
    return [...this.#seats.values()].map((seat) => seat.room);
  }

  /** Connects, and from then on comes back by itself. Resolves with the first session; rejects when there will be none. */
  connect() {
    if (this.#connecting) return this.#connecting.promise;
    this.#connecting = deferred();
    if (this.#status.state === 'closed') this.#connecting.reject(closedError(this.#status.reason));
    else {
      this.#restoreSession();
      this.#loadOutbox();
      this.#watchPage();
      this.#open();
    }
    return this.#connecting.promise;
  }

  /** Tries again now where a pause would have to be waited for; asks for a sign of life where the line seems to stand. */
  reconnect() {
    if (this.#status.state === 'waiting') this.#open();
    else this.#link?.probe();
  }

  /** Ends it for good, in all rooms. */
  close() {
    this.#closeFor(new ChatError('closed', 'the client is closed'));
  }

  join(name, { history = 0, since } = {}) {
    name = name.normalize('NFC');
    if (this.#status.state === 'closed') return Promise.reject(closedError(this.#status.reason));
    const present = this.#seats.get(name);
    if (present?.leaving) return present.leaving.promise.then(() => this.join(name, { history, since }));
    if (present) return Promise.reject(new ChatError('already_in_room', 'you are already in that room'));
    const seat = new Seat(name, history, since);
    seat.room = new Room(seat, this);
    seat.lane = new Lane((message) => this.#write(seat, message));
    seat.joining = deferred();
    this.#seats.set(name, seat);
    if (this.#link?.welcomed) this.#askToJoin(seat);
    return seat.joining.promise;
  }

  leave(name) {
    const seat = this.#seats.get(name.normalize('NFC'));
    if (!seat) return Promise.reject(notInRoom());
    if (seat.leaving) return seat.leaving.promise;
    seat.leaving = deferred();
    const { promise } = seat.leaving;
    if (!this.#link?.welcomed || seat.stage === 'out' || seat.stage === 'later') this.#left(seat, 'asked');
    else {
      // where `joined` has not come yet it comes first: commands about one room take effect in the order sent
      this.#link.ask({ type: 'leave', room: seat.name }, () => this.#left(seat, 'asked'));
    }
    return promise;
  }

  /** Resolves with the ack. The promise has the message's `id`, which is also in the `outgoing` events and in the room's `message`. */
  send(name, body, { id = uuid() } = {}) {
    const seat = this.#seats.get(name.normalize('NFC'));
    const refuse = (error) => Object.assign(handled(Promise.reject(error)), { id });
    if (this.#status.state === 'closed') return refuse(closedError(this.#status.reason));
    if (!seat || seat.leaving) return refuse(notInRoom());
    if (seat.lane.has(id)) return refuse(new ChatError('id_reused', 'a message with this id is being sent'));
    if (this.#queued >= this.#options.queueLimit) {
      return refuse(new ChatError('queue_full', 'too many messages are waiting to be sent'));
    }
    this.#createdAt = Math.max(Date.now(), this.#createdAt + 1);
    const entry = { room: seat.name, id, body, createdAt: this.#createdAt };
    const saved = this.#outbox('add', entry);
    const { message, promise } = this.#outgoing(seat, entry, { saved, restored: false });
    this.#queued += 1;
    message.pending();
    seat.lane.add(message);
    return Object.assign(promise, { id });
  }

  /** A message for a lane. What becomes of it is told, and settles the promise. */
  #outgoing(seat, entry, more) {
    const outcome = deferred();
    const { id, body, createdAt } = entry;
    const tell = (news) => this.#tell(seat, 'outgoing', { id, body, createdAt, ...more, ...news });
    const settle = (error, ack) => {
      this.#queued -= 1;
      // what a closed client did not get rid of, the next one sends
      if (this.#status.state !== 'closed') this.#outbox('remove', entry);
      if (error) outcome.reject(error);
      else outcome.resolve(ack);
      tell(error ? { state: 'failed', error } : { state: 'acked', ack });
    };
    const message = { id, body, settle, pending: () => tell({ state: 'pending' }), onItsWay: false };
    return { message, promise: outcome.promise };
  }

  /** A page of what was said, oldest first: `{epoch, messages, more}`. */
  async history(name, { before, after, limit } = {}) {
    const page = await this.#call(name, { type: 'history', before, after, limit });
    return { epoch: page.epoch, messages: page.messages, more: page.more };
  }

  /** A page of who is there, by name. */
  async members(name, { after, prefix, limit } = {}) {
    const page = await this.#call(name, { type: 'members', after, prefix, limit });
    return { members: [...named(page.members).values()], memberCount: page.member_count, more: page.more };
  }

  /** Reads the room's list anew, up to `limit` names. Worth it in a large room when somebody looks at the list. */
  refreshMembers(name, limit = this.#options.memberLimit) {
    const seat = this.#seats.get(name.normalize('NFC'));
    if (!seat || seat.stage !== 'in') return Promise.reject(seat ? disconnected() : notInRoom());
    return new Promise((resolve, reject) => {
      seat.roster.begin();
      this.#readMembers(seat, undefined, limit, (error) => (error ? reject(error) : resolve()));
    });
  }

  /** Says that the user is typing; at most one in 3 s goes out. */
  typing(name) {
    const seat = this.#seats.get(name.normalize('NFC'));
    const now = clock();
    if (seat?.stage !== 'in' || now - seat.typedAt < TYPING_EVERY_MS) return;
    seat.typedAt = now;
    this.#link.post({ type: 'typing', room: seat.name });
  }

  #call(name, command) {
    const seat = this.#seats.get(name.normalize('NFC'));
    if (!seat) return Promise.reject(notInRoom());
    if (seat.stage !== 'in') return Promise.reject(disconnected());
    return new Promise((resolve, reject) => {
      this.#link.ask({ ...command, room: seat.name }, (error, page) => (error ? reject(error) : resolve(page)));
    });
  }

  // The connection.

  #open() {
    clearTimeout(this.#timer);
    this.#setStatus({ state: 'connecting', attempt: this.#attempts });
    const { WebSocket, url, username, token, client, render } = this.#options;
    const hello = { type: 'hello', username, token, client, render, resume: this.#resume ?? undefined };
    this.#link = new Link(WebSocket, url, hello, {
      welcome: (frame) => this.#welcomed(frame),
      frame: (frame) => this.#frame(frame),
      end: (error, bye) => this.#ended(error, bye),
    });
  }

  #welcomed({ session, resume, username, server, limits }) {
    this.#resume = resume;
    this.#openedAt = clock();
    if (this.#hadSession) this.#takenUntil = clock() + TAKEN_FOR_MS;
    this.#hadSession = false;
    this.#keepSession();
    this.#frameLimit = limits.message_bytes || Infinity;
    const pace = { messagesPerSecond: limits.messages_per_second, burst: limits.burst };
    const told = { messageBytes: limits.message_bytes, rooms: limits.rooms, ...pace };
    this.#setStatus({ state: 'open', session, username, server, limits: told });
    this.#connecting.resolve(this.#status);
    for (const seat of [...this.#seats.values()]) if (seat.stage === 'out') this.#askToJoin(seat);
  }

  #ended(error, bye) {
    const welcomed = this.#openedAt !== null;
    if (welcomed && clock() - this.#openedAt > this.#options.backoff.capMs) this.#attempts = 0;
    this.#link = null;
    this.#openedAt = null;
    for (const seat of [...this.#seats.values()]) this.#interrupted(seat);
    if (this.#status.state === 'closed') return;
    const final = bye ? bye.reconnect === false : NO_HOPE.has(error.closeCode) || (!welcomed && HELLO_REFUSED.has(error.code));
    if (final) return this.#closeFor(error);
    // on top of what the server asks for: everyone whom it tells the same would come at the same moment
    const pause = (error.retryAfterMs ?? 0) + this.#pause(this.#attempts);
    this.#attempts += 1;
    this.#timer = setTimeout(() => this.#open(), pause);
    this.#setStatus({ state: 'waiting', reason: error, retryAt: Date.now() + pause, retryInMs: pause, attempt: this.#attempts });
  }

  /** Exponential with full jitter, so that many who lost the same server do not come back at once. */
  #pause(attempt) {
    const { backoff: { baseMs, capMs }, random } = this.#options;
    return Math.max(Math.min(50, baseMs), random() * Math.min(capMs, baseMs * 2 ** Math.min(attempt, 30)));
  }

  #closeFor(error) {
    if (this.#status.state === 'closed') return;
    clearTimeout(this.#timer);
    this.#unwatch();
    this.#forgetSession();
    this.#setStatus({ state: 'closed', reason: error });
    this.#link?.close();
    this.#connecting?.reject(closedError(error));
    for (const seat of [...this.#seats.values()]) {
      const { joining } = seat;
      seat.joining = null;
      this.#left(seat, 'closed', closedError(error));
      joining?.reject(closedError(error));
    }
  }

  #setStatus(status) {
    this.#status = status;
    this.emit('state', status);
  }

  // Rooms.

  #askToJoin(seat) {
    seat.stage = 'asked';
    const join = { type: 'join', room: seat.name, since: seat.since, history: seat.history };
    this.#link.ask(join, (error, frame) => {
      if (seat.stage !== 'asked') return;
      if (!error) this.#joined(seat, frame);
      else if (error.code !== 'disconnected') this.#joinRefused(seat, error);
    });
  }

  #joined(seat, frame) {
    const rejoined = seat.epoch !== null;
    const before = seat.since;
    seat.stage = 'in';
    seat.attempts = 0;
    seat.missed = 0;
    seat.roster.snapshot(frame.members, frame.member_count);
    const told = { epoch: frame.epoch, seq: frame.seq, rejoined, messages: rejoined ? [] : frame.messages };
    if (!rejoined) [seat.epoch, seat.seq] = [frame.epoch, frame.seq];
    this.#tell(seat, 'joined', told);
    const { joining } = seat;
    seat.joining = null;
    joining?.resolve({ room: seat.room, ...told });
    if (seat.stage === 'in') this.#sendUnsent(seat, frame.messages);
    if (rejoined && seat.stage === 'in') this.#catchUp(seat, before, frame);
    if (seat.stage !== 'in') return;
    this.#completeMembers(seat, frame);
    seat.lane.open();
  }

  #joinRefused(seat, error) {
    if (!seat.leaving) {
      const untilFree = error.code === 'username_taken' ? this.#takenUntil - clock() : 0;
      if (!seat.joining && JOIN_MAY_CHANGE.has(error.code)) {
        return this.#joinLater(seat, 'rejoinDelayed', error, Math.max(error.retryAfterMs ?? 0, this.#pause(seat.attempts)));
      }
      // the last try is at the end of the time
      if (seat.joining && untilFree > 0) {
        return this.#joinLater(seat, 'joinDelayed', error, Math.min(this.#pause(seat.attempts), TAKEN_RETRY_MS, untilFree));
      }
    }
    const { joining } = seat;
    seat.joining = null;
    this.#left(seat, 'refused', error);
    joining?.reject(error);
  }

  #joinLater(seat, type, error, pause) {
    seat.attempts += 1;
    seat.stage = 'later';
    seat.timer = setTimeout(() => {
      seat.stage = 'out';
      if (this.#link?.welcomed) this.#askToJoin(seat);
    }, pause);
    this.#tell(seat, type, { error, retryAt: Date.now() + pause });
  }

  /** The connection is gone: what was under way in this room is over, but for messages. */
  #interrupted(seat) {
    clearTimeout(seat.timer);
    seat.lane.shut();
    seat.held = null;
    if (seat.leaving) this.#left(seat, 'asked');
    else if (seat.stage !== 'left') seat.stage = 'out';
  }

  #left(seat, reason, error = new ChatError('left_room', 'you are no longer in this room')) {
    if (seat.stage === 'left') return;
    seat.stage = 'left';
    seat.held = null;
    clearTimeout(seat.timer);
    if (this.#seats.get(seat.name) === seat) this.#seats.delete(seat.name);
    seat.lane.fail(error);
    seat.joining?.reject(error);
    seat.leaving?.resolve();
    this.#tell(seat, 'left', { reason, error: reason === 'refused' || reason === 'closed' ? error : undefined });
  }

  #tell(seat, type, event) {
    const told = { room: seat.room, ...event };
    seat.room.emit(type, told);
    this.emit(type, told);
  }

  // What the server says unasked.

  #frame(frame) {
    if (frame.type === 'notice') {
      const room = frame.room === undefined ? undefined : this.#seats.get(frame.room)?.room;
      if (frame.room !== undefined && !room) return;
      return this.emit('notice', { room, level: frame.level, body: frame.body });
    }
    const seat = this.#seats.get(frame.room);
    if (frame.type === 'error') return this.emit('error', new ChatError(frame.code, frame.message));
    if (!seat) return;
    if (frame.type === 'left') return this.#left(seat, frame.reason);
    if (seat.stage !== 'in') return;
    if (frame.type === 'message') {
      const { type: _, room: __, ...message } = frame;
      this.#said(seat, message);
    } else if (frame.type === 'presence') {
      seat.roster.change(frame);
      const joined = [...named(frame.joined).values()];
      this.#tell(seat, 'presence', { joined, left: frame.left, memberCount: frame.member_count, partial: frame.partial === true });
    } else if (frame.type === 'typing') {
      this.#tell(seat, 'typing', { username: frame.username });
    }
  }

  // The stream of a room: each message once, in order.

  #said(seat, message) {
    if (seat.held) {
      if (seat.held.length >= MOST_HELD) seat.held.length = 0;
      seat.held.push(message);
    } else if (message.seq > seat.seq + 1) {
      seat.held = [message];
      this.#fill(seat);
    } else if (message.seq > seat.seq) {
      this.#deliver(seat, message, false);
    }
  }

  #deliver(seat, message, missed) {
    if (message.seq <= seat.seq || seat.stage === 'left') return;
    if (message.seq > seat.seq + 1) this.#tell(seat, 'gap', { after: seat.seq, before: message.seq });
    seat.seq = message.seq;
    if (missed) seat.missed += 1;
    this.#tell(seat, 'message', { message, missed });
  }

  #catchUp(seat, since, frame) {
    const first = frame.messages[0]?.seq ?? frame.seq + 1;
    if (frame.epoch !== since.epoch || frame.seq < since.seq) {
      [seat.epoch, seat.seq] = [frame.epoch, frame.seq];
      return this.#tell(seat, 'reset', { epoch: frame.epoch, messages: frame.messages });
    }
    if (!frame.recovered && first - 1 - since.seq > this.#options.gapLimit) {
      this.#tell(seat, 'gap', { after: since.seq, before: first });
      seat.seq = first - 1;
    }
    seat.held = frame.messages.filter((message) => message.seq > seat.seq);
    seat.until = frame.seq + 1;
    this.#fill(seat);
  }

  /** Tells what was missed, page by page, up to what is held back, and then that. */
  #fill(seat) {
    const target = () => seat.held[0]?.seq ?? seat.until;
    if (seat.seq + 1 >= target()) return this.#filled(seat);
    const { held } = seat;
    this.#link.ask({ type: 'history', room: seat.name, after: seat.seq, limit: PAGE }, (error, page) => {
      if (seat.held !== held || seat.stage !== 'in') return;
      if (error && JOIN_MAY_CHANGE.has(error.code)) {
        seat.timer = setTimeout(() => seat.held === held && seat.stage === 'in' && this.#fill(seat), error.retryAfterMs ?? 1_000);
        return;
      }
      const told = seat.seq;
      if (page?.epoch === seat.epoch) {
        for (const message of page.messages) if (message.seq < target()) this.#deliver(seat, message, true);
      }
      if (seat.held !== held) return;
      if (seat.seq > told && page.more) this.#fill(seat);
      else this.#filled(seat);
    });
  }

  #filled(seat) {
    const { held } = seat;
    seat.held = null;
    // where the server has less than it promised, the first of these tells the gap
    for (const message of held) this.#deliver(seat, message, message.seq < seat.until);
    if (seat.stage === 'in' && seat.seq < seat.until - 1) {
      this.#tell(seat, 'gap', { after: seat.seq, before: seat.until });
      seat.seq = seat.until - 1;
    }
    if (seat.stage === 'in') this.#tell(seat, 'recovered', { count: seat.missed });
    seat.missed = 0;
  }

  // Members.

  #completeMembers(seat, frame) {
    if (seat.roster.complete || frame.member_count > this.#options.memberLimit) return this.#tell(seat, 'members', {});
    seat.roster.begin();
    seat.roster.page(frame.members, frame.member_count);
    const last = frame.members.at(-1)?.username;
    this.#readMembers(seat, last, this.#options.memberLimit - frame.members.length, () => {});
  }

  #readMembers(seat, after, left, done) {
    const limit = Math.min(PAGE, left);
    this.#link.ask({ type: 'members', room: seat.name, after, limit }, (error, page) => {
      if (error || seat.stage !== 'in') return done(error ?? disconnected());
      seat.roster.page(page.members, page.member_count);
      const last = page.members.at(-1)?.username;
      if (page.more && last !== undefined && left > page.members.length) {
        return this.#readMembers(seat, last, left - page.members.length, done);
      }
      seat.roster.end(!page.more);
      this.#tell(seat, 'members', {});
      done(null);
    });
  }

  // What was said and has no ack.

  #write(seat, message) {
    const command = { type: 'send', room: seat.name, id: message.id, body: message.body };
    // the server would end the connection, and the message would end the next one as well; 32 is more than `ref` takes
    const size = new TextEncoder().encode(JSON.stringify(command)).length + 32;
    if (size > this.#frameLimit) {
      const error = new ChatError('message_too_large', `the message is too long: the server accepts at most ${this.#frameLimit} bytes`);
      return seat.lane.settle(message, error, null);
    }
    this.#link.ask(command, (error, frame) => {
      if (error?.code === 'disconnected') return;
      if (error?.code === 'store_unavailable') {
        seat.lane.putOff(message, (failures) => Math.max(error.retryAfterMs ?? 0, this.#pause(failures)));
      } else if (error) seat.lane.settle(message, error, null);
      else seat.lane.settle(message, null, { id: frame.id, seq: frame.seq, sentAt: frame.sent_at, stored: frame.stored !== false });
    });
  }

  // The page around it: when it comes back to life, and what it keeps over a reload.

  #watchPage() {
    const { page } = this.#options;
    if (!page) return;
    const { window, document } = page;
    const isHidden = () => document.visibilityState === 'hidden';
    const listeners = [
      [window, 'online', () => this.reconnect()],
      [window, 'offline', () => this.#link?.probe()],
      [window, 'pageshow', ({ persisted }) => persisted && this.#seen()],
      [window, 'pagehide', () => this.#keepSession(true)],
      [document, 'visibilitychange', () => (isHidden() ? this.#keepSession() : this.#seen())],
    ];
    for (const [target, type, listener] of listeners) target.addEventListener(type, listener);
    this.#unwatch = () => {
      for (const [target, type, listener] of listeners) target.removeEventListener(type, listener);
    };
  }

  #seen() {
    this.#keepSession();
    this.reconnect();
  }

  // The storage has the secret only while the page is hidden or gone: a browser discards a hidden tab without a word. A tab that is
  // duplicated gets a copy of the storage, and with the secret in it would take the session of the first one over. While the page is
  // visible there is only a note that there is a session.

  #restoreSession() {
    const { storage, storageKey, url, username } = this.#options;
    if (!storage) return;
    try {
      const stored = JSON.parse(storage.getItem(storageKey));
      if (stored?.url !== url || stored.username !== username) return;
      this.#hadSession = true;
      this.#resume = stored.resume ?? null;
      storage.setItem(storageKey, JSON.stringify({ url, username }));
    } catch {
      // not ours, or no access: a new session then
    }
  }

  #keepSession(isGoing = this.#options.page?.document.visibilityState === 'hidden') {
    const { storage, storageKey, url, username } = this.#options;
    if (!storage || !this.#resume || this.#status.state === 'closed') return;
    try {
      storage.setItem(storageKey, JSON.stringify({ url, username, resume: isGoing ? this.#resume : undefined }));
    } catch {
      // full or forbidden: a new session then
    }
  }

  #forgetSession() {
    try {
      this.#options.storage?.removeItem(this.#options.storageKey);
    } catch {
      // no access: then it was never written either
    }
  }

  // The outbox: what has no ack, over a reload.

  #loadOutbox() {
    const { outbox, queueLimit } = this.#options;
    let entries = [];
    try {
      entries = [...(outbox?.load() ?? [])];
    } catch (error) {
      report(error);
    }
    // what does not fit stays where it is, and is loaded the next time
    this.#unsent = entries.filter(isUnsent).slice(0, queueLimit);
    this.#queued += this.#unsent.length;
    for (const { createdAt } of this.#unsent) this.#createdAt = Math.max(this.#createdAt, createdAt);
  }

  /** Adds to the outbox or removes from it; says whether that is done. A message that is not saved is sent all the same. */
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

  /** The room is joined, here are the messages that were shown with that: what the outbox has for it goes before all else. */
  #sendUnsent(seat, shown) {
    const entries = this.#unsent.filter(({ room }) => room === seat.name);
    if (entries.length === 0) return;
    this.#unsent = this.#unsent.filter((entry) => !entries.includes(entry));
    const messages = [];
    for (const entry of entries) {
      const isStored = shown.some(({ id, from }) => id === entry.id && from === this.username);
      if (isStored || seat.lane.has(entry.id)) {
        this.#queued -= 1;
        if (isStored) this.#outbox('remove', entry);
        continue;
      }
      const { message } = this.#outgoing(seat, entry, { saved: true, restored: true });
      if (Date.now() - entry.createdAt <= OUTBOX_MAX_AGE_MS) messages.push(message);
      else message.settle(new ChatError('expired', 'this message is too old to be sent automatically'), null);
    }
    seat.lane.addFirst(messages);
    for (const message of messages) message.pending();
  }
}

function isUnsent(entry) {
  return ['room', 'id', 'body'].every((field) => typeof entry?.[field] === 'string') && Number.isFinite(entry.createdAt);
}

/**
 * An outbox in a `Storage`. Each message has a key of its own, so that tabs that share the storage do not overwrite each other's.
 * The prefix is for one server and one name.
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

function notInRoom() {
  return new ChatError('not_in_room', 'you are not in that room');
}

function closedError(reason) {
  return reason.code === 'closed' ? reason : new ChatError(reason.code, reason.message, { closeCode: reason.closeCode });
}

/** `http:` and `https:` addresses are taken for the sockets beside them; without an address it is the page's own server. */
function socketUrl(url = new URL('/ws', globalThis.location?.href)) {
  const parsed = new URL(url, globalThis.location?.href);
  parsed.protocol = parsed.protocol.replace(/^http/, 'ws');
  return parsed.href;
}

/** `crypto.randomUUID` is missing on pages that came over plain http. */
function uuid() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}

/** A promise whose refusal need not be looked at: events tell it as well. */
function deferred() {
  const parts = {};
  parts.promise = handled(new Promise((resolve, reject) => Object.assign(parts, { resolve, reject })));
  return parts;
}

function handled(promise) {
  promise.catch(() => {});
  return promise;
}
