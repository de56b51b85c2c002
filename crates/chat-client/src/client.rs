//! The handle of a client.

mod moderation;
mod rooms;

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use chat_protocol::v2::{
    Command, Delete, Edit, Found, HistoryPage, MarkRead, MembersPage, React, Read, RoomListEntry, Since, User,
};
use chat_protocol::{Emoji, GuestToken, MessageId, RoomName};
use rand::TryRng;
use rand::rngs::SysRng;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use crate::command::{Class, CommandQueue, PendingReply, Request, Responder};
use crate::connection::{Link, dial};
use crate::driver::Driver;
use crate::events::Events;
use crate::model::{
    CommandError, ConnectError, CounterCells, Counters, Draft, JoinOptions, Joined, KeepRoom, MembersQuery,
    Options, Page, SearchQuery,
};
use crate::receipt::Receipt;
use crate::session::Session;

/// The maximum number of commands in flight, without messages.
const MAX_CALLS: usize = 64;

/// The handle of a client. Clones are handles of the same client. A task of the client owns the
/// connection, and replaces it when it breaks.
///
/// When the last handle is dropped, the client closes as if by [`close`](Self::close).
#[derive(Clone)]
pub struct Client {
    shared: Arc<Shared>,
}

struct Shared {
    /// To the task.
    queue: Arc<CommandQueue>,
    /// Updated by the task.
    counters: Arc<CounterCells>,
    /// From the task: the user as whom the newest session acts.
    user: watch::Receiver<User>,
    /// The secret of a guest. `None` if the user has an account.
    guest_token: Option<GuestToken>,
    /// To the task: true once the client must close. Dropped with the last handle.
    closing: watch::Sender<bool>,
    /// From the task: true once the client is closed for good.
    done: watch::Receiver<bool>,
}

impl Client {
    /// Connects and begins a session. Must be called in a tokio runtime with time and I/O, on which
    /// the client's task then runs. Whenever the connection ends, the client reconnects, until it
    /// is closed. Cancel-safe: if this is dropped before it resolves, there is no client.
    ///
    /// # Errors
    /// [`ConnectError`] if the first attempt fails: it is not repeated.
    ///
    /// ```no_run
    /// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
    /// use chat_client::{Client, Options};
    ///
    /// let options = Options::new("ws://127.0.0.1:8000/ws", "ana".parse()?);
    /// let (client, mut events) = Client::connect(options).await?;
    /// println!("{:?}", events.next().await);
    /// # Ok(()) }
    /// ```
    pub async fn connect(mut options: Options) -> Result<(Self, Events), ConnectError> {
        options.guest_token = guest_token(&options)?;
        let guest_token = options.guest_token.clone();
        let options = Arc::new(options);
        let counters = Arc::new(CounterCells::default());
        let mut session = Session::new(Arc::clone(&options), Arc::clone(&counters), rand::random::<f64>);
        let (wire, welcome) = dial(&options, session.hello()).await?;
        let (user_sender, user) = watch::channel(welcome.user.clone());
        session.on_connected(welcome, Instant::now());

        let (queue, commands) = CommandQueue::new(options.max_in_flight, MAX_CALLS);
        let (event_sender, events) = mpsc::channel(options.event_buffer);
        let (closing, close_requested) = watch::channel(false);
        let (is_done, done) = watch::channel(false);
        let driver = Driver {
            options,
            session,
            link: Link::Connected(wire),
            queue: Arc::clone(&queue),
            commands,
            events: event_sender,
            closing: close_requested,
            close_by: None,
            user: user_sender,
            done: is_done,
        };
        tokio::spawn(driver.run());
        let shared = Shared { queue, counters, user, guest_token, closing, done };
        Ok((Self { shared: Arc::new(shared) }, Events::new(events)))
    }

