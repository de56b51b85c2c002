/** Options of a `ChatClient`. */
export interface ChatClientOptions {
  /**
   * The user's name. It is the same in every room. Required for a guest; with a `token` it may be
   * left out, and has to be the name of the account otherwise.
   */
  username?: string;
  /**
   * The address of the server's `/ws`, as `ws:`, `wss:`, `http:` or `https:`. Default: `/ws` on the
   * server of the current page.
   */
  url?: string | URL;
  /**
   * The token of an account: of a session (`POST /api/v1/login`) or an API token. The client is
   * then no guest. A function is called before each connection; a connection that it fails for is
   * tried again later (`no_token`).
   */
  token?: string | (() => string | Promise<string>);
  /**
   * The secret that makes this client the same guest as an earlier one of the same name: 32 random
   * bytes in base64url without padding, which has 43 characters. Default: the client makes one and
   * uses it for all of its connections. Store `ChatClient.guestToken` to be the same guest again.
   */
  guestToken?: string;
  /** A name for this client, for the server's log. */
  client?: string;
  /** Ask for messages with `html`, if the server renders messages. Default false. */
  render?: boolean;
  /**
   * The maximum number of unacknowledged messages. Beyond it `send` fails with `queue_full`.
   * Default 500.
   */
  queueLimit?: number;
  /** In rooms with up to this many members the member list is read completely. Default 1,000. */
  memberLimit?: number;
  /**
   * Delays before reconnecting: random, up to `baseMs` times 2 to the power of failures, at most
   * `capMs`. Default 500 and 30,000.
   */
  backoff?: { baseMs: number; capMs: number };
  /**
   * Where unsent messages are saved so that they survive a reload: see `storageOutbox`. Default: in
   * memory only.
   */
  outbox?: Outbox | null;
  /** A WebSocket class, if there is no global one: for example that of the package `ws`. */
  WebSocket?: unknown;
  /**
   * The page whose events (`online`, `pagehide` and so on) are observed. Default: the current page,
   * if there is one. `null`: none.
   */
  page?: { window: EventTarget; document: EventTarget & { visibilityState?: string } } | null;
  /** Returns a number from 0 to 1, for the jitter of delays. */
  random?: () => number;
}

/** An unacknowledged message, as an outbox stores it. `room` and `id` together identify it. */
export interface UnsentMessage {
  room: string;
  id: string;
  body: string;
  /** The number of the message that it replies to, and the epoch of that number. */
  replyTo?: number;
  epoch?: string | null;
  /** In ms since 1970. Later messages have larger values. */
  createdAt: number;
}

/**
 * Stores messages until they are acknowledged. If a method throws, the message is still sent, but
 * it is not saved.
 */
export interface Outbox {
  /** All stored messages, oldest first. Called once, by `connect`. */
  load(): UnsentMessage[];
  /** Called before a message is sent. */
  add(message: UnsentMessage): void;
  /**
   * Called when a message was acknowledged, has failed, or was discarded. The message may be
   * unknown to this outbox.
   */
  remove(message: UnsentMessage): void;
}

/**
 * An outbox in `localStorage` or `sessionStorage`. Each message has its own key, so tabs that share
 * the storage do not overwrite each other's messages. Use a separate prefix for each server and
 * each name.
 */
export function storageOutbox(storage: Storage, prefix: string): Outbox;

/**
 * The codes of the protocol and those of this client. There may be more: treat an unknown code like
 * `internal`.
 */
