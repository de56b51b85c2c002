/** Options of a `ChatClient`. */
export interface ChatClientOptions {
  /** Under which name. The same in every room. */
  username: string;
  /** The server's `/ws`, as `ws:`, `wss:`, `http:` or `https:`. Without it, `/ws` of the page's own server. */
  url?: string | URL;
  /** Who one is, for servers that ask. */
  token?: string;
  /** Free text for the server's log. */
  client?: string;
  /** Whether messages shall come with `html`, where the server renders. Default false. */
  render?: boolean;
  /** So many messages may wait for their ack; the next one is refused with `queue_full`. Default 500. */
  queueLimit?: number;
  /** A gap of more messages than this is told as `gap`, and not filled from history. Default: every gap is filled. */
  gapLimit?: number;
  /** In rooms of up to so many members the list is read to its end. Default 1,000. */
  memberLimit?: number;
  /** Pauses before coming back: anything up to `baseMs` times 2 to the power of failures, never over `capMs`. Default 500 and 30,000. */
  backoff?: { baseMs: number; capMs: number };
  /**
   * Such as `sessionStorage`: the session's secret is written there when the page goes away, and taken out when it is loaded again, so
   * that a reload takes its own seats over. Never `localStorage`, which all tabs share.
   */
  storage?: Pick<Storage, 'getItem' | 'setItem' | 'removeItem'> | null;
  /** Default `chatd.session`. */
  storageKey?: string;
  /** Where there is no global `WebSocket`: the one of the package `ws`. */
  WebSocket?: unknown;
  /** The page whose events (`online`, `pagehide` and so on) are watched. Default: this one, if there is one; null: none. */
  page?: { window: EventTarget; document: EventTarget } | null;
  /** Draws from 0 to 1, for the jitter of the pauses. */
  random?: () => number;
}

/** The codes of the protocol, and this client's own. There may be more: take one you do not know for `internal`. */
export type ErrorCode =
  | 'bad_json' | 'unknown_type' | 'missing_field' | 'hello_first' | 'invalid_room' | 'invalid_username' | 'username_taken'
  | 'not_in_room' | 'already_in_room' | 'too_many_rooms' | 'message_too_large' | 'id_reused' | 'rate_limited' | 'unauthorized'
  | 'forbidden' | 'store_unavailable' | 'internal'
  /** There is no connection at present, or it ended before the answer came. */
  | 'disconnected'
  /** `close` was called. */
  | 'closed'
  /** The room was left before the answer came. Whether a message was stored is not known. */
  | 'left_room'
  /** `queueLimit` messages have no ack. */
  | 'queue_full'
  /** Reasons of a connection's end: */
  | 'lost' | 'silent' | 'timeout' | 'unreachable' | 'shutting_down' | 'server_full' | 'protocol' | 'no_sign_of_life' | 'taken_over'
  | 'too_slow' | 'bye'
  | (string & {});

export class ChatError extends Error {
  constructor(code: ErrorCode, message: string, details?: { closeCode?: number; retryAfterMs?: number });
  readonly name: 'ChatError';
  readonly code: ErrorCode;
  /** The WebSocket's close code, where a connection ended. */
  readonly closeCode?: number;
  /** When it is worth trying again. */
  readonly retryAfterMs?: number;
}

export interface Limits {
  messageBytes: number;
  messagesPerSecond: number;
  burst: number;
  rooms: number;
}

export interface OpenStatus {
  state: 'open';
  /** An id for logs. It grants nothing. */
  session: string;
  /** The name as everyone sees it. */
  username: string;
  /** The server's name and version. */
  server: string;
  limits: Limits;
}

export type Status =
  | { state: 'idle' }
  | { state: 'connecting'; attempt: number }
  | OpenStatus
  /** The connection ended or did not come about; the next try is at `retryAt`, in ms since 1970. */
  | { state: 'waiting'; reason: ChatError; retryAt: number; attempt: number }
  /** For good. */
  | { state: 'closed'; reason: ChatError };

export interface SaidMessage {
  seq: number;
  /** The sender's. Unique together with the room and `from`. */
  id: string;
  from: string;
  /** Markdown as it was written. */
  body: string;
  /** Rendered and sanitised by the server, where it does that and was asked to. */
  html?: string;
  /** RFC 3339, in UTC. */
  sent_at: string;
  erased?: undefined;
}

export interface ErasedMessage {
  seq: number;
  sent_at: string;
  erased: true;
}

export type Message = SaidMessage | ErasedMessage;

export interface Ack {
  id: string;
  seq: number;
  sentAt: string;
  /** False where the server keeps no history: a crash can take the message back. */
  stored: boolean;
}

export interface Member {
  username: string;
  joinedAt: string;
}

export interface Since {
  epoch: string;
  seq: number;
}

export interface JoinOptions {
  /** How many of the newest messages, at most 200. Default 0. */
  history?: number;
  /** The last message that the application has: what came after it is told as `message` events. */
  since?: Since;
}

export interface Joined {
  room: Room;
  epoch: string;
  /** The newest message's; what is live begins behind it. */
  seq: number;
  /** Whether there was something before: after a reconnect, or with `since`. What was missed then follows as `message` events. */
  rejoined: boolean;
  /** The newest messages, as many as were asked for, oldest first. Empty where `rejoined`. */
  messages: Message[];
}

