//! A store that is slow or fails when it is told to, and short ways to use an engine on it.

use std::sync::Arc;
use std::time::Duration;

use chat_history::{
    AppendError, Durability, HistoryError, HistoryStore, MemoryHistory, Messages, NewMessage, OnAppended,
    Page, Retention,
};
use chat_presence::{MemoryPresence, NodeId};
use chat_protocol::v2::ServerFrame;
use chat_protocol::{Content, Epoch, Event, RoomName, Username};
use chat_rooms::{Engine, Events, JoinOptions, Membership, Outgoing, Outlet};
use futures::future::BoxFuture;
use parking_lot::Mutex;

/// A store that answers only when it is told to.
#[derive(Debug, Clone, Default)]
pub(crate) struct Gate {
    inner: Arc<MemoryHistory>,
    held: Arc<Mutex<Held>>,
}

#[derive(Default)]
pub(crate) struct Held {
    /// Whether appends wait.
    is_shut: bool,
    waiting: Vec<(NewMessage, OnAppended)>,
}

impl std::fmt::Debug for Held {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} wait", self.waiting.len())
    }
}

impl Gate {
    pub(crate) fn shut(&self) {
        self.held.lock().is_shut = true;
    }

    /// Lets in what waits, and all that comes.
    pub(crate) fn open(&self) {
        let waiting = {
            let mut held = self.held.lock();
            held.is_shut = false;
            std::mem::take(&mut held.waiting)
        };
        waiting.into_iter().for_each(|(message, told)| self.inner.append(message, told));
    }

    /// Fails all that waits.
    pub(crate) fn fail(&self) {
        let waiting = std::mem::take(&mut self.held.lock().waiting);
        for (_, told) in waiting {
            told(Err(AppendError::Unavailable(HistoryError::other("on purpose"))));
        }
    }

    pub(crate) fn waiting(&self) -> usize {
        self.held.lock().waiting.len()
    }
}

impl HistoryStore for Gate {
    fn epoch(&self) -> Epoch {
        self.inner.epoch()
    }

    fn durability(&self) -> Durability {
        Durability::Disk
    }

    fn append(&self, message: NewMessage, told: OnAppended) {
        let mut held = self.held.lock();
        if held.is_shut {
            held.waiting.push((message, told));
        } else {
            drop(held);
            self.inner.append(message, told);
        }
    }

    fn newest(&self, room: RoomName) -> BoxFuture<'_, Result<u64, HistoryError>> {
        self.inner.newest(room)
    }

    fn page(&self, room: RoomName, page: Page) -> BoxFuture<'_, Result<Messages, HistoryError>> {
        self.inner.page(room, page)
    }

    fn prune(&self, retention: Retention) -> BoxFuture<'_, Result<bool, HistoryError>> {
        self.inner.prune(retention)
    }

    fn check(&self) -> BoxFuture<'_, Result<(), HistoryError>> {
        self.inner.check()
    }
}

pub(crate) fn room() -> RoomName {
    "r".parse().unwrap()
}

pub(crate) fn user(name: &str) -> Username {
    name.parse().unwrap()
}

pub(crate) async fn engine(gate: &Gate) -> Engine {
    let mut builder = Engine::builder(MemoryPresence::new(NodeId::new("here")));
    builder.history(gate.clone());
    builder.start().await.unwrap()
}

/// Joins, to be told what changes.
pub(crate) async fn join(engine: &Engine, name: &str) -> (Membership, Events) {
    let (outlet, events) = Outlet::channel(100_000);
    let seat = engine.admit(&room(), &user(name)).await.unwrap();
    let (member, _) = seat.join(outlet, JoinOptions::default()).await.unwrap();
    (member, events)
}

pub(crate) fn outgoing(body: &str) -> Outgoing {
    Outgoing { reference: Some(body.parse().unwrap()), ..body.into() }
}

/// An event in a word, for comparing.
pub(crate) fn brief(event: &Event) -> String {
    match event {
        Event::Message { message, .. } => match &message.content {
            Content::Said { from, body, .. } => format!("{from}:{body}#{}", message.seq),
            Content::Erased => format!("#{}", message.seq),
        },
        Event::Refused { code, reference, .. } => format!("!{code:?} {}", reference.as_ref().unwrap()),
        Event::Told(frame) => match &**frame {
            ServerFrame::Joined(joined) => format!("joined@{}", joined.seq),
            ServerFrame::Ack(ack) => format!("ack {}#{}", ack.reference.as_ref().unwrap(), ack.seq),
            ServerFrame::Left(_) => "left".to_owned(),
            ServerFrame::Presence(presence) => {
                let joined = presence.joined.iter().map(|member| format!("+{}", member.username));
                let left = presence.left.iter().map(|username| format!("-{username}"));
                joined.chain(left).collect()
            }
            other => format!("{other:?}"),
        },
        Event::Entered { who, .. } => format!("+{}", who[0].username),
        Event::Left { who, .. } => format!("-{}", who[0].username),
        other @ Event::Notice { .. } => format!("{other:?}"),
    }
}

pub(crate) async fn next(events: &mut Events) -> String {
    let event = tokio::time::timeout(Duration::from_secs(20), events.next()).await.expect("an event");
    brief(&event.expect("an event"))
}

/// The next event that is not about who is there.
pub(crate) async fn next_word(events: &mut Events) -> String {
    loop {
        let word = next(events).await;
        if !word.starts_with(['+', '-']) {
            return word;
        }
    }
}