export type ErrorCode =
  | 'bad_json' | 'unknown_type' | 'missing_field' | 'hello_first' | 'invalid_room' | 'invalid_username' | 'username_taken'
  | 'not_in_room' | 'already_in_room' | 'too_many_rooms' | 'message_too_large' | 'id_reused' | 'rate_limited' | 'unauthorized'
  | 'forbidden' | 'store_unavailable' | 'internal'
  /** The user is muted in that room; `until` says for how long. */
  | 'muted'
  /** The room is in slow mode; `retryAfterMs` says how long to wait. */
  | 'slow_mode'
  /** The message or the user does not exist, or the message is deleted. */
  | 'not_found'
  /** The message has the maximum number of different emoji. */
  | 'limit_reached'
  /** The name, or one that looks like it, belongs to an account. */
  | 'name_reserved'
  /** The function `token` has failed. */
  | 'no_token'
  /** There is no connection, or it ended before the server answered. */
  | 'disconnected'
  /** `close` was called. */
  | 'closed'
  /**
   * The client left the room before the server answered. It is not known whether a message was
   * stored.
   */
  | 'left_room'
  /** `queueLimit` messages have no ack. */
  | 'queue_full'
  /** The room's history was replaced while a page of it was read. A `joined` event follows. */
  | 'epoch_changed'
  /** A message of the outbox is older than 12 hours and was not sent; or the token has expired. */
  | 'expired'
  /** Reasons why a connection ended: */
  | 'lost' | 'silent' | 'timeout' | 'unreachable' | 'shutting_down' | 'server_full' | 'protocol' | 'no_sign_of_life'
  /** The user has too many sessions, or another session replaces this one. */
  | 'replaced'
  | 'too_slow' | 'bye'
  | (string & {});

export class ChatError extends Error {
  constructor(code: ErrorCode, message: string, details?: { closeCode?: number; retryAfterMs?: number; denied?: ChatError['denied']; until?: string });
  readonly name: 'ChatError';
  readonly code: ErrorCode;
  /** The WebSocket's close code, if a connection ended. */
  readonly closeCode?: number;
  /** How long to wait before trying again. */
  readonly retryAfterMs?: number;
  /** When a mute or a ban ends. Absent if it has no end. */
  readonly until?: string;
  /** What rules have against it, if `code` is `forbidden` for that. */
  readonly denied?: 'banned' | 'banned_from_server' | 'needs_account' | 'needs_role' | 'moderators_only' | 'owners_only' | 'direct_room' | (string & {});
}

export interface Limits {
  messageBytes: number;
  messagesPerSecond: number;
  burst: number;
  /** How many rooms a session may join. */
  rooms: number;
  /** How many sessions a user may have. With more, the one that was silent for longest ends. */
  sessions: number;
}

/** As whom the server knows a client. */
export interface User {
  /** Names repeat over time, ids do not. The ids of guests begin with `g_`. */
  id: string;
  /** The name as everyone sees it. */
  username: string;
  kind: 'guest' | 'account' | 'service' | (string & {});
  role: 'user' | 'moderator' | 'admin' | (string & {});
  /** The ids that the user had as a guest, before it had an account. */
  was?: string[];
}

export interface OpenStatus {
  state: 'open';
  /** An id for logs. It grants no access. */
  session: string;
  user: User;
  /** When the token of an account expires, RFC 3339; absent if it does not, and for guests. */
  expiresAt?: string;
  /** The server's name and version. */
  server: string;
  limits: Limits;
}

export type Status =
  | { state: 'idle' }
  | { state: 'connecting'; attempt: number }
  | OpenStatus
  /**
   * The connection ended or could not be made. The next attempt is at `retryAt` (ms since 1970),
   * `retryInMs` after this event. The wall clock may change in the meantime: measure a countdown
   * from `retryInMs` with `performance.now()`.
   */
  | { state: 'waiting'; reason: ChatError; retryAt: number; retryInMs: number; attempt: number }
  /** Final. */
  | { state: 'closed'; reason: ChatError };

export interface TextMessage {
  /** The message's number in the room. Numbers grow, with gaps: other events have numbers, too. */
  seq: number;
  /** Chosen by the sender. Unique together with the room and `user`. */
  id: string;
  /** The sender's name at that time. It may have another user now: compare `user`. */
  from: string;
  /** The sender's id. */
  user: string;
  /** Markdown as the sender wrote it. */
  body: string;
  /** Rendered and sanitised by the server, if it renders messages and the client asked for it. */
  html?: string;
  /** The message that this one replies to. It may be deleted. */
  reply_to?: ReplyTo;
  /** Whom the message addresses: ids of users, and `room` for everyone. Absent if nobody. */
  mentions?: string[];
  /** RFC 3339, in UTC. */
  sent_at: string;
  /** When the author last replaced the text. RFC 3339, in UTC. */
  edited_at?: string;
  /** The number of the last event that changed the message. */
  changed_seq?: number;
  /** In the order in which each emoji was first used. Absent if there are none. */
  reactions?: Reaction[];
  deleted?: undefined;
}

