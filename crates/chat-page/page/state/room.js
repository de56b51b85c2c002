// The page's model of a room: its messages in order, the outbox and the read position. It contains
// no DOM elements.

import { ChatError, MessageList } from '/client.js';
import { isNamedIn } from '../text/marks.js';
import { isAddress } from '../text/names.js';
import { called, label } from '../text/words.js';
import { draftOf, saveDraft } from './drafts.js';
import { Names } from './names.js';
import { Past } from './past.js';
import { Signal } from './signal.js';
import { persistent } from './storage.js';

const PAGE_SIZE = 50;
/** From a message to which the user jumps, the page goes back by this many numbers. */
const CONTEXT_SIZE = 25;
/**
 * At most this many messages are kept. The oldest are dropped first, and loaded again when the user
 * scrolls up.
 */
const MAX_ITEMS = 6_000;
const TYPING_TIMEOUT_MS = 5_000;
/** Writing to the browser's storage is slow, so the read position is not saved for each message. */
const MARK_INTERVAL_MS = 250;
/** Browsers run timers with a longer delay at once. */
const MAX_DELAY_MS = 2 ** 31 - 1;

/**
 * Emits `items` with what has changed in the list of messages, `arrived` with a new message,
 * `outbox`, `unread`, `divider`, `typing`, `seen`, `people`, `history`, `state`, and `standing`
 * when the user's role or mute has changed.
 *
 * A change of `items` is a `ListChange` of the client, or `{kind: 'extended'}`: there are newer
 * messages at the end. `isSameLog` in one that is replaced: the messages are those of the same log.
 * `onlyReactions` in one that is changed: nothing else has changed.
 */
export class RoomState extends Signal {
  /** A promise while older messages are being loaded. */
  loading = null;
  historyFailed = null;
  /**
   * The user's messages that are not in the log yet, by id: `{id, body, replyTo, createdAt, state:
   * 'pending' | 'failed', error, seq}`. `seq` is known after the ack.
   */
  outbox = new Map();
  /** The seq of the newest event that was read. */
  readSeq = 0;
  /** How many of the loaded messages are unread. */
  unread = 0;
  /** Whether there may be more unread messages than those that are loaded. */
  unreadMore = false;
  /** How many of the unread messages mention the user. */
  mentioned = 0;
  /** The numbers of messages that mention the user and were not on the screen yet. */
  unseenMentions = new Set();
  /** The message to which the user is writing a reply, or `null`. */
  replyTo = null;
  /** The "New messages" line is after this seq. `null` if there is none. */
  dividerSeq = null;
  /** The users who are typing, each with the timer that removes them. */
  typing = new Map();
  /** Whether the newest message is on the screen. Set by the log. */
  atEnd = true;
  /** The scroll position when another room was shown: `{seq, offset}`, or `null` at the end. */
  scrollPosition = null;
  /** Why the user is no longer in the room, or `null`. */
  left = null;
  /** Why the room cannot be rejoined yet, or `null`. */
  delayed = null;
  /** The numbers of messages of blocked users that the user wants to see nevertheless. */
  #revealed = new Set();
  /** The users whose `@name` in a text is a mention: see `mentionsIn`. */
  named = (text) => this.#mentionable().find(text);
  /** Whether the user is in a room of this name. */
  isRoom = (name) => this.#client.room(name) !== undefined;
  #client;
  /** The newest messages. */
  #list = new MessageList();
  /** What is shown in place of the newest messages, or `null`. */
  #past = null;
  /** Messages before this number are gone. */
  #oldest = 0;
  #epoch = null;
  /** Mentions that were marked as read before they were loaded: `{after, count}`, or `null`. */
  #olderMentions = null;
  #isRead;
  #failed;
  #markTimer;
  #muteTimer;
  /** The role of the user that was seen last. */
  #role = null;
  /** The authors of the loaded messages. */
  #authors = new Set();
  /** The members and the authors. `null` after a change. */
  #names = null;

  constructor(client, room, { isRead, failed }) {
    super();
    this.#client = client;
    this.room = room;
    /** Whether the user is looking at the newest message right now. */
    this.#isRead = isRead;
    this.#failed = failed;
    for (const message of failed.of(room.name)) this.outbox.set(message.id, { ...message, state: 'failed' });
  }

  get name() {
    return this.room.name;
  }

