//! An engine in memory, and helpers for its members and their events.

use std::sync::Arc;
use std::time::Duration;

use chat_presence::{MemoryPresence, NodeId};
use chat_protocol::{Content, Event, Identity, Member, RoomName, Text, Username};
use chat_rooms::{Engine, Events, Membership, Sink, Subscribe};

pub(crate) fn room(name: &str) -> RoomName {
    name.parse().unwrap()
}

pub(crate) fn user(name: &str) -> Username {
    name.parse().unwrap()
}

/// A user that no other call returns.
pub(crate) fn guest(name: &str) -> Identity {
    Identity::one_time_guest(rand::random(), user(name))
}

pub(crate) async fn engine() -> Engine {
    Engine::builder(MemoryPresence::new(NodeId::new("here"))).start().await.unwrap()
}

pub(crate) async fn join(engine: &Engine, name: &str) -> (Membership, Events) {
    let (sink, events) = Sink::channel(100_000);
    (engine.join(&guest(name), &room("r"), Subscribe::new(sink).with_lists()).await.unwrap(), events)
}

pub(crate) fn names(members: &[Arc<Member>]) -> String {
    members.iter().map(|member| member.username.as_str()).collect::<Vec<_>>().join(" ")
}

/// A short text for an event, for comparisons.
pub(crate) fn brief(event: &Event) -> String {
    match event {
        Event::Entered { group, .. } => format!("+{}", names(group)),
        Event::Left { group, .. } => format!("-{}", names(group)),
        Event::Message { message, .. } => match &message.content {
            Content::Text(Text { from, body, .. }) => format!("{from}:{body}"),
            _ => format!("#{}", message.seq),
        },
        Event::Notice { body, .. } => format!("*{body}"),
        Event::Refused { reason, .. } => format!("!{reason}"),
        other => format!("{other:?}"),
    }
}

pub(crate) async fn next(events: &mut Events) -> String {
    let event = tokio::time::timeout(Duration::from_secs(20), events.next()).await;
    brief(&event.expect("an event in time").expect("an event"))
}

/// Polls until the condition holds; panics with `what` after 20 s.
pub(crate) async fn until<F: Future<Output = bool>>(what: &str, condition: impl Fn() -> F) {
    let polling = async {
        while !condition().await {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), polling).await.expect(what);
}