/** The message that another one replies to. */
export interface ReplyTo {
  seq: number;
  /** The name and the id of its author. */
  from: string;
  user: string;
}

/** One emoji on a message. */
export interface Reaction {
  emoji: string;
  /** How many users have put it there. */
  count: number;
  /** The names of some of them, at most 10. */
  users: string[];
  /** Whether the user of this client is one of them. */
  mine?: true;
}

/** What has become of one emoji on a message. */
export interface ReactionChange {
  emoji: string;
  /** How many users have it there now. 0: it is gone. */
  count: number;
  added: { username: string; user: string }[];
  removed: { username: string; user: string }[];
  /** Whether the user of this client has it there now. Absent if that has not changed. */
  mine?: boolean;
}

export interface DeletedMessage {
  seq: number;
  sent_at: string;
  deleted: true;
  by: DeletedBy;
  changed_seq: number;
  id?: undefined;
  user?: undefined;
}

export type DeletedBy = 'author' | 'moderator' | 'operator' | (string & {});

export type Message = TextMessage | DeletedMessage;

export interface Ack {
  id: string;
  seq: number;
  sentAt: string;
  /** False if the server keeps no history: a crash can lose the message. */
  stored: boolean;
}

export interface Member {
  username: string;
  /** The member's id. A later member of the same name has another one. */
  user: string;
  joinedAt: string;
}

export interface Since {
  epoch: string;
  seq: number;
}

export interface JoinOptions {
  /**
   * How many of the newest messages to return, at most 200: now, and whenever missed events cannot
   * be recovered. Default 0.
   */
  history?: number;
  /**
   * The last event that the application has applied: an earlier `Room.epoch` and `Room.seq`. If
   * `joined` says `recovered: true`, everything after it follows as events.
   */
  since?: Since;
  /** The code of an invite link, by which the user becomes a member of the room. */
  invite?: string;
}

/** The settings of a room. Treat a value that you do not know like the strictest one. */
export interface RoomInfo {
  /** What the room is called; `null`: by its name. To change it, `null` removes it. */
  title: string | null;
  /** What the room is about, in Markdown. */
  topic: string | null;
  /** The topic as HTML, only if the client was created with `render`. Safe to insert. */
  topicHtml?: string;
  /** Who can find the room. */
  visibility: 'public' | 'unlisted' | 'private' | 'direct' | (string & {});
  /** Who may join. */
  join: 'everyone' | 'accounts' | 'members' | (string & {});
  /** Who may post. */
  post: 'everyone' | 'accounts' | 'members' | 'moderators' | (string & {});
  /** How many seconds must pass between two messages of one user; 0: no time. */
  slowModeS: number;
  /** Who may address everyone with `@room`. */
  mentionRoom: 'moderators' | 'everyone' | (string & {});
}

/** A link that invites users into a room. */
export interface InviteLink {
  /** For the option `invite` of `join`: a secret. */
  invite: string;
  uses: number;
  expiresAt: string;
}

/** A message that a user has reported. */
export interface Report {
  number: number;
  at: string;
  /** The room, in a page of all rooms. */
  room?: string;
  /** Who has reported it. */
  by: string;
  /** The number of the message, its sender, and its text at that time. No text: it was erased. */
  target: number;
  user: string;
  from: string;
  body?: string;
  reason?: string;
}

export interface ReportsPage {
  reports: Report[];
  more: boolean;
}

/** Something that was done in a room, or on the whole server. */
export interface AuditRecord {
  number: number;
  at: string;
  /** The room, in a page of all rooms. Absent there: the whole server. */
  room?: string;
  /** Absent: the operator. */
  by?: string;
  act: string;
  username?: string;
  user?: string;
  /** The number of the message or of the report. */
  target?: number;
  role?: string;
  until?: string;
  reason?: string;
}

export interface AuditPage {
  records: AuditRecord[];
  more: boolean;
}

