//! A store that a test can hold back or fail, and helpers for an engine with it.

use std::sync::Arc;
use std::time::Duration;

use chat_history::{
    AppendError, Durability, HistoryError, HistoryStore, MemoryHistory, NewEvent, OnAppended,
    delegate_history,
};
use chat_presence::{MemoryPresence, NodeId};
use chat_protocol::{Content, Event, Identity, Reference, RoomName, Text, Username};
use chat_rooms::{Engine, Events, Membership, Outgoing, Sink, Subscribe};
use parking_lot::Mutex;

/// A store that holds appends back while it is shut.
#[derive(Debug, Clone, Default)]
pub(crate) struct Gate {
    inner: Arc<MemoryHistory>,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
pub(crate) struct State {
    /// Whether appends are held back.
    is_shut: bool,
    held: Vec<(NewEvent, OnAppended)>,
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} held", self.held.len())
    }
}

impl Gate {
    pub(crate) fn shut(&self) {
        self.state.lock().is_shut = true;
    }

    /// Stores the held appends, and all later ones at once.
    pub(crate) fn open(&self) {
        let held = {
            let mut state = self.state.lock();
            state.is_shut = false;
            std::mem::take(&mut state.held)
        };
        held.into_iter().for_each(|(event, on_appended)| self.inner.append(event, on_appended));
    }

    /// Fails the held appends.
    pub(crate) fn fail(&self) {
        let held = std::mem::take(&mut self.state.lock().held);
        for (_, on_appended) in held {
            on_appended(Err(AppendError::Unavailable(HistoryError::other("on purpose"))));
        }
    }

    pub(crate) fn backlog(&self) -> usize {
        self.state.lock().held.len()
    }
}

impl HistoryStore for Gate {
    fn durability(&self) -> Durability {
        Durability::Disk
    }

    fn append(&self, event: NewEvent, on_appended: OnAppended) {
        let mut state = self.state.lock();
        if state.is_shut {
            state.held.push((event, on_appended));
        } else {
            drop(state);
            self.inner.append(event, on_appended);
        }
    }

    delegate_history! {
        inner: epoch extent settings public_rooms page changed own_reactions mentions_after prune check
    }
}

pub(crate) fn room() -> RoomName {
    "r".parse().unwrap()
}

pub(crate) fn user(name: &str) -> Username {
    name.parse().unwrap()
}

/// A user that no other call returns.
pub(crate) fn guest(name: &str) -> Identity {
    Identity::one_time_guest(rand::random(), user(name))
}

pub(crate) async fn engine(gate: &Gate) -> Engine {
    let builder = Engine::builder(MemoryPresence::new(NodeId::new("here")));
    let builder = builder.history(gate.clone());
    builder.start().await.unwrap()
}

/// Joins, and receives changes of presence.
pub(crate) async fn join(engine: &Engine, name: &str) -> (Membership, Events) {
    let (sink, events) = Sink::channel(100_000);
    let admission = engine.admit(&guest(name), &room()).await.unwrap();
    let (member, _) = admission.join(Subscribe::new(sink)).await.unwrap();
    (member, events)
}

pub(crate) fn outgoing(body: &str) -> Outgoing {
    Outgoing { reference: Some(body.parse().unwrap()), ..body.into() }
}

fn word(reference: &Option<Reference>) -> String {
    reference.as_ref().map_or_else(|| "-".to_owned(), Reference::to_string)
}

/// A short text for an event, for comparisons.
pub(crate) fn brief(event: &Event) -> String {
    match event {
        Event::Message { message, .. } => match &message.content {
            Content::Text(Text { from, body, .. }) => format!("{from}:{body}#{}", message.seq),
            _ => format!("#{}", message.seq),
        },
        Event::Refused { code, reference, .. } => format!("!{code:?} {}", word(reference)),
        Event::Joined(joined) => format!("joined@{}", joined.seq),
        Event::Ack(ack) => {
            let seq = ack.seq.map_or_else(|| "-".to_owned(), |seq| seq.to_string());
            format!("ack {}#{seq}", word(&ack.reference))
        }
        Event::Edited(edit) => format!("edited #{}@{}", edit.message.seq, edit.seq),
        Event::Deleted(deletion) => {
            let targets = deletion.messages.iter().map(|message| format!("#{}", message.seq));
            format!("deleted {}@{}", targets.collect::<String>(), deletion.seq)
        }
        Event::Reacted(reacted) => {
            let changes = reacted.changes.iter().map(|change| {
                let added = change.added.iter().map(|reactor| format!("+{}", reactor.username));
                let removed = change.removed.iter().map(|reactor| format!("-{}", reactor.username));
                format!(" {}{}{}", change.emoji, change.count, added.chain(removed).collect::<String>())
            });
            format!("#{}{}@{}", reacted.target, changes.collect::<String>(), reacted.seq)
        }
        Event::RoomChanged(change) => format!("settings@{}", change.seq),
        Event::Sync(range) => {
            let messages = range.outcome.as_ref().map(|outcome| {
                outcome.messages.iter().chain(&outcome.changed).map(|message| format!(" #{}", message.seq))
            });
            let messages = messages.map_or_else(|| " ?".to_owned(), Iterator::collect::<String>);
            format!("sync {}..{}{messages}", range.first_seq, range.seq)
        }
        Event::LeaveNotice { .. } => "left".to_owned(),
        Event::PresenceChanged(presence) => {
            let joined = presence.joined.iter().map(|member| format!("+{}", member.username));
            let left = presence.left.iter().map(|username| format!("-{username}"));
            joined.chain(left).collect()
        }
        Event::Entered { group, .. } => format!("+{}", group[0].username),
        Event::Left { group, .. } => format!("-{}", group[0].username),
        other => format!("{other:?}"),
    }
}

pub(crate) async fn next(events: &mut Events) -> String {
    let event = tokio::time::timeout(Duration::from_secs(20), events.next()).await.expect("an event");
    brief(&event.expect("an event"))
}

/// The next event that is not about presence.
pub(crate) async fn next_word(events: &mut Events) -> String {
    loop {
        let word = next(events).await;
        if !word.starts_with(['+', '-']) {
            return word;
        }
    }
}