    /// Joins a room, and rejoins it after every reconnect until it is left. While the client is not
    /// connected, the join waits, and messages to the room wait as well.
    ///
    /// Not cancel-safe: if this is dropped before it resolves, the room may be joined anyway, which
    /// [`Event::Joined`](crate::Event::Joined) reports.
    ///
    /// # Errors
    /// [`CommandError::Refused`]: the name is taken in that room (the first join is not repeated),
    /// the session is already in the room or is leaving it, it is in too many rooms, or it is not
    /// allowed to join. [`CommandError::LeftRoom`] if the room was left meanwhile.
    /// [`CommandError::Closed`].
    ///
    /// ```no_run
    /// # async fn run(client: chat_client::Client) -> Result<(), Box<dyn std::error::Error>> {
    /// use chat_client::JoinOptions;
    ///
    /// let joined = client.join(&"lobby".parse()?, JoinOptions::default().history(50)).await?;
    /// println!("{} members, {} messages", joined.member_count, joined.messages.len());
    /// # Ok(()) }
    /// ```
    pub async fn join(&self, room: &RoomName, options: JoinOptions) -> Result<Arc<Joined>, CommandError> {
        let (room, JoinOptions { history, invite }) = (room.clone(), options);
        self.call(move |responder| Request::Join { room, invite, history, responder }).await
    }

    /// Leaves a room. Messages that were sent to it before are written before. Those without an ack
    /// by then fail with [`CommandError::LeftRoom`]. Without a connection, this resolves at once.
    ///
    /// Not cancel-safe: if this is dropped before it resolves, the room may be left anyway.
    ///
    /// # Errors
    /// [`CommandError::Refused`] with [`NotInRoom`](chat_protocol::v2::ErrorCode::NotInRoom);
    /// [`CommandError::Closed`].
    ///
    /// ```no_run
    /// # async fn run(client: chat_client::Client) -> Result<(), Box<dyn std::error::Error>> {
    /// client.leave(&"lobby".parse()?).await?;
    /// # Ok(()) }
    /// ```
    pub async fn leave(&self, room: &RoomName) -> Result<(), CommandError> {
        let room = room.clone();
        self.call(move |responder| Request::Leave { room, responder }).await
    }

    /// Sends a message to a room. The position of the message in the order is fixed when this
    /// returns. The [`Receipt`] resolves when the message is stored. After a reconnect the message
    /// is sent again, always under the same random id, so that it is stored and delivered once.
    ///
    /// The messages of a room are sent in the order of the calls, also after a reconnect, and once
    /// the room is joined. If the server's store does not answer, the message and all later ones
    /// to that room wait, and are sent again after a delay under the same id. Only messages in
    /// flight may overtake it.
    ///
    /// [`Options::max_in_flight`] limits the messages without an ack. Further messages wait for
    /// capacity, owned by their receipts. [`Receipt::accepted`] waits for capacity alone.
    ///
    /// # Errors
    /// The receipt resolves with [`CommandError::Refused`] if the message will not be stored. With
    /// [`CommandError::LeftRoom`] and [`CommandError::Closed`] it is unknown whether it was stored.
    ///
    /// ```no_run
    /// # async fn run(client: chat_client::Client) -> Result<(), Box<dyn std::error::Error>> {
    /// let ack = client.send(&"lobby".parse()?, "hello, *all*").await?;
    /// println!("stored as number {}", ack.seq);
    /// # Ok(()) }
    /// ```
    pub fn send(&self, room: &RoomName, message: impl Into<Draft>) -> Receipt {
        self.send_with_id(room, message, MessageId::from_random(rand::random()))
    }

    /// [Sends](Self::send) a message under your own id. A message that the same user sent to the
    /// room under this id within 24 h is the same message. A guest is the same user in another
    /// client only with the same [guest token](Options::guest_token).
    ///
    /// # Errors
    /// Those of [`send`](Self::send). If the text differs from the earlier one,
    /// [`IdReused`](chat_protocol::v2::ErrorCode::IdReused).
    ///
    /// ```no_run
    /// # async fn run(client: chat_client::Client) -> Result<(), Box<dyn std::error::Error>> {
    /// // a bridge that restarts with the same guest token does not post the same mail twice
    /// let ack = client.send_with_id(&"inbox".parse()?, "new mail", "mail-4711".parse()?).await?;
    /// println!("posted as number {}", ack.seq);
    /// # Ok(()) }
    /// ```
    pub fn send_with_id(&self, room: &RoomName, message: impl Into<Draft>, id: MessageId) -> Receipt {
        let (room, message, message_id) = (room.clone(), message.into(), id.clone());
        let send = move |responder| Request::Send { room, message, id: message_id, responder };
        Receipt::new(id, self.shared.queue.submit(Class::Message, send))
    }

