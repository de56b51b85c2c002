//! A store that is slow or fails when it is told to, and short ways to use an engine on it.

use std::sync::Arc;
use std::time::Duration;

use chat_history::{
    AppendError, Durability, HistoryError, HistoryStore, MemoryHistory, Messages, NewMessage, Page,
    Retention, Told,
};
use chat_presence::{MemoryPresence, NodeId};
use chat_protocol::{Content, Epoch, Event, RoomName, Username};
use chat_rooms::{Engine, Events, Membership, Outgoing, Sink, Subscribe};
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
    waiting: Vec<(NewMessage, Told)>,
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
            told(Err(AppendError::Unavailable(HistoryError("on purpose".into()))));
        }
    }

    pub(crate) fn backlog(&self) -> usize {
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

    fn append(&self, message: NewMessage, told: Told) {
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
    let builder = Engine::builder(MemoryPresence::new(NodeId::new("here")));
    let builder = builder.history(gate.clone());
    builder.start().await.unwrap()
}

/// Joins, to be told what changes.
pub(crate) async fn join(engine: &Engine, name: &str) -> (Membership, Events) {
    let (outlet, events) = Sink::channel(100_000);
    let seat = engine.admit(&room(), &user(name)).await.unwrap();
    let (member, _) = seat.join(Subscribe::new(outlet)).await.unwrap();
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
        Event::Joined(joined) => format!("joined@{}", joined.seq),
        Event::Ack(ack) => format!("ack {}#{}", ack.reference.as_ref().unwrap(), ack.seq),
        Event::LeaveNotice { .. } => "left".to_owned(),
        Event::PresenceChanged(presence) => {
            let joined = presence.joined.iter().map(|member| format!("+{}", member.username));
            let left = presence.left.iter().map(|username| format!("-{username}"));
            joined.chain(left).collect()
        }
        Event::Entered { group: who, .. } => format!("+{}", who[0].username),
        Event::Left { group: who, .. } => format!("-{}", who[0].username),
        other => format!("{other:?}"),
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
