//! The handle of a client.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use chat_protocol::v2::{HistoryPage, MembersPage};
use chat_protocol::{MessageId, RoomName};
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use crate::command::{Asked, Gate, Kind, Reply, Request};
use crate::connection::{Link, dial};
use crate::driver::Task;
use crate::events::Events;
use crate::model::{
    CommandError, ConnectError, Counters, Counting, JoinOptions, Joined, MembersQuery, Options, Page,
};
use crate::receipt::Receipt;
use crate::session::Session;

/// How many commands beside messages may be on their way at once.
const CALLS: usize = 64;

/// The handle of a client. Clones are the same client; a task of its own holds the connection, and makes it anew when it breaks.
///
/// When the last handle is dropped, the client closes as by [`close`](Self::close), and nobody waits for it.
#[derive(Clone)]
pub struct Client {
    shared: Arc<Shared>,
}

struct Shared {
    /// To the task.
    gate: Arc<Gate>,
    /// The task counts.
    counting: Arc<Counting>,
    /// To the task: true when there is to be an end. Dropped with the last handle.
    closing: watch::Sender<bool>,
    /// From the task: true once the connection is closed for good.
    done: watch::Receiver<bool>,
}

impl Client {
    /// Connects and begins a session. Has to be called in a tokio runtime with time and I/O; the client's task runs there. From then on
    /// the client comes back by itself after any end of the connection, until it is closed. Cancel-safe: dropped before it
    /// resolves, there is no client.
    ///
    /// # Errors
    /// [`ConnectError`] when that does not work out at once: this first time nothing is tried again.
    pub async fn connect(options: Options) -> Result<(Self, Events), ConnectError> {
        let options = Arc::new(options);
        let counting = Arc::new(Counting::default());
        let mut session = Session::new(Arc::clone(&options), Arc::clone(&counting), rand::random::<f64>);
        let (wire, welcome) = dial(&options, session.hello()).await?;
        session.connected(welcome, Instant::now());

        let (gate, commands) = Gate::new(options.unacked, CALLS);
        let (told, events) = mpsc::channel(options.event_buffer);
        let (closing, asked_to_close) = watch::channel(false);
        let (is_done, done) = watch::channel(false);
        let task = Task {
            options,
            session,
            link: Link::Up(wire),
            gate: Arc::clone(&gate),
            commands,
            events: told,
            closing: asked_to_close,
            close_by: None,
            done: is_done,
        };
        tokio::spawn(task.run());
        let shared = Shared { gate, counting, closing, done };
        Ok((Self { shared: Arc::new(shared) }, Events::new(events)))
    }

    /// Becomes a member of a room, and stays one over every reconnect until it is left. While there is no connection the answer waits for
    /// one. What is said to the room meanwhile waits, too.
    ///
    /// Not cancel-safe: dropped before it resolves, the room may be joined all the same; [`Event::Joined`](crate::Event::Joined) says so.
    ///
    /// # Errors
    /// [`CommandError::Refused`]: the name is taken in that room (this first time nothing is tried again), the session is in it or
    /// being put out of it, it is in too many, or not allowed in. [`CommandError::LeftRoom`] when the room was left meanwhile.
    /// [`CommandError::Closed`].
    pub async fn join(&self, room: &RoomName, options: JoinOptions) -> Result<Arc<Joined>, CommandError> {
        let (room, history) = (room.clone(), options.history);
        self.call(move |reply| Request::Join { room, history, reply }).await
    }

    /// Is no member of a room any more. What was said to it before is sent before; what has no ack by then gets none
    /// ([`CommandError::LeftRoom`]). Where there is no connection, it is done at once.
    ///
    /// Not cancel-safe: dropped before it resolves, the room may be left all the same.
    ///
    /// # Errors
    /// [`CommandError::Refused`] with [`NotInRoom`](chat_protocol::v2::ErrorCode::NotInRoom); [`CommandError::Closed`].
    pub async fn leave(&self, room: &RoomName) -> Result<(), CommandError> {
        let room = room.clone();
        self.call(move |reply| Request::Leave { room, reply }).await
    }