/** A public room. */
export interface DirectoryEntry {
  room: string;
  title: string | null;
  topic: string | null;
  /** The topic as HTML, only if the client was created with `render`. Safe to insert. */
  topicHtml?: string;
  /** How many users are in the room now. */
  members: number;
  lastMessageAt?: string;
}

export interface DirectoryPage {
  rooms: DirectoryEntry[];
  more: boolean;
}

export type Role = 'member' | 'moderator' | 'owner';

/** What the user is in a room. */
export interface Standing {
  role: Role | (string & {}) | null;
  muted: boolean;
  /** When the mute ends. Absent if a moderator has to end it. */
  mutedUntil?: string;
}

/** What a moderator does to a user. */
export type Moderation = 'kick' | 'ban' | 'unban' | 'mute' | 'unmute' | 'warn';

/** Whom a moderator means: one of `user` (an id) and `target` (the number of a message). */
export interface Whom {
  user?: string;
  target?: number;
  /** At most 300 characters. */
  reason?: string;
  /** For how long a ban or a mute holds. Absent: until it is ended. */
  seconds?: number;
}

export interface RolesPage {
  roles: { username: string; user: string; role: Role | (string & {}) }[];
  more: boolean;
}

export interface Joined {
  room: Room;
  epoch: string;
  /** The number of the room's newest event. Live events begin after it. */
  seq: number;
  /** Messages with a smaller number are gone. Drop those that you have. */
  oldest: number;
  /** The settings of the room. */
  info: RoomInfo | null;
  /** True after a reconnect, after missed events, or with `since`. */
  rejoined: boolean;
  /**
   * True: what you have is still valid. The missed events follow at once, as `changed` and
   * `message`. False: discard all messages of the room and start again with `messages`.
   */
  recovered: boolean;
  /** The newest messages, oldest first, as many as `history` asked for. Empty if `recovered`. */
  messages: Message[];
  /** The range of numbers that was sent: every message in it that exists is in `messages`. */
  first: number;
  last: number;
}

export interface HistoryQuery {
  /** The newest messages before this seq. */
  before?: number;
  /** The oldest messages after this seq. */
  after?: number;
  /** Default 50, at most 200. */
  limit?: number;
}

export interface HistoryPage {
  epoch: string;
  /** The range that the page covers. To read on, use `after: last` or `before: first`. */
  first: number;
  last: number;
  /** Oldest first. */
  messages: Message[];
  /** Whether there are more messages in the requested direction. */
  more: boolean;
}

export interface SearchOptions {
  /** Only messages of this room, which the client has joined. Default: all rooms of the user. */
  room?: string;
  /** Only messages of the user with this name. */
  from?: string;
  /** `SearchPage.before` of the previous page. */
  before?: string;
  limit?: number;
}

export interface SearchPage {
  /** Newest first. */
  messages: (TextMessage & { room: string })[];
  /**
   * Whether there is another page: ask again with `before`. A page may have few messages, or none,
   * and still have another one after it.
   */
  more: boolean;
  before?: string;
}

export interface MembersQuery {
  /** Names after this one. */
  after?: string;
  prefix?: string;
  /** Default 100, at most 200. */
  limit?: number;
}

export interface MembersPage {
  /** Ordered by name. */
  members: Member[];
  /** The total number of members. */
  memberCount: number;
  more: boolean;
}

export interface SendOptions {
  /** The id of the message. Default: a random one. */
  id?: string;
  /** The number of the message that this one replies to. If it is gone, `send` fails. */
  replyTo?: number;
}

/**
 * A promise of the ack, with the message's id. You need not handle its rejection: `outgoing`
 * reports it too.
 */
export type Sending = Promise<Ack> & { readonly id: string };

export type Outgoing = {
  room: Room;
  id: string;
  body: string;
  /** The number of the message that it replies to. */
  replyTo?: number;
  /** In ms since 1970. */
  createdAt: number;
  /** Whether the message is in the outbox. If not, it is lost when the page goes away. */
  saved: boolean;
  /** Whether the message comes from the outbox: it was sent before a reload. */
  restored: boolean;
} & (
  | { state: 'pending' }
  /**
   * `ack.seq <= room.seq`: the message was stored earlier. Usually `ack.seq` is larger, and a
   * `message` event follows.
   */
  | { state: 'acked'; ack: Ack }
  | { state: 'failed'; error: ChatError }
);