    /// Reads a page of the history of a room that has been joined. The same page is delivered as
    /// [`Event::History`](crate::Event::History), which marks its position in the room's stream,
    /// unless its epoch is not the one of [`Joined`]: then the client resyncs.
    ///
    /// Cancel-safe: if this is dropped before it resolves, only the event is delivered.
    ///
    /// # Errors
    /// [`CommandError::Refused`]; [`CommandError::Disconnected`] if the client is not connected, or
    /// the connection ends before the answer; [`CommandError::Closed`].
    ///
    /// ```no_run
    /// # async fn run(client: chat_client::Client) -> Result<(), Box<dyn std::error::Error>> {
    /// use chat_client::Page;
    ///
    /// let page = client.history(&"lobby".parse()?, Page::After { seq: 41, limit: 100 }).await?;
    /// println!("{} messages after number 41", page.messages.len());
    /// # Ok(()) }
    /// ```
    pub async fn history(&self, room: &RoomName, page: Page) -> Result<Arc<HistoryPage>, CommandError> {
        let query = page.into_frame(room.clone());
        self.call(move |responder| Request::History { query, responder }).await
    }

    /// Reads a page of the members of a room that has been joined. Cancel-safe.
    ///
    /// # Errors
    /// Those of [`history`](Self::history).
    ///
    /// ```no_run
    /// # async fn run(client: chat_client::Client) -> Result<(), Box<dyn std::error::Error>> {
    /// use chat_client::MembersQuery;
    ///
    /// let page = client.members(&"lobby".parse()?, MembersQuery::default().prefix("an")).await?;
    /// page.members.iter().for_each(|member| println!("{}", member.username));
    /// # Ok(()) }
    /// ```
    pub async fn members(&self, room: &RoomName, query: MembersQuery) -> Result<MembersPage, CommandError> {
        let query = query.into_frame(room.clone());
        self.call(move |responder| Request::Members { query, responder }).await
    }

    /// Searches for messages in the rooms that the user may read, the newest first. The page may
    /// have fewer messages than there are, and none: continue with [`before`](Found::before) while
    /// there is one. Cancel-safe.
    ///
    /// # Errors
    /// Those of [`history`](Self::history). The server refuses a query without a word, a room that
    /// the session has not joined, and a second search of the same user at the same time.
    ///
    /// ```no_run
    /// # async fn run(client: chat_client::Client) -> Result<(), Box<dyn std::error::Error>> {
    /// use chat_client::SearchQuery;
    ///
    /// let found = client.search(SearchQuery::new("release notes")).await?;
    /// println!("{} messages", found.messages.len());
    /// # Ok(()) }
    /// ```
    pub async fn search(&self, query: SearchQuery) -> Result<Found, CommandError> {
        let query = query.into_frame();
        self.call(move |responder| Request::Search { query, responder }).await
    }

    /// Keeps a room in the list of the user on all devices, or changes or removes its entry.
    /// Returns the entry; `None` if the room was removed. Also delivered as
    /// [`Event::Kept`](crate::Event) or `Dropped`. Cancel-safe: if this is dropped, only the events
    /// are delivered.
    ///
    /// # Errors
    /// Those of [`history`](Self::history). Guests are refused.
    ///
    /// ```no_run
    /// # async fn run(client: chat_client::Client) -> Result<(), Box<dyn std::error::Error>> {
    /// use chat_client::{KeepRoom, Notify};
    ///
    /// let entry = client.keep(&"lobby".parse()?, KeepRoom::default().notify(Notify::None)).await?;
    /// println!("{} unread messages", entry.map_or(0, |entry| entry.unread));
    /// # Ok(()) }
    /// ```
    pub async fn keep(
        &self,
        room: &RoomName,
        change: KeepRoom,
    ) -> Result<Option<RoomListEntry>, CommandError> {
        let change = change.into_frame(room.clone());
        self.call(move |responder| Request::Keep { change, responder }).await
    }

    /// Marks the messages of a room in the list as read, up to this position and on all devices.
    /// Cancel-safe.
    ///
    /// # Errors
    /// Those of [`history`](Self::history). A room that is not in the list is refused.
    ///
    /// ```no_run
    /// # use chat_client::{Client, Since};
    /// # async fn run(client: Client, cursor: Since) -> Result<(), Box<dyn std::error::Error>> {
    /// let read = client.mark_read(&"lobby".parse()?, cursor).await?;
    /// println!("{} unread messages", read.unread.unwrap_or_default());
    /// # Ok(()) }
    /// ```
    pub async fn mark_read(&self, room: &RoomName, up_to: Since) -> Result<Read, CommandError> {
        let mark = MarkRead { room: room.clone(), epoch: up_to.epoch, up_to: up_to.seq };
        self.call(move |responder| Request::MarkRead { mark, responder }).await
    }

