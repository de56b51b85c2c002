//! Members and the events that they receive.

use std::collections::BTreeSet;
use std::sync::Arc;

use chat_protocol::{Ack, Content, Event, Identity, RoomName, Since, Snapshot, Text, Username};
use chat_rooms::{
    Engine, EventSink, JoinError, Membership, Outgoing, SendWindow, Sink, SinkClosed, Subscribe,
};
use parking_lot::Mutex;
use tokio::sync::Notify;

/// A sink that records events, up to a maximum number.
pub(crate) struct Log {
    events: Mutex<Vec<Arc<Event>>>,
    max: usize,
    added: Notify,
}

impl Log {
    pub(crate) fn new(max: usize) -> Arc<Self> {
        Arc::new(Self { events: Mutex::default(), max, added: Notify::new() })
    }

    pub(crate) fn sink(self: &Arc<Self>) -> Sink {
        Sink::Events(Arc::clone(self) as Arc<dyn EventSink>)
    }

    pub(crate) fn events(&self) -> Vec<Arc<Event>> {
        self.events.lock().clone()
    }

    /// Waits until the condition holds for the recorded events.
    pub(crate) async fn until(&self, holds: impl Fn(&[Arc<Event>]) -> bool) {
        loop {
            let added = self.added.notified();
            if holds(&self.events()) {
                return;
            }
            added.await;
        }
    }
}

impl EventSink for Log {
    fn offer(&self, event: &Arc<Event>) -> Result<(), SinkClosed> {
        let mut events = self.events.lock();
        if events.len() == self.max {
            return Err(SinkClosed);
        }
        events.push(Arc::clone(event));
        drop(events);
        self.added.notify_waiters();
        Ok(())
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

/// Joins as a user that is nowhere else.
pub(crate) async fn join(engine: &Engine, name: &str, log: &Arc<Log>) -> Membership {
    join_as(engine, &guest(name), log, None).await
}

/// Joins, and retries if the store fails. The send window is 1: a send waits until the previous
/// message is delivered.
pub(crate) async fn join_as(
    engine: &Engine,
    user: &Identity,
    log: &Arc<Log>,
    since: Option<u64>,
) -> Membership {
    loop {
        let since = since.map(|seq| Since { epoch: engine.epoch(), seq });
        let joining = async {
            let admission = engine.admit(user, &room()).await?.with_window(&SendWindow::new(1, 1 << 20));
            admission.join(Subscribe::new(log.sink()).since(since)).await
        };
        match joining.await {
            Ok((member, _)) => return member,
            Err(JoinError::Store(_) | JoinError::History(_)) => {}
            Err(error) => panic!("{user:?}: {error}"),
        }
    }
}

/// A message whose text is also its reference.
pub(crate) fn outgoing(body: &str) -> Outgoing {
    Outgoing { reference: Some(body.parse().unwrap()), ..body.into() }
}

/// The first event, which must be `Joined`.
pub(crate) fn joined(events: &[Arc<Event>]) -> &Snapshot {
    match &**events.first().unwrap() {
        Event::Joined(joined) => joined,
        other => panic!("{other:?} before joined"),
    }
}

/// The numbers and texts of the messages in the live stream, in order of arrival.
pub(crate) fn messages(events: &[Arc<Event>]) -> Vec<(u64, String)> {
    events
        .iter()
        .filter_map(|event| match &**event {
            Event::Message { message, .. } => match &message.content {
                Content::Text(Text { body, .. }) => Some((message.seq, body.to_string())),
                _ => None,
            },
            _ => None,
        })
        .collect()
}

pub(crate) fn acks(events: &[Arc<Event>]) -> Vec<&Ack> {
    events
        .iter()
        .filter_map(|event| if let Event::Ack(ack) = &**event { Some(&**ack) } else { None })
        .collect()
}

/// Whether the message with this text received a reply.
pub(crate) fn is_answered(events: &[Arc<Event>], body: &str) -> bool {
    let matches_body = |reference: &Option<chat_protocol::Reference>| {
        reference.as_ref().is_some_and(|reference| reference.to_string() == body)
    };
    events.iter().any(|event| match &**event {
        Event::Refused { reference, .. } => matches_body(reference),
        Event::Ack(ack) => matches_body(&ack.reference),
        _ => false,
    })
}

/// Whether the last event is that the member left.
pub(crate) fn ends_with_left(events: &[Arc<Event>]) -> bool {
    let last = events.last().map(|event| &**event);
    matches!(last, Some(Event::LeaveNotice { .. }))
}

/// The members according to these events: the snapshot and all changes since.
pub(crate) fn view(events: &[Arc<Event>]) -> BTreeSet<String> {
    let mut view = BTreeSet::new();
    for event in events {
        match &**event {
            Event::Joined(joined) => {
                view = joined.members.iter().map(|member| member.username.to_string()).collect();
            }
            Event::PresenceChanged(presence) => {
                view.retain(|username| !presence.left.iter().any(|left| left.as_str() == username));
                view.extend(presence.joined.iter().map(|member| member.username.to_string()));
            }
            _ => {}
        }
    }
    view
}