/**
 * The events of a room. None comes before its `joined` or after its `left`, except `outgoing` with
 * `state: 'failed'`.
 */
export interface RoomEvents {
  /**
   * The client has joined the room: the first time, after each reconnect, and after it has noticed
   * that it missed events.
   */
  joined: Joined;
  /**
   * Each message once, in the order of `seq`. `missed`: it was sent while the client was
   * disconnected or missed events, and may be deleted already.
   */
  message: { room: Room; message: Message; missed: boolean };
  /** The author has replaced the text of the message `target`, and with it the mentions. */
  edited: { room: Room; seq: number; target: number; body: string; html?: string; mentions?: string[]; edited_at: string };
  /** Users have put emoji on the message `target`, or removed them. */
  reactions: { room: Room; seq: number; target: number; changes: ReactionChange[] };
  /** The messages `targets` were deleted by event number `seq`. */
  deleted: { room: Room; seq: number; targets: number[]; by: DeletedBy };
  /** The settings of the room, which have changed, or may have. */
  roomChanged: { room: Room; info: RoomInfo; by?: string };
  /** The user's role in the room has changed, or it was muted or may post again. */
  standing: { room: Room; standing: Standing };
  /** New states of earlier messages, after missed events. Replace those that you have. */
  changed: { room: Room; messages: Message[] };
  /** Your own messages, from the call of `send` to the ack. */
  outgoing: Outgoing;
  /**
   * Members joined or left. `Room.members` is already up to date. A name that was taken by another
   * user in the meantime is in `joined` only.
   */
  presence: { room: Room; joined: Member[]; left: string[]; memberCount: number; partial: boolean };
  /** `Room.members` was read again. */
  members: { room: Room };
  typing: { room: Room; username: string };
  /** After a reconnect the room cannot be joined yet. The client retries at `retryAt`. */
  rejoinDelayed: { room: Room; error: ChatError; retryAt: number };
  /**
   * The client is no longer in the room, and it will not rejoin by itself. `until` is when a ban
   * ends.
   */
  left: { room: Room; reason: 'asked' | 'kicked' | 'banned' | 'room_closed' | 'not_allowed' | 'refused' | 'closed' | (string & {}); error?: ChatError; until?: string };
}

/** A room in the list of a user with an account. */
export interface ListEntry {
  room: string;
  /** Joining an `invitation` accepts it; `keep` with `favourite: false` declines it. */
  kind: 'room' | 'private' | 'direct' | 'invitation' | (string & {});
  title: string | null;
  /** The name of the other user of a direct room. */
  with: string | null;
  /** The user's role in the room. */
  role: Role | (string & {}) | null;
  /** Who has invited the user. */
  by: string | null;
  /** When an invitation ends. */
  expiresAt?: string;
  favourite: boolean;
  /** What the user wants to be notified of. */
  notify: 'all' | 'mentions' | 'none' | (string & {});
  /** The epoch to which the numbers belong. */
  epoch: string;
  /** The number of the newest event. In a joined room, `Room.seq` is newer. */
  newest: number;
  /** The number of the newest message that the user has read, on any device. */
  readUpTo: number;
  /** How many messages of others come after it, at most 100. */
  unread: number;
  mentions: number;
  /**
   * The number of the newest message that the other user of a direct room has read. `null` in other
   * rooms, and if the other user has not read anything yet.
   */
  seenUpTo: number | null;
}

/** What the operator says to all users until it is withdrawn. */
export interface Announcement {
  /** An announcement does not change; another one has another id. */
  id: string;
  level: 'info' | 'warning' | (string & {});
  /** Markdown. */
  body: string;
  /** Only if the client was created with `render`. Safe to insert into a page. */
  html?: string;
}