    /// Replaces the text of a message of this user. Resolves when that is stored, to the number of
    /// the event; to `None` if the message has this text already.
    ///
    /// Not cancel-safe: if the future is dropped before it resolves, the text may still be
    /// replaced.
    ///
    /// # Errors
    /// Those of [`history`](Self::history). The server refuses to edit the message of another user,
    /// and one that is older than [`WelcomeLimits::edit_window_s`](crate::WelcomeLimits). With
    /// [`CommandError::Disconnected`] it is unknown whether the text is replaced; it is safe to try
    /// again.
    ///
    /// ```no_run
    /// # async fn run(client: chat_client::Client) -> Result<(), Box<dyn std::error::Error>> {
    /// let lobby = "lobby".parse()?;
    /// let ack = client.send(&lobby, "helo").await?;
    /// client.edit(&lobby, ack.seq, "hello").await?;
    /// # Ok(()) }
    /// ```
    pub async fn edit(
        &self,
        room: &RoomName,
        target: u64,
        body: impl Into<Arc<str>>,
    ) -> Result<Option<u64>, CommandError> {
        let edit = Edit { room: room.clone(), target, body: body.into(), id: None };
        self.call(move |responder| Request::Change { command: Command::Edit(edit), responder }).await
    }

    /// Deletes a message of this user, or of any user if this one is a moderator. Resolves when
    /// that is stored, to the number of the event; to `None` if the message was deleted before.
    ///
    /// Not cancel-safe: if the future is dropped before it resolves, the message may still be
    /// deleted.
    ///
    /// # Errors
    /// As for [`edit`](Self::edit).
    ///
    /// ```no_run
    /// # async fn run(client: chat_client::Client) -> Result<(), Box<dyn std::error::Error>> {
    /// let lobby = "lobby".parse()?;
    /// let ack = client.send(&lobby, "a mistake").await?;
    /// client.delete(&lobby, ack.seq).await?;
    /// # Ok(()) }
    /// ```
    pub async fn delete(&self, room: &RoomName, target: u64) -> Result<Option<u64>, CommandError> {
        let delete = Delete { room: room.clone(), target };
        self.call(move |responder| Request::Change { command: Command::Delete(delete), responder }).await
    }

    /// Puts an emoji on a message, or with `on` false removes it. Resolves when that is stored, to
    /// the number of the event; to `None` if the emoji was, or was not, there already.
    ///
    /// Not cancel-safe: if the future is dropped before it resolves, the reaction may still be
    /// stored.
    ///
    /// # Errors
    /// Those of [`history`](Self::history). The server refuses a message that does not exist or was
    /// deleted, and one emoji too many on a message. With [`CommandError::Disconnected`] it is
    /// unknown whether the reaction is stored; it is safe to try again.
    ///
    /// ```no_run
    /// # async fn run(client: chat_client::Client) -> Result<(), Box<dyn std::error::Error>> {
    /// client.react(&"lobby".parse()?, 41, ":tada:".parse()?, true).await?;
    /// # Ok(()) }
    /// ```
    pub async fn react(
        &self,
        room: &RoomName,
        target: u64,
        emoji: Emoji,
        on: bool,
    ) -> Result<Option<u64>, CommandError> {
        let react = React { room: room.clone(), target, emoji, on };
        self.call(move |responder| Request::Change { command: Command::React(react), responder }).await
    }

    /// Notifies the other members of a room that the user is typing. Resolves when the frame is
    /// queued. The server does not answer it, and forwards at most one in 3 s. Cancel-safe.
    ///
    /// # Errors
    /// [`CommandError::Disconnected`] if the client is not connected; [`CommandError::Closed`].
    ///
    /// ```no_run
    /// # async fn run(client: chat_client::Client) -> Result<(), Box<dyn std::error::Error>> {
    /// client.typing(&"lobby".parse()?).await?;
    /// # Ok(()) }
    /// ```
    pub async fn typing(&self, room: &RoomName) -> Result<(), CommandError> {
        let room = room.clone();
        self.call(move |responder| Request::Typing { room, responder }).await
    }