export interface HistoryQuery {
  /** The newest of those before this seq. */
  before?: number;
  /** The oldest of those after this seq. */
  after?: number;
  /** Default 50, at most 200. */
  limit?: number;
}

export interface HistoryPage {
  epoch: string;
  /** Oldest first. */
  messages: Message[];
  /** Whether there are more in the direction that was asked for. */
  more: boolean;
}

export interface MembersQuery {
  /** Those whose names come after this one. */
  after?: string;
  prefix?: string;
  /** Default 100, at most 200. */
  limit?: number;
}

export interface MembersPage {
  /** By name. */
  members: Member[];
  /** Of all who are there. */
  memberCount: number;
  more: boolean;
}

/** A promise of the ack that knows the message's id. Its refusal need not be handled: `outgoing` tells it as well. */
export type Sending = Promise<Ack> & { readonly id: string };

export type Outgoing = { room: Room; id: string; body: string } & (
  | { state: 'pending' }
  | { state: 'acked'; ack: Ack }
  | { state: 'failed'; error: ChatError }
);

/** What happens in a room. Nothing of a room comes before its `joined` or after its `left`, but for failing `outgoing`. */
export interface RoomEvents {
  /** The session is in the room: the first time, and after each reconnect. */
  joined: Joined;
  /** Each message once, in the order of `seq`. `missed`: it was said while the line was down. */
  message: { room: Room; message: Message; missed: boolean };
  /** After a reconnect: everything that was missed has been told. */
  recovered: { room: Room; count: number };
  /** Messages between these two, neither included, are not told. */
  gap: { room: Room; after: number; before: number };
  /** The room's history is another one: what was told before is void. `messages` are the newest of it, as many as `join` asked for. */
  reset: { room: Room; epoch: string; messages: Message[] };
  /** One's own messages on their way. */
  outgoing: Outgoing;
  /** Who came and who went; `Room.members` is up to date by then. */
  presence: { room: Room; joined: Member[]; left: string[]; memberCount: number; partial: boolean };
  /** `Room.members` was read anew. */
  members: { room: Room };
  typing: { room: Room; username: string };
  /** After a reconnect the room can't be joined yet; the client tries again at `retryAt`. */
  rejoinDelayed: { room: Room; error: ChatError; retryAt: number };
  /** One is not in the room any more, and the client will not join it again by itself. */
  left: { room: Room; reason: 'asked' | 'kicked' | 'banned' | 'room_closed' | 'refused' | 'closed' | (string & {}); error?: ChatError };
}

export interface ClientEvents extends RoomEvents {
  state: Status;
  /** The operator says something: to everyone where `room` is null. */
  notice: { room: Room | null; level: 'info' | 'warning' | (string & {}); body: string };
  /** The server refused something that nothing answers. */
  error: ChatError;
}

declare class Emitter<Events> {
  /** Listens; the answer stops it. What a listener throws is reported and stops nothing. */
  on<Type extends keyof Events>(type: Type, listener: (event: Events[Type]) => void): () => void;
  once<Type extends keyof Events>(type: Type, listener: (event: Events[Type]) => void): () => void;
  off<Type extends keyof Events>(type: Type, listener: (event: Events[Type]) => void): void;
}

/** A room, for as long as one is in it. */
export class Room extends Emitter<RoomEvents> {
  private constructor();
  readonly name: string;
  /** `rejoining`: the line is down, or the room does not let us in again yet. */
  readonly state: 'joining' | 'in' | 'rejoining' | 'left';
  readonly epoch: string | null;
  /** The newest message that was told. */
  readonly seq: number;
  /** By name: a live view. */
  readonly members: ReadonlyMap<string, Member>;
  readonly memberCount: number;
  /** Whether `members` is a sample only: in rooms over `memberLimit`, and where more than 500 come and go. */
  readonly partial: boolean;
  send(body: string, options?: { id?: string }): Sending;
  history(query?: HistoryQuery): Promise<HistoryPage>;
  listMembers(query?: MembersQuery): Promise<MembersPage>;
  /** Reads `members` anew, up to `limit` names. */
  refreshMembers(limit?: number): Promise<void>;
  /** As often as one likes: at most one in 3 s is sent. */
  typing(): void;
  leave(): Promise<void>;
}

export class ChatClient extends Emitter<ClientEvents> {
  constructor(options: ChatClientOptions);
  readonly status: Status;
  readonly username: string;
  readonly rooms: Room[];
  /** How many messages have no ack. */
  readonly queued: number;
  /** Resolves with the first session. From then on the client comes back by itself. Rejects when there will be no session. */
  connect(): Promise<OpenStatus>;
  /** Tries again now, where a pause is being waited for; else asks for a sign of life. */
  reconnect(): void;
  /** Leaves everything, for good. */
  close(): void;
  room(name: string): Room | undefined;
  /** May be called before there is a connection. Messages may be told before the promise's continuation runs: see `joined`. */
  join(room: string, options?: JoinOptions): Promise<Joined>;
  leave(room: string): Promise<void>;
  /** Sent under one id until it is acked, refused, or the room is left: it is stored once. */
  send(room: string, body: string, options?: { id?: string }): Sending;
  history(room: string, query?: HistoryQuery): Promise<HistoryPage>;
  members(room: string, query?: MembersQuery): Promise<MembersPage>;
  refreshMembers(room: string, limit?: number): Promise<void>;
  typing(room: string): void;
}