export interface ClientEvents extends RoomEvents {
  state: Status;
  /** The list of the user's rooms, after each `welcome`. Guests have none. */
  list: ReadonlyMap<string, ListEntry>;
  /** A room is in the list, or its entry has changed: by this client or another one of the user. */
  kept: { entry: ListEntry };
  dropped: { room: string };
  /** The user has read up to this number, here or on another device. */
  read: { room: string; epoch: string; upTo: number; unread: number; mentions: number };
  /** The other user of a direct room has read up to this number. */
  seen: { room: string; username: string; epoch: string; upTo: number };
  /** News in a room of the list that this client has not joined; at most one a second. */
  inbox: { room: string; upTo: number; unread: number; mentions: number; from?: string };
  /**
   * A moderator has warned the user. Show it until the user has seen it. Without a `room`: on the
   * whole server.
   */
  warned: { room?: string; by?: string; reason?: string; at: string };
  /** The user has blocked another one, on any device, or hears it again. */
  blocked: { user: string; username: string | null; on: boolean };
  /** The user is invited into a room. Joining it accepts the invitation. */
  invited: { room: string; title: string | null; by: string | null; expiresAt: string };
  /**
   * The announcement of the operator has changed: `null` if it was withdrawn. Show it until then,
   * or until the user dismisses it.
   */
  announcement: Announcement | null;
  /** A notice by an admin, sent once. Without a `room` it is for everyone. */
  notice: { room: Room | undefined; level: 'info' | 'warning' | (string & {}); body: string };
  /** The server reported an error that belongs to no command. */
  error: ChatError;
}

declare class Emitter<Events> {
  /**
   * Adds a listener. Call the returned function to remove it. An exception in a listener is
   * reported, and the other listeners still run.
   */
  on<Type extends keyof Events>(type: Type, listener: (event: Events[Type]) => void): () => void;
  once<Type extends keyof Events>(type: Type, listener: (event: Events[Type]) => void): () => void;
  off<Type extends keyof Events>(type: Type, listener: (event: Events[Type]) => void): void;
}

/** A room that the client has joined. */
export class Room extends Emitter<RoomEvents> {
  private constructor();
  readonly name: string;
  /** `rejoining`: the connection is down, or the server does not admit the client yet. */
  readonly state: 'joining' | 'in' | 'rejoining' | 'left';
  /** The cursor: the epoch, and the number of the last event of the room that was applied. */
  readonly epoch: string | null;
  readonly seq: number;
  /** The settings of the room; `null` until it is joined, and from servers that have none. */
  readonly info: RoomInfo | null;
  /** The user's role in the room, and whether it is muted. */
  readonly standing: Standing;
  /** By name. A live view. */
  readonly members: ReadonlyMap<string, Member>;
  readonly memberCount: number;
  /**
   * Whether `members` is a sample: in rooms over `memberLimit`, and when more than 500 members join
   * or leave at once.
   */
  readonly partial: boolean;
  send(body: string, options?: SendOptions): Sending;
  /**
   * Replaces the text of an own message. Resolves with the number of the event, or with `null` if
   * the message has this text already.
   */
  edit(target: number, body: string): Promise<number | null>;
  /** Deletes an own message, or as a moderator any message. As for `edit`. */
  delete(target: number): Promise<number | null>;
  /**
   * Puts an emoji (or its short code) on a message, or with `on: false` removes it. As for `edit`.
   */
  react(target: number, emoji: string, on?: boolean): Promise<number | null>;
  /** As `ChatClient.configureRoom`, `setRole`, `roles` and `moderate`. */
  configure(settings: Partial<RoomInfo>): Promise<number | null>;
  setRole(user: string, role: Role | null): Promise<void>;
  roles(query?: { after?: string; limit?: number }): Promise<RolesPage>;
  moderate(action: Moderation, whom: Whom): Promise<void>;
  /** As the methods of `ChatClient`. */
  invite(username: string): Promise<void>;
  inviteLink(options?: { uses?: number; seconds?: number }): Promise<InviteLink>;
  endInviteLinks(): Promise<void>;
  report(target: number, reason?: string): Promise<void>;
  reports(query?: { before?: number; limit?: number }): Promise<ReportsPage>;
  closeReport(number: number): Promise<void>;
  audit(query?: { before?: number; limit?: number }): Promise<AuditPage>;
  history(query?: HistoryQuery): Promise<HistoryPage>;
  listMembers(query?: MembersQuery): Promise<MembersPage>;
  /** Reads `members` again, up to `limit` names. */
  refreshMembers(limit?: number): Promise<void>;
  /** Call it as often as you like: at most one report is sent in 3 s. */
  typing(): void;
  leave(): Promise<void>;
}