    /// Says something in a room. The message has its place in the order when this returns; awaited, the [`Receipt`] says when it is
    /// stored. Over reconnects it is sent again, always under the same random id, so that it is stored and shown once.
    ///
    /// Within a room messages go out in the order in which they were sent, again after each reconnect, and once the room is joined.
    /// When the server's store does not answer, the message waits with all that were sent after it to that room, and goes again under
    /// the same id after a pause; only what was on its way already may overtake it.
    ///
    /// So many may be on their way at once as [`Options::unacked`] says; what is sent beyond that waits for its place, and is kept by its
    /// receipt. [`Receipt::accepted`] waits for that alone.
    ///
    /// # Errors
    /// Of the receipt: [`CommandError::Refused`]: it will not be stored. [`CommandError::LeftRoom`] and [`CommandError::Closed`]:
    /// whether it was is not known.
    pub fn send(&self, room: &RoomName, body: impl Into<Arc<str>>) -> Receipt {
        self.send_with_id(room, body, MessageId::from_random(rand::random()))
    }

    /// [`send`](Self::send) under an id of one's own: what was sent under it to that room before, by this client or an earlier one of
    /// the same name, within 24 h, is the same message.
    ///
    /// # Errors
    /// Those of [`send`](Self::send); with another body than before [`IdReused`](chat_protocol::v2::ErrorCode::IdReused).
    pub fn send_with_id(&self, room: &RoomName, body: impl Into<Arc<str>>, id: MessageId) -> Receipt {
        let (room, body, called) = (room.clone(), body.into(), id.clone());
        let send = move |reply| Request::Send { room, body, id: called, reply };
        Receipt::new(id, self.shared.gate.ask(Kind::Message, send))
    }

    /// Reads a page of what was said in a room that is joined. Cancel-safe.
    ///
    /// # Errors
    /// [`CommandError::Refused`]; [`CommandError::Disconnected`] where there is no connection, or it ends before the answer;
    /// [`CommandError::Closed`].
    pub async fn history(&self, room: &RoomName, page: Page) -> Result<HistoryPage, CommandError> {
        let query = page.of(room.clone());
        self.call(move |reply| Request::History { query, reply }).await
    }

    /// Reads a page of who is in a room that is joined. Cancel-safe.
    ///
    /// # Errors
    /// Those of [`history`](Self::history).
    pub async fn members(&self, room: &RoomName, query: MembersQuery) -> Result<MembersPage, CommandError> {
        let query = query.of(room.clone());
        self.call(move |reply| Request::Members { query, reply }).await
    }

    /// Tells the others in a room that one is typing. Resolves when that is on its way; nobody answers it, and the server passes on at most
    /// one in 3 s. Cancel-safe.
    ///
    /// # Errors
    /// [`CommandError::Disconnected`] where there is no connection; [`CommandError::Closed`].
    pub async fn typing(&self, room: &RoomName) -> Result<(), CommandError> {
        let room = room.clone();
        self.call(move |reply| Request::Typing { room, reply }).await
    }

    /// How long the server's answer takes now. Cancel-safe.
    ///
    /// # Errors
    /// [`CommandError::Disconnected`] where there is no connection, or it ends before the answer; [`CommandError::Closed`].
    pub async fn ping(&self) -> Result<Duration, CommandError> {
        self.call(move |reply| Request::Ping { reply }).await
    }

    /// Closes the client for good: what was asked before is written, then a close frame with 1000. Resolves when the server has answered
    /// it, or after [`Options::close_timeout`]. Whatever has no answer by then gets [`CommandError::Closed`]; events that were not read
    /// can still be read. Closing again resolves together with the first.
    ///
    /// Not cancel-safe: dropped before it resolves, it closes all the same, and nobody waits for it.
    pub async fn close(&self) {
        self.shared.closing.send_replace(true);
        // an error: the task is gone
        let _ = self.shared.done.clone().wait_for(|done| *done).await;
    }

    /// Whether the client is closed for good.
    pub fn is_closed(&self) -> bool {
        self.shared.gate.is_closed()
    }

    /// What was counted so far.
    pub fn counters(&self) -> Counters {
        self.shared.counting.read()
    }

    fn call<T: Send + 'static>(
        &self,
        request: impl FnOnce(Reply<T>) -> Request + Send + 'static,
    ) -> Asked<T> {
        self.shared.gate.ask(Kind::Call, request)
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("is_closed", &self.is_closed()).finish_non_exhaustive()
    }
}