    /// Measures the round-trip time to the server. Cancel-safe.
    ///
    /// # Errors
    /// [`CommandError::Disconnected`] if the client is not connected, or the connection ends before
    /// the answer; [`CommandError::Closed`].
    ///
    /// ```no_run
    /// # async fn run(client: chat_client::Client) -> Result<(), Box<dyn std::error::Error>> {
    /// println!("{:?}", client.ping().await?);
    /// # Ok(()) }
    /// ```
    pub async fn ping(&self) -> Result<Duration, CommandError> {
        self.call(move |responder| Request::Ping { responder }).await
    }

    /// Closes the client for good: writes the commands that were submitted before, and then a close
    /// frame with code 1000. Resolves when the server has answered it, or after
    /// [`Options::close_timeout`]. Commands without an answer by then fail with
    /// [`CommandError::Closed`]. Unread events can still be read. Another call resolves together
    /// with the first.
    ///
    /// Not cancel-safe: if this is dropped before it resolves, the client closes anyway.
    ///
    /// ```no_run
    /// # async fn run(client: chat_client::Client) {
    /// client.close().await;
    /// assert!(client.is_closed());
    /// # }
    /// ```
    pub async fn close(&self) {
        self.shared.closing.send_replace(true);
        // an error means that the task has ended
        let _ = self.shared.done.clone().wait_for(|done| *done).await;
    }

    /// Whether the client is closed for good.
    ///
    /// ```no_run
    /// # async fn run(client: chat_client::Client) {
    /// if client.is_closed() {
    ///     println!("connect again to continue");
    /// }
    /// # }
    /// ```
    pub fn is_closed(&self) -> bool {
        self.shared.queue.is_closed()
    }

    /// The user as whom the newest session acts. Messages and members with its id are the user's
    /// own, including those of other sessions.
    ///
    /// ```no_run
    /// # async fn run(client: chat_client::Client) -> Result<(), Box<dyn std::error::Error>> {
    /// use chat_client::{Page, StoredMessage};
    ///
    /// let me = client.user();
    /// let page = client.history(&"lobby".parse()?, Page::Newest { limit: 50 }).await?;
    /// let is_mine = |message: &&StoredMessage| match message {
    ///     StoredMessage::Text { user, .. } => *user == me.id,
    ///     _ => false,
    /// };
    /// println!("{} of them are mine", page.messages.iter().filter(is_mine).count());
    /// # Ok(()) }
    /// ```
    pub fn user(&self) -> User {
        self.shared.user.borrow().clone()
    }

    /// The secret that makes a guest the same user again, for [`Options::guest_token`]: the one in
    /// the options, or else the random one that this client made. `None` if the client has the
    /// [token](Options::token) of an account. Store it like a password.
    ///
    /// ```no_run
    /// # fn run(client: chat_client::Client) -> std::io::Result<()> {
    /// if let Some(token) = client.guest_token() {
    ///     std::fs::write("guest-token", token.to_text())?;
    /// }
    /// # Ok(()) }
    /// ```
    pub fn guest_token(&self) -> Option<&GuestToken> {
        self.shared.guest_token.as_ref()
    }

    /// The counts so far.
    ///
    /// ```no_run
    /// # async fn run(client: chat_client::Client) {
    /// println!("{} reconnects", client.counters().sessions - 1);
    /// # }
    /// ```
    pub fn counters(&self) -> Counters {
        self.shared.counters.read()
    }

    fn call<T: Send + 'static>(
        &self,
        request: impl FnOnce(Responder<T>) -> Request + Send + 'static,
    ) -> PendingReply<T> {
        self.shared.queue.submit(Class::Call, request)
    }
}

/// The guest token of all sessions of a client. `None` if the user has an account.
fn guest_token(options: &Options) -> Result<Option<GuestToken>, ConnectError> {
    if options.token.is_some() {
        return Ok(None);
    }
    if let Some(token) = &options.guest_token {
        return Ok(Some(token.clone()));
    }
    let mut bits = [0; 32];
    SysRng.try_fill_bytes(&mut bits).map_err(|error| ConnectError::Random(io::Error::other(error).into()))?;
    Ok(Some(GuestToken::from_random(bits)))
}

impl fmt::Debug for Client {
    /// Omits the guest token.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("is_closed", &self.is_closed()).finish_non_exhaustive()
    }
}