/** What an event has changed in a `MessageList`. */
export type ListChange =
  | { kind: 'replaced' }
  /** At the end, at the beginning, and from the beginning. */
  | { kind: 'appended' | 'prepended' | 'dropped'; count: number }
  /** The new states of these messages. */
  | { kind: 'changed'; messages: Message[] };

/**
 * The messages of one room that a program holds: without a gap, each in its newest state. The
 * client itself holds none.
 */
export class MessageList {
  /** Oldest first. A live view. */
  readonly items: readonly Message[];
  /** The list has every message from this number on. */
  readonly first: number;
  /** Whether the server may have older messages. */
  readonly more: boolean;
  /** The index of the first message with this number or a larger one. */
  indexFrom(seq: number): number;
  /**
   * Applies an event of the room: `joined`, `message`, `edited`, `reactions`, `changed` or
   * `deleted`. Others change nothing.
   */
  apply<Type extends keyof RoomEvents>(type: Type, event: RoomEvents[Type]): ListChange | null;
  /** Inserts the answer to `history({ before })`. Ignored unless `before` is still `first`. */
  prepend(page: HistoryPage, before: number): ListChange | null;
  /** Removes this many of the oldest messages, to save memory. They can be read again. */
  dropOldest(count: number): ListChange | null;
}