  /** Whether this is the room of two users, in which nobody has more rights than the other. */
  get isDirect() {
    return this.room.info?.visibility === 'direct';
  }

  /** Whether the room has no name, and only those who are invited learn of it. */
  get isPrivate() {
    return isAddress(this.name) && !this.isDirect;
  }

  /** Whether only members and those who are invited may join. */
  get isForMembers() {
    return this.isPrivate || this.room.info?.visibility === 'private';
  }

  get #known() {
    const { name: room, isDirect, me } = this;
    const other = isDirect && (this.#client.list?.get(room)?.with ?? [...this.room.members.keys()].find((member) => member !== me));
    return { room, title: this.room.info?.title, with: other || undefined };
  }

  /** What the room is called in a sentence, and as a label. */
  get called() {
    return called(this.#known);
  }

  get label() {
    return label(this.#known);
  }

  /** The sign before the label. */
  get sign() {
    return this.isDirect ? '@' : this.isPrivate ? '•' : '#';
  }

  get #shown() {
    return this.#past?.list ?? this.#list;
  }

  /** Whether the messages that are shown do not reach the newest ones. */
  get isPast() {
    return this.#past !== null;
  }

  /** Whether newer messages than those that are shown can be loaded. */
  get canLoadNewer() {
    return this.#past !== null && this.#past.failed === null;
  }

  /** The messages that are shown, oldest first. All that exist between two of them are loaded. */
  get items() {
    return this.#shown.items;
  }

  /** The messages that are shown begin with this number. */
  get first() {
    return this.#shown.first;
  }

  /** Whether the server may have older messages. */
  get more() {
    return this.#shown.more;
  }

  /** The index of the first shown message with this number or a larger one. */
  indexFrom(seq) {
    return this.#shown.indexFrom(seq);
  }

  /** The loaded message with this number, in its newest state, or `undefined`. */
  find(seq) {
    const at = (list) => {
      const message = list.items[list.indexFrom(seq)];
      return message?.seq === seq ? message : undefined;
    };
    return at(this.#shown) ?? at(this.#list);
  }

  get me() {
    return this.#client.username;
  }

  /** The id of the user, by which the user's own messages are recognised. */
  get myId() {
    return this.#client.user.id;
  }

  get draft() {
    return draftOf(this.me, this.name);
  }

  set draft(text) {
    saveDraft(this.me, this.name, text);
  }

  /** Called when the room is joined for the first time. */
  begin(joined) {
    const { epoch, seq } = joined;
    const mark = persistent.get(this.#markKey);
    this.#epoch = epoch;
    this.#oldest = joined.oldest;
    this.#apply('joined', joined);
    for (const id of [...this.outbox.keys()]) if (this.#isStored(id)) this.#removeFromOutbox(id);
    const marks = [mark?.epoch === epoch ? mark.seq : null, this.#readElsewhere(epoch)].filter((known) => known !== null);
    this.readSeq = marks.length > 0 ? Math.min(Math.max(...marks), seq) : seq;
    this.#watchStanding();
    this.#showUnread();
  }

  /** The user has read the room up to this number on another device. */
  readOn({ epoch, upTo }) {
    if (epoch !== this.room.epoch || upTo <= this.readSeq) return;
    this.readSeq = Math.min(upTo, this.room.seq);
    this.#countUnread();
    if (this.unread > 0 || this.unreadMore || this.dividerSeq === null) return;
    this.dividerSeq = null;
    this.emit('divider');
  }

  /** The list of the user's rooms has arrived, for the first time or after a reconnect. */
  listed({ epoch, readUpTo: upTo }) {
    this.readOn({ epoch, upTo });
    if (this.unreadMore) this.#countUnread();
    // A mark may have been lost with the connection. What is not saved yet is sent when it is.
    if (this.#markTimer === undefined) this.#shareReadMark();
    this.emit('seen');
  }

  /** Whether the newest message of this direct room is the user's and the other one has read it. */
  get isSeen() {
    const entry = this.isDirect ? this.#client.list?.get(this.name) : undefined;
    const newest = this.#list.items.at(-1);
    return entry?.epoch === this.room.epoch && newest !== undefined && this.isMine(newest) && newest.seq <= entry.seenUpTo;
  }

  /** Up to where the user has read, according to the server. `null` if it does not know. */
  #readElsewhere(epoch) {
    const entry = this.#client.list?.get(this.name);
    return entry?.epoch === epoch ? entry.readUpTo : null;
  }

  /** What the user may do with a message, as far as the page knows. The server decides. */
  permissions(message) {
    const isMine = this.isMine(message);
    const window = this.#client.status.limits?.editWindowS ?? 0;
    const isRecent = window === 0 || Date.now() - Date.parse(message.sent_at) < window * 1_000;
    const canPost = this.left === null && this.postersOnly === null && !this.isSilenced;
    const { isModerator } = this;
    const isOthers = !isMine && this.left === null;
    const canModerate = !isMine && (isModerator || this.moderatesServer);
    return { canPost, canEdit: isMine && isRecent && canPost, canDelete: (isMine && canPost) || isModerator, canModerate, isOthers };
  }

  /** The newest own message before this number that can be edited. */
  editableBefore(seq) {
    return this.#list.items.findLast((message) => message.seq < seq && !message.deleted && this.permissions(message).canEdit);
  }

  edit(message, body) {
    return this.room.edit(message.seq, body);
  }

  delete(message) {
    return this.room.delete(message.seq);
  }

  /** Puts an emoji on a message, or removes it if the user has put it there. */
  react({ seq }, emoji) {
    const isMine = this.find(seq)?.reactions?.some((reaction) => reaction.emoji === emoji && reaction.mine) ?? false;
    return this.room.react(seq, emoji, !isMine);
  }

  /** Whether `@room` of this user addresses everyone. */
  get mayMentionRoom() {
    return this.isModerator || this.room.info?.mentionRoom === 'everyone';
  }

  /** The user's role in this room, or `null`. */
  get role() {
    return this.room.standing.role;
  }

  /** Whether the user is a moderator or an admin of the server. */
  get moderatesServer() {
    return this.#client.user.role !== 'user';
  }

  /** Whether that counts in this room: in direct rooms it does not. */
  get isServerModerator() {
    return this.moderatesServer && !this.isDirect;
  }

  /** Acts on a user on the whole server. */
  moderateServer(action, whom) {
    return this.#client.moderate(null, action, whom);
  }

  /** Whether the user may moderate here. As for all rights, the server decides. */
  get isModerator() {
    return this.isServerModerator || this.role === 'moderator' || this.role === 'owner';
  }

  /** Whether the user may change the settings and give every role. */
  get isOwner() {
    return this.isServerModerator || this.role === 'owner';
  }

  /** Whether the user may own rooms. */
  get hasAccount() {
    return this.#client.user.kind === 'account';
  }

  /** Whether a moderator has muted the user, so that it can only read. */
  get isSilenced() {
    const { muted, mutedUntil } = this.room.standing;
    return muted && !this.isServerModerator && (mutedUntil === undefined || Date.parse(mutedUntil) > Date.now());
  }

  /** Registers the room: the user becomes its owner. */
  register(settings) {
    return this.#client.createRoom(this.name, settings);
  }

  /** The user's role has changed, or it was muted, or may post again. */
  standingChanged() {
    this.#watchStanding();
    this.emit('state');
    this.emit('standing');
  }

  /** When a mute ends, the user may post again. */
  #watchStanding() {
    this.#role = this.role;
    clearTimeout(this.#muteTimer);
    const { mutedUntil } = this.room.standing;
    if (mutedUntil === undefined || !this.isSilenced) return;
    this.#muteTimer = setTimeout(() => this.standingChanged(), Math.min(Date.parse(mutedUntil) - Date.now(), MAX_DELAY_MS));
  }

  /** Whether the user wants no notifications of this room. */
  get isMuted() {
    return this.#client.list?.get(this.name)?.notify === 'none';
  }

  /** Who may post here, if the user may not; otherwise `null`. */
  get postersOnly() {
    const post = this.room.info?.post ?? 'everyone';
    const isAdmitted = post === 'everyone' || (post === 'accounts' && this.#client.user.kind !== 'guest') || (post === 'members' && this.role !== null);
    return isAdmitted || this.isModerator ? null : post;
  }

  /** Called after a reconnect, and after the client has noticed that it missed events. */
  rejoined(joined) {
    this.delayed = null;
    this.historyFailed = null;
    this.#oldest = joined.oldest;
    if (this.#past) this.#past.failed = null;
    if (joined.recovered) this.#apply('joined', joined);
    else this.#restart(joined);
    this.membersChanged();
    const hadRole = this.#role;
    this.#watchStanding();
    this.emit('state');
    if (hadRole !== this.role) this.emit('standing');
    this.emit('history');
  }

  message(event) {
    const { message, missed } = event;
    this.#stopTyping(message.from);
    if (this.isMine(message)) this.#removeFromOutbox(message.id);
    this.#removeStored();
    this.#apply('message', event);
    this.#addAuthor(message);
    const isBlocked = this.isBlocked(message);
    if (!this.isMine(message) && !message.deleted && !isBlocked) this.emit('arrived', message);
    if (this.items.length > MAX_ITEMS && this.atEnd) this.emit('items', this.#list.dropOldest(this.items.length - MAX_ITEMS + 1_000));
    if (this.isMine(message) && !missed) this.#markRead();
    else if (this.#isUnread(message)) this.#addUnread(message);
    // Otherwise it would become unread when the author is unblocked.
    else if (isBlocked && this.unread === 0 && !this.unreadMore) this.#markRead();
    this.emit('typing');
  }

  edited(event) {
    this.#revise('edited', event);
  }

  deleted(event) {
    this.#revise('deleted', event);
  }

  changed(event) {
    this.#revise('changed', event);
  }

  reacted(event) {
    this.#apply('reactions', event, { onlyReactions: true });
  }

  outgoing({ id, body, replyTo, createdAt, state, error, ack }) {
    if (state === 'acked') {
      // A message that was stored before the page was reloaded does not arrive as a message any
      // more.
      if (ack.seq > this.room.seq) return this.#acknowledge(id, ack.seq);
      this.#removeFromOutbox(id);
    } else if (state === 'pending') {
      this.#removeFromOutbox(id);
      this.outbox.set(id, { id, body, replyTo, createdAt, state });
    } else if (this.outbox.has(id)) this.#addFailed({ id, body, replyTo, createdAt, state, error });
    this.emit('outbox');
  }

  /**
   * Sends a message, a reply if `replyTo` is set. Throws if the client did not accept it: then the
   * text goes back into the box.
   */
  send(body) {
    const { limits } = this.#client.status;
    const size = new TextEncoder().encode(JSON.stringify(body)).length + 200;
    if (limits && size > limits.messageBytes) throw new ChatError('message_too_large', 'the message is too long');
    if (this.left) throw new ChatError('not_in_room', 'you are not in that room');
    if (this.#client.status.state === 'closed') throw new ChatError('disconnected', 'the session has ended');
    const { id } = this.room.send(body, { replyTo: this.replyTo?.seq });
    if (!this.outbox.has(id)) throw new ChatError('queue_full', 'too many messages wait to be sent');
  }

  retry(id) {
    const failed = this.outbox.get(id);
    this.#removeFromOutbox(id);
    // Under the same id: if the first attempt was stored after all, the server does not store it
    // twice.
    // A reply to a message that is gone is sent as a message.
    const replyTo = failed.error?.code === 'not_found' ? undefined : failed.replyTo;
    this.room.send(failed.body, { id: failed.error?.code === 'id_reused' ? undefined : id, replyTo });
    if (!this.outbox.has(id) && !this.#isStored(id)) this.#addFailed(failed);
    this.emit('outbox');
  }

  discard(id) {
    this.#removeFromOutbox(id);
    this.emit('outbox');
  }

  /** Takes over the unacknowledged messages of an earlier membership in this room. */
  adopt(messages) {
    for (const message of messages) if (!this.#isStored(message.id)) this.#addFailed(message);
    this.emit('outbox');
  }

  /** Loads one page of older messages. Resolves when it has been loaded or has failed. */
  loadOlder(limit = PAGE_SIZE) {
    if (this.loading || !this.more) return this.loading ?? Promise.resolve();
    this.historyFailed = null;
    const before = this.first;
    const list = this.#shown;
    const load = async () => {
      try {
        const page = await this.room.history({ before, limit });
        const change = list === this.#shown ? list.prepend(page, before) : null;
        if (!change) return;
        for (const message of page.messages) this.#addAuthor(message);
        this.emit('items', change);
        if (this.unreadMore) this.#countUnread();
      } catch (error) {
        // The log is about to begin again, and nothing was read for it yet.
        if (error.code === 'epoch_changed') return;

        this.historyFailed = error;
      } finally {
        this.loading = null;
        this.emit('history');
      }
    };
    this.loading = load();
    this.emit('history');
    return this.loading;
  }

  /** Loads older messages until this one is included. */
  async loadBackTo(seq) {
    while (this.more && !this.historyFailed && this.first > seq) await this.loadOlder(200);
  }

  /**
   * Shows the messages around this one, unless it is shown already. Resolves with whether it
   * exists; a deleted one does. Rejects if it cannot be loaded.
   */
  async showAround(seq) {
    const isIn = (list) => list.items[list.indexFrom(seq)]?.seq === seq;
    if (isIn(this.#shown)) return true;
    if (seq >= this.#list.first) return isIn(this.#list) && this.showNewest();
    const page = await this.room.history({ after: Math.max(0, seq - CONTEXT_SIZE), limit: PAGE_SIZE });
    if (!page.messages.some((message) => message.seq === seq)) return false;
    this.#past = new Past(page, this.#oldest);
    for (const message of page.messages) this.#addAuthor(message);
    this.emit('items', { kind: 'replaced', isSameLog: false });
    this.#joinLists();
    return true;
  }

  /** Shows the newest messages again. */
  showNewest() {
    if (this.#past === null) return true;
    this.#past = null;
    this.emit('items', { kind: 'replaced', isSameLog: false });
    return true;
  }

  /** Loads one page of newer messages, until they reach the newest ones. */
  loadNewer() {
    const past = this.#past;
    if (past === null || past.loading || past.failed) return;
    const load = async () => {
      try {
        const page = await this.room.history({ after: past.last, limit: PAGE_SIZE });
        if (past !== this.#past) return;
        past.append(page);
        for (const message of page.messages) this.#addAuthor(message);
        this.emit('items', { kind: 'extended' });
        this.#joinLists();
      } catch (error) {
        past.failed = error;
      } finally {
        past.loading = null;
        this.emit('history');
      }
    };
    past.loading = load();
  }

  /** Makes the two lists one, unless there is still a gap between them. */
  #joinLists() {
    const { first } = this.#list;
    if (this.#past === null || this.#past.last + 1 < first) return;
    this.#list.prepend(this.#past.before(first), first);
    this.#past = null;
    this.emit('items', { kind: 'extended' });
    if (this.unreadMore) this.#countUnread();
  }

  /** The member list has changed. */
  membersChanged() {
    this.#names = null;
    this.emit('people');
  }

  typingStarted({ username }) {
    if (this.#isNameBlocked(username)) return;
    clearTimeout(this.typing.get(username));
    this.typing.set(username, setTimeout(() => {
      this.typing.delete(username);
      this.emit('typing');
    }, TYPING_TIMEOUT_MS));
    this.emit('typing');
  }

  presence({ left }) {
    for (const name of left) this.#stopTyping(name);
    this.membersChanged();
    if (left.length > 0) this.emit('typing');
  }

  /** Marks the room as read if the user sees the newest message. */
  markReadIfSeen() {
    if (this.unread > 0 && this.#isRead(this)) this.#markRead();
  }

  /** Removes the "New messages" line, unless there are unread messages. */
  dropDivider() {
    if (this.dividerSeq === null || this.unread > 0) return;
    this.dividerSeq = null;
    this.emit('divider');
  }

  /** Another user may have had the same name before: only the id tells. */
  isMine(message) {
    return message.user !== undefined && this.#client.isMine(message.user);
  }

  /** The name of the user with this id, if it is in the room or a loaded message is of it. */
  nameOf(id) {
    const isWanted = ({ user }) => user === id;
    return [...this.room.members.values()].find(isWanted)?.username ?? this.items.findLast(isWanted)?.from;
  }

  /** Whether the user has blocked the author. */
  isBlocked({ user }) {
    return user !== undefined && this.#client.blocked.has(user);
  }

  #isNameBlocked(username) {
    return this.isBlocked(this.room.members.get(username) ?? {});
  }

  /** Whether the text of the message is not shown, because the user has blocked its author. */
  isHidden(message) {
    return !message.deleted && this.isBlocked(message) && !this.#revealed.has(message.seq);
  }

  /** Shows one message of a blocked user. */
  reveal(message) {
    this.#revealed.add(message.seq);
    this.emit('items', { kind: 'changed', messages: [message] });
  }

  /**
   * The user has blocked these users, or unblocked them. Returns the numbers of their messages
   * that are loaded.
   */
  blockingChanged(users) {
    const loaded = [...this.#list.items, ...this.#past?.list.items ?? []];
    const messages = loaded.filter(({ user }) => users.has(user));
    for (const message of messages) {
      this.#revealed.delete(message.seq);
      if (this.isBlocked(message)) this.unseenMentions.delete(message.seq);
    }
    for (const name of [...this.typing.keys()]) if (this.#isNameBlocked(name)) this.#stopTyping(name);
    this.emit('typing');
    if (messages.length === 0) return [];
    this.emit('items', { kind: 'changed', messages });
    this.#recountUnread();
    this.emit('unread');
    return messages.map(({ seq }) => seq);
  }

  mentionsMe(message) {
    if (this.isMine(message) || message.deleted || this.isBlocked(message)) return false;
    if (message.mentions?.some((id) => id === 'room' || this.#client.isMine(id))) return true;
    // An account that was not in the room then is counted by the server, and not named.
    return this.#client.user.kind !== 'guest' && isNamedIn(message, this.me, this.named);
  }

  /** The message was on the screen. */
  sawMention(seq) {
    if (this.unseenMentions.delete(seq)) this.emit('unread');
  }

  /** How many messages mention the user and were not on the screen yet. */
  get mentionsToSee() {
    return this.unseenMentions.size + (this.#notLoadedMentions()?.count ?? 0);
  }

  /** Loads the oldest unseen message that mentions the user. Resolves with its number or `null`. */
  async oldestMention() {
    const older = this.#notLoadedMentions();
    if (older) {
      this.showNewest();
      const { first } = this;
      await this.loadBackTo(older.after + 1);
      if (!this.historyFailed) this.#olderMentions = null;
      const loaded = this.#list.items.slice(this.#list.indexFrom(older.after + 1), this.#list.indexFrom(first));
      for (const message of loaded) if (this.mentionsMe(message)) this.unseenMentions.add(message.seq);
      this.emit('unread');
    }
    return this.unseenMentions.size > 0 ? Math.min(...this.unseenMentions) : null;
  }

  /** Where the mentions are that only the server has counted, or `null`. */
  #notLoadedMentions() {
    const count = this.unreadMore ? this.mentioned - this.unseenMentions.size : 0;
    return this.#olderMentions ?? (count > 0 ? { after: this.readSeq, count } : null);
  }

  forgetMentions() {
    this.unseenMentions.clear();
    this.#olderMentions = null;
    this.emit('unread');
  }

  #mentionable() {
    if (this.#names === null) {
      this.#names = new Names().add(this.me);
      for (const name of this.room.members.keys()) this.#names.add(name);
      for (const name of this.#authors) this.#names.add(name);
    }
    return this.#names;
  }

  #addAuthor({ from }) {
    if (from === undefined || this.#authors.has(from)) return;
    this.#authors.add(from);
    this.#names?.add(from);
  }

  #isStored(id) {
    return this.#list.items.some((message) => message.id === id && this.isMine(message));
  }

  /** Removes a message from the outbox: it was stored, is sent again, or was discarded. */
  #removeFromOutbox(id) {
    const message = this.outbox.get(id);
    if (message?.state === 'failed') this.#failed.remove({ ...message, room: this.name });
    this.outbox.delete(id);
  }

  /** The message stays where it is until it arrives as a message. */
  #acknowledge(id, seq) {
    const message = this.outbox.get(id);
    if (message) message.seq = seq;
  }

  /**
   * Removes acknowledged messages whose place in the log was reached. They did not arrive as what
   * they were if they are deleted, or older than what the server sent.
   */
  #removeStored() {
    for (const { id, seq } of [...this.outbox.values()]) if (seq <= this.room.seq) this.#removeFromOutbox(id);
  }

  #addFailed(message) {
    this.outbox.set(message.id, { ...message, state: 'failed' });
    // Messages that a closed client did not send are still in its outbox.
    if (this.#client.status.state === 'closed') return;
    const { id, body, replyTo, createdAt, error } = message;
    this.#failed.add({ room: this.name, id, body, replyTo, createdAt, error: { code: error?.code, message: error?.message ?? '' } });
  }

  #stopTyping(name) {
    clearTimeout(this.typing.get(name));
    this.typing.delete(name);
  }

  #isUnread(message) {
    return message.seq > this.readSeq && !message.deleted && !this.isMine(message) && !this.isBlocked(message);
  }

  #addUnread(message) {
    if (this.#isRead(this)) return this.#markRead();
    if (this.unread === 0) {
      this.dividerSeq = message.seq - 1;
      this.emit('divider');
    }
    this.unread += 1;
    if (this.mentionsMe(message)) {
      this.mentioned += 1;
      this.unseenMentions.add(message.seq);
    }
    this.emit('unread');
  }

  /** Counts the unread messages again, because some of them were loaded or deleted. */
  #countUnread() {
    const { items, more, first } = this.#list;
    const unread = items.slice(this.#list.indexFrom(this.readSeq + 1)).filter((message) => this.#isUnread(message));
    const mentions = unread.filter((message) => this.mentionsMe(message));
    this.unread = unread.length;
    this.unreadMore = more && first > this.readSeq + 1;
    // Of messages that are not loaded the server knows how many mention the user.
    const entry = this.#client.list?.get(this.name);
    const known = this.unreadMore && entry?.epoch === this.#epoch ? entry.mentions : 0;
    this.mentioned = Math.max(mentions.length, known);
    const isGone = (seq) => seq > this.readSeq && !mentions.some((message) => message.seq === seq);
    for (const seq of [...this.unseenMentions]) if (isGone(seq)) this.unseenMentions.delete(seq);
    for (const { seq } of mentions) this.unseenMentions.add(seq);
    this.emit('unread');
  }

  #markRead() {
    this.#olderMentions = this.#notLoadedMentions();
    this.readSeq = this.room.seq;
    this.unread = 0;
    this.unreadMore = false;
    this.mentioned = 0;
    this.#markTimer ??= setTimeout(() => this.saveReadMark(), MARK_INTERVAL_MS);
    this.emit('unread');
  }

  /** Saves the read position. */
  saveReadMark() {
    if (this.#markTimer === undefined) return;
    clearTimeout(this.#markTimer);
    this.#markTimer = undefined;
    persistent.set(this.#markKey, { epoch: this.room.epoch, seq: this.readSeq });
    this.#shareReadMark();
  }

  /** Sends the read position to the other devices of the user, if the server does not know it. */
  #shareReadMark() {
    const known = this.#readElsewhere(this.room.epoch);
    // If it fails, the next mark or the next list repeats it.
    if (known !== null && known < this.readSeq) this.#client.markRead(this.name, this.readSeq).catch(() => {});
  }

  get #markKey() {
    return `read.${this.me}.${this.name}`;
  }

  /** Applies an event to what is loaded. Returns whether it has changed the newest messages. */
  #apply(type, event, details) {
    const change = this.#list.apply(type, event);
    // New messages come after the past ones.
    const pastChange = type === 'message' ? null : this.#past?.list.apply(type, event) ?? null;
    if (change && change.kind !== 'appended' && !details?.onlyReactions) this.#collectAuthors();
    const shown = this.#past === null ? change : pastChange;
    if (shown) this.emit('items', { ...shown, ...details });
    return change !== null;
  }

  /** Nothing that is loaded is valid any more: the log begins again with the newest messages. */
  #restart(joined) {
    const isSameLog = joined.epoch === this.#epoch;
    this.#epoch = joined.epoch;
    this.#past = null;
    if (!isSameLog) {
      this.replyTo = null;
      this.#revealed.clear();
      this.unseenMentions.clear();
      this.#olderMentions = null;
    }
    this.scrollPosition = null;
    this.#removeStored();
    this.#apply('joined', joined, { isSameLog });
    if (isSameLog) return this.#showUnread();
    this.dividerSeq = null;
    this.#markRead();
  }

  /** Messages were deleted or changed: nothing of their earlier states may stay. */
  #revise(type, event) {
    if (this.#apply(type, event)) this.#recountUnread();
  }

  /** Messages that were unread need not be any more. */
  #recountUnread() {
    if (this.unread === 0) return;
    this.#countUnread();
    if (this.unread > 0 || this.unreadMore) return;
    this.#markRead();
    this.dropDivider();
  }

  /** Shows what is unread, with a line above it. */
  #showUnread() {
    const line = this.unread > 0 ? this.dividerSeq : null;
    this.#countUnread();
    if (this.unread > 0) this.dividerSeq = line ?? this.readSeq;
    else this.#markRead();
  }

  /** Of a deleted message the author is gone, too. */
  #collectAuthors() {
    this.#authors.clear();
    this.#names = null;
    for (const message of [...this.#list.items, ...this.#past?.list.items ?? []]) this.#addAuthor(message);
  }
}
