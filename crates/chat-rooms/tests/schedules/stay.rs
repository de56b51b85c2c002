//! Members, and what they are told.

use std::collections::BTreeSet;
use std::sync::Arc;

use chat_protocol::{Ack, Content, Event, RoomName, Since, Snapshot, Username};
use chat_rooms::{
    Engine, EventSink, JoinError, Membership, Outgoing, SendWindow, Sink, SinkClosed, Subscribe,
};
use parking_lot::Mutex;
use tokio::sync::Notify;

/// Notes everything that it is told; takes no more than it is to.
pub(crate) struct Log {
    events: Mutex<Vec<Arc<Event>>>,
    most: usize,
    told: Notify,
}

impl Log {
    pub(crate) fn new(most: usize) -> Arc<Self> {
        Arc::new(Self { events: Mutex::default(), most, told: Notify::new() })
    }

    pub(crate) fn outlet(self: &Arc<Self>) -> Sink {
        Sink::Events(Arc::clone(self) as Arc<dyn EventSink>)
    }

    pub(crate) fn events(&self) -> Vec<Arc<Event>> {
        self.events.lock().clone()
    }

    /// Resolves once this holds of what was told.
    pub(crate) async fn until(&self, holds: impl Fn(&[Arc<Event>]) -> bool) {
        loop {
            let told = self.told.notified();
            if holds(&self.events()) {
                return;
            }
            told.await;
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
        self.told.notify_waiters();
        Ok(())
    }
}

pub(crate) fn room() -> RoomName {
    "r".parse().unwrap()
}

pub(crate) fn user(name: &str) -> Username {
    name.parse().unwrap()
}

/// Joins, again where the store took too long. Whoever speaks waits until what it said last is offered to everyone.
pub(crate) async fn join(engine: &Engine, name: &str, log: &Arc<Log>) -> Membership {
    loop {
        match engine.admit(&room(), &user(name)).await {
            Ok(seat) => {
                let seat = seat.with_window(&SendWindow::new(1, 1 << 20));
                return seat.join(Subscribe::new(log.outlet())).await.unwrap().0;
            }
            Err(JoinError::Store(_)) => {}
            Err(error) => panic!("{name}: {error}"),
        }
    }
}

/// Gives a member another log, with everything after a message.
pub(crate) async fn reattach(engine: &Engine, member: &mut Membership, log: &Arc<Log>, seq: u64) {
    let since = Some(Since { epoch: engine.epoch(), seq });
    member.reattach(Subscribe::new(log.outlet()).since(since), &SendWindow::default()).await.unwrap();
}

/// Something to say whose answer can be told by its text.
pub(crate) fn outgoing(body: &str) -> Outgoing {
    Outgoing { reference: Some(body.parse().unwrap()), ..body.into() }
}

/// The first event, which says how things stood.
pub(crate) fn joined(events: &[Arc<Event>]) -> &Snapshot {
    match &**events.first().unwrap() {
        Event::Joined(joined) => joined,
        other => panic!("{other:?} before joined"),
    }
}

/// The texts of the live stream and their numbers, in the order in which they came.
pub(crate) fn messages(events: &[Arc<Event>]) -> Vec<(u64, String)> {
    events
        .iter()
        .filter_map(|event| match &**event {
            Event::Message { message, .. } => match &message.content {
                Content::Said { body, .. } => Some((message.seq, body.to_string())),
                Content::Erased => None,
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

/// Whether what was said under this text was answered.
pub(crate) fn is_answered(events: &[Arc<Event>], body: &str) -> bool {
    let is_it = |reference: &Option<chat_protocol::Reference>| {
        reference.as_ref().is_some_and(|reference| reference.to_string() == body)
    };
    events.iter().any(|event| match &**event {
        Event::Refused { reference, .. } => is_it(reference),
        Event::Ack(ack) => is_it(&ack.reference),
        _ => false,
    })
}

/// Whether the last event is that the member left.
pub(crate) fn ends_with_left(events: &[Arc<Event>]) -> bool {
    let last = events.last().map(|event| &**event);
    matches!(last, Some(Event::LeaveNotice { .. }))
}

/// Who is there, as one who was told all of this knows it: the list, and what has changed since.
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