export class ChatClient extends Emitter<ClientEvents> {
  constructor(options: ChatClientOptions);
  readonly status: Status;
  /** The name as everyone sees it. */
  readonly username: string;
  /** As whom the server knows this client. `null` before the first session. */
  readonly user: User | null;
  /**
   * The secret of the guest, made by the client or passed as an option. Anyone who has it can act
   * as this guest: store it where only this user can read it. `null` if the client has a `token`
   * and no guest token.
   */
  readonly guestToken: string | null;
  /** Whether this is an id of the user: the present one, or one that the user had as a guest. */
  isMine(id: string): boolean;
  /** The user's rooms by name, a live view. `null` before they have arrived, and for guests. */
  readonly list: ReadonlyMap<string, ListEntry> | null;
  /**
   * The users whom the user has blocked, a live view: hide their messages. By id, with the name
   * that each had then; `null` for a guest who was not connected.
   */
  readonly blocked: ReadonlyMap<string, string | null>;
  /**
   * Keeps a room in the list, on all devices of the user, or changes its entry. A new entry is read
   * up to its newest event. With `favourite: false` it is removed: resolves with `null`.
   */
  keep(room: string, change?: { favourite?: boolean; notify?: ListEntry['notify'] }): Promise<ListEntry | null>;
  /**
   * Marks the messages of a room in the list as read, up to this number. `epoch` is needed if the
   * room is not joined.
   */
  markRead(room: string, upTo: number, epoch?: string): Promise<void>;
  /** The announcement of the operator; `null` if there is none, and before the first session. */
  readonly announcement: Announcement | null;
  readonly rooms: Room[];
  /** How many messages have no ack, including `unsent`. */
  readonly queued: number;
  /** Messages of the outbox whose room has not been joined yet, oldest first. */
  readonly unsent: UnsentMessage[];
  /**
   * Resolves with the first session. From then on the client reconnects by itself. Rejects if there
   * will be no session.
   */
  connect(): Promise<OpenStatus>;
  /** Reconnects now instead of waiting. If there is a connection, checks it with a ping. */
  reconnect(): void;
  /** Leaves all rooms and closes the connection, for good. The outbox keeps unsent messages. */
  close(): void;
  room(name: string): Room | undefined;
  /**
   * May be called before there is a connection. `message` events may come before the promise's
   * continuation runs: see `joined`.
   */
  join(room: string, options?: JoinOptions): Promise<Joined>;
  leave(room: string): Promise<void>;
  /**
   * The message is sent under one id until it is acknowledged or refused, or the room is left. It
   * is stored once.
   */
  send(room: string, body: string, options?: SendOptions): Sending;
  /** Removes one of `unsent` from the outbox: it will not be sent. */
  discardUnsent(id: string): void;
  /** As `Room.edit`, `Room.delete` and `Room.react`. */
  edit(room: string, target: number, body: string): Promise<number | null>;
  delete(room: string, target: number): Promise<number | null>;
  react(room: string, target: number, emoji: string, on?: boolean): Promise<number | null>;
  /**
   * Registers a room that the client has joined: the user becomes its owner. Rejects with
   * `forbidden` if the user is a guest, or the room has an owner or is in use.
   */
  createRoom(room: string, settings?: Partial<RoomInfo>): Promise<number | null>;
  /**
   * Changes settings of a room; those that are absent stay. Resolves with the number of the event,
   * or with `null` if nothing changes. Rejects with `forbidden` unless the user is an owner.
   */
  configureRoom(room: string, settings: Partial<RoomInfo>): Promise<number | null>;
  /** Gives a user a role in a room; `null` takes it away. */
  setRole(room: string, user: string, role: Role | null): Promise<void>;
  /** The users who have a role in a room, ordered by their ids; 100 if `limit` is absent. */
  roles(room: string, query?: { after?: string; limit?: number }): Promise<RolesPage>;
  /**
   * Removes, bans, mutes or warns a user, or ends a ban or a mute. When it resolves, it is in
   * effect. With `null` instead of a room it is on the whole server, for its moderators.
   */
  moderate(room: string | null, action: Moderation, whom: Whom): Promise<void>;
  /**
   * Creates a private room, whose owner is the user. Resolves with its address, which is random:
   * join it next.
   */
  createPrivate(settings: Partial<RoomInfo> & { title: string }): Promise<string>;
  /** Invites a user with an account, who becomes a member by joining the room. */
  invite(room: string, username: string): Promise<void>;
  /**
   * Makes a link by which `uses` users (1 if absent, at most 1000) become members, within `seconds`
   * (7 days if absent, at most 30 days).
   */
  inviteLink(room: string, options?: { uses?: number; seconds?: number }): Promise<InviteLink>;
  /** Ends all links of a room. */
  endInviteLinks(room: string): Promise<void>;
  /** Shows the moderators of a room a message. They get a copy. */
  report(room: string, target: number, reason?: string): Promise<void>;
  /**
   * The open reports in a room, or in all rooms, newest first; 50 if `limit` is absent. For
   * moderators, and those of all rooms for moderators of the server.
   */
  reports(room?: string | null, query?: { before?: number; limit?: number }): Promise<ReportsPage>;
  closeReport(room: string, number: number): Promise<void>;
  /**
   * What was done in a room, or in all rooms and on the server itself, newest first; 50 if `limit`
   * is absent. For moderators, and what was done everywhere for moderators of the server.
   */
  audit(room?: string | null, query?: { before?: number; limit?: number }): Promise<AuditPage>;
  /**
   * Silences a user, or lets it be heard again: no invitation, unread count or mention comes of it.
   * Its messages still come: hide those of `blocked`.
   */
  block(user: string, on?: boolean): Promise<void>;
  /** Opens the direct room with another user who has an account: join `room` next. */
  direct(username: string): Promise<{ room: string; with: string; user: string }>;
  /**
   * The public rooms, those with the newest messages first; 50 if `limit` is absent. `after` is how
   * many the pages before had.
   */
  directory(query?: { query?: string; after?: number; limit?: number }): Promise<DirectoryPage>;
  /**
   * Searches for messages that have all words of the query. Rejects with `forbidden` if the server
   * keeps no history, and with `missing_field` if the query has no word.
   */
  search(query: string, options?: SearchOptions): Promise<SearchPage>;
  history(room: string, query?: HistoryQuery): Promise<HistoryPage>;
  members(room: string, query?: MembersQuery): Promise<MembersPage>;
  refreshMembers(room: string, limit?: number): Promise<void>;
  typing(room: string): void;
}
