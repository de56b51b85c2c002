//! What a room exchanges with the same room on other nodes: the events that this node has stored.
//!
//! It makes the others fast, and nothing more: what is lost they find in the store.

use std::sync::Arc;
use std::time::Duration;

use chat_backplane::{Backplane, Envelope, NodeName, PublishError, Topic};
use chat_history::StoredEvent;
use chat_log::{Occasional, Passed};
use chat_protocol::{ChannelName, Epoch, Member, MemberId, RoomName, Timestamp, UserId, Username};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// How long a room waits for a missing event that another node may still bring.
const PATIENCE: Duration = Duration::from_millis(50);

/// The size of the events in one message, by [`size`]. Most of them are smaller in JSON.
const MAX_EVENTS_SIZE: usize = 256 << 10;

/// The kinds of messages, for [`Envelope::kind`].
const EVENTS: &str = "events";
const POLICY: &str = "policy";
const PRESENCE: &str = "presence";

/// The maximum number of records in one message.
const MAX_RECORDS: usize = 1_000;

/// Publishes what happens in the rooms of this node.
#[derive(Debug)]
pub(crate) struct Publisher {
    backplane: Arc<dyn Backplane>,
    node: NodeName,
    /// Of this run of the node.
    incarnation: Arc<str>,
    failures: Occasional,
}

/// What a room has heard from another node.
#[derive(Debug)]
pub(crate) enum Heard {
    /// Events of this epoch, in their order. Those that this version cannot read are left out.
    Events(Epoch, Vec<StoredEvent>),
    /// The policy has changed.
    Policy(PolicyChange),
    /// Users have joined or left on another node.
    Presence(RecordChanges),
}

/// The presence records of a node that are new, and those that are gone.
#[derive(Debug, Default)]
pub(crate) struct RecordChanges {
    pub(crate) joined: Vec<Arc<Member>>,
    pub(crate) left: Vec<MemberId>,
}

impl RecordChanges {
    /// Adds a record that is new.
    pub(crate) fn join(&mut self, record: Arc<Member>) {
        self.joined.push(record);
    }

    /// Adds a record that is gone. If nobody was told of it, nobody has to be.
    pub(crate) fn leave(&mut self, id: MemberId) {
        // the newest ones are those that leave soonest
        match self.joined.iter().rposition(|record| record.id == id) {
            Some(position) => drop(self.joined.swap_remove(position)),
            None => self.left.push(id),
        }
    }
}

/// The policy of a room has this version now, because of an act against a user.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct PolicyChange {
    pub(crate) version: u64,
    pub(crate) user: UserId,
    pub(crate) username: Username,
}

#[derive(Serialize, Deserialize)]
struct PresenceMessage {
    joined: Vec<Record>,
    left: Vec<i64>,
}

#[derive(Serialize, Deserialize)]
struct Record {
    id: i64,
    user: UserId,
    username: Username,
    channel: u64,
    joined_at: Timestamp,
}

impl Record {
    fn of(member: &Member) -> Self {
        let Member { id, user, username, channel, joined_at, .. } = member;
        let (id, channel) = (id.get(), channel.get());
        Self { id, user: user.clone(), username: username.clone(), channel, joined_at: *joined_at }
    }

    fn into_member(self, room: &RoomName) -> Member {
        let Self { id, user, username, channel, joined_at } = self;
        let (id, channel) = (MemberId::new(id), ChannelName::new(channel));
        Member { id, room: room.clone(), user, username, channel, joined_at }
    }
}

#[derive(Serialize)]
struct EventsOut<'e> {
    epoch: &'e Epoch,
    events: &'e [StoredEvent],
}

#[derive(Deserialize)]
struct EventsIn {
    epoch: Epoch,
    events: Vec<Box<RawValue>>,
}

impl Publisher {
    /// Publishes through this backplane, as this node.
    pub(crate) fn new(backplane: Arc<dyn Backplane>, node: NodeName) -> Self {
        let incarnation = format!("{:016x}", rand::random::<u64>()).into();
        Self { backplane, node, incarnation, failures: Occasional::new() }
    }

    /// How long a room waits for a missing event, before it reads it from the store.
    pub(crate) fn patience(&self) -> Duration {
        if self.backplane.is_connected() { PATIENCE } else { Duration::ZERO }
    }

    /// Listens to what other nodes publish about a room. What they publish before this resolves may
    /// be lost, so the room reads its newest number afterwards.
    pub(crate) async fn listen(&self, room: &RoomName) {
        if let Err(error) = self.backplane.subscribe(Topic::Room(room.clone())).await {
            // it becomes active later, and then the room looks at the store
            tracing::debug!(%room, %error, "the backplane does not deliver yet");
        }
    }

    /// Ends [`listen`](Self::listen).
    pub(crate) fn unlisten(&self, room: &RoomName) {
        self.backplane.unsubscribe(&Topic::Room(room.clone()));
    }

    /// Publishes what is queued, and ends.
    pub(crate) async fn close(&self) {
        self.backplane.close().await;
    }

    /// Publishes events that this node has stored, in their order.
    pub(crate) fn events(&self, room: &RoomName, epoch: &Epoch, mut events: &[StoredEvent]) {
        while !events.is_empty() {
            let mut left = MAX_EVENTS_SIZE;
            let fits = |event: &&StoredEvent| {
                let fits = left > 0;
                left = left.saturating_sub(size(event));
                fits
            };
            let (now, rest) = events.split_at(events.iter().take_while(fits).count().max(1));
            self.publish(room, EVENTS, &EventsOut { epoch, events: now });
            events = rest;
        }
    }

    /// Publishes a change of the policy.
    pub(crate) fn policy(&self, room: &RoomName, change: &PolicyChange) {
        self.publish(room, POLICY, change);
    }

    /// Publishes who has joined or left on this node.
    pub(crate) fn presence(&self, room: &RoomName, RecordChanges { joined, left }: &RecordChanges) {
        let (mut joined, mut left) = (joined.chunks(MAX_RECORDS), left.chunks(MAX_RECORDS));
        loop {
            let (some, others) = (joined.next(), left.next());
            if some.is_none() && others.is_none() {
                return;
            }
            let joined = some.into_iter().flatten().map(|member| Record::of(member)).collect();
            let left = others.into_iter().flatten().map(|id| id.get()).collect();
            self.publish(room, PRESENCE, &PresenceMessage { joined, left });
        }
    }

    fn publish(&self, room: &RoomName, kind: &str, body: &impl Serialize) {
        let message = Envelope::new(self.node.clone(), Arc::clone(&self.incarnation), kind, body)
            .and_then(|envelope| envelope.encode());
        let result = match message {
            Ok(message) => match self.backplane.publish(&Topic::Room(room.clone()), message) {
                // the others find out by themselves, and the operator sees the connection
                Ok(()) | Err(PublishError::NotConnected | PublishError::Closed) => return,
                Err(error) => error.to_string(),
            },
            Err(error) => error.to_string(),
        };
        if let Some(Passed { suppressed }) = self.failures.pass() {
            tracing::warn!(%room, kind, error = result, suppressed, "other nodes will read it from the store");
        }
    }
}

/// The approximate size of an event in a message.
fn size(event: &StoredEvent) -> usize {
    match event {
        StoredEvent::Message(message) => message.encoded_size(),
        StoredEvent::Edit(edit) => edit.message.encoded_size(),
        StoredEvent::Deletion(deletion) => {
            deletion.messages.iter().map(|message| message.encoded_size()).sum()
        }
        StoredEvent::Reaction(reaction) => reaction.message.encoded_size(),
        _ => 4 << 10,
    }
}

/// Reads a message of another node. `None` if this version does not know its kind, or cannot read
/// it.
pub(crate) fn read(room: &RoomName, message: &[u8]) -> Option<Heard> {
    let envelope = Envelope::decode(message).ok()?;
    match &*envelope.kind {
        EVENTS => {
            let EventsIn { epoch, events } = envelope.body().ok()?;
            let events = events.iter().filter_map(|event| serde_json::from_str(event.get()).ok());
            Some(Heard::Events(epoch, events.collect()))
        }
        POLICY => envelope.body().ok().map(Heard::Policy),
        PRESENCE => {
            let PresenceMessage { joined, left } = envelope.body().ok()?;
            let joined = joined.into_iter().map(|record| Arc::new(record.into_member(room))).collect();
            let left = left.into_iter().map(MemberId::new).collect();
            Some(Heard::Presence(RecordChanges { joined, left }))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use chat_backplane::{Hub, Incoming, Receiver};
    use chat_history::StoredReaction;
    use chat_protocol::{
        Content, DeletedBy, Deletion, Edit, Mention, Message, Reaction, ReactionChange, Reactor, ReplyTo,
        RoomChange, RoomSettings, Text,
    };
    use futures::FutureExt;
    use serde_json::json;

    use super::*;

    fn room() -> RoomName {
        "r".parse().unwrap()
    }

    fn user() -> UserId {
        "u_1".parse().unwrap()
    }

    fn username() -> Username {
        "ana".parse().unwrap()
    }

    fn message(seq: u64, body: &str) -> Arc<Message> {
        let text = Text::new("id".parse().unwrap(), user(), username(), body);
        Arc::new(Message::new(room(), seq, Timestamp::now(), Content::Text(text)))
    }

    /// One event of each kind.
    fn events() -> Vec<StoredEvent> {
        let mut full = (*message(1, "hello")).clone();
        let Content::Text(text) = &mut full.content else { unreachable!() };
        text.reply_to = Some(Arc::new(ReplyTo { seq: 7, from: username(), user: user() }));
        text.mentions = Some([Mention::Room, Mention::User(user())].into());
        let emoji = "👍".parse::<chat_protocol::Emoji>().unwrap();
        text.reactions = Some([Reaction::new(emoji.clone(), 1, vec![username()])].into());
        let edited = full.edited("edited".into(), None, Timestamp::now(), 2).unwrap();
        let deleted = Arc::new(full.deleted(DeletedBy::Author, 3));
        let reactor = Reactor { username: username(), user: user() };
        let change = ReactionChange { emoji, count: 1, added: vec![reactor], removed: Vec::new() };
        let settings = RoomSettings::default().slow_mode_s(5);
        vec![
            StoredEvent::Message(Arc::new(full)),
            StoredEvent::Edit(Arc::new(Edit::new(2, Arc::new(edited)))),
            StoredEvent::Deletion(Arc::new(Deletion::new(room(), 3, DeletedBy::Author, vec![deleted]))),
            StoredEvent::Reaction(Arc::new(StoredReaction::new(4, message(2, "x"), change))),
            StoredEvent::RoomChange(Arc::new(RoomChange::new(room(), 5, settings)), 9),
        ]
    }

    fn publisher(hub: &Hub) -> Publisher {
        Publisher::new(Arc::new(hub.join().0), "here".parse().unwrap())
    }

    fn listener(hub: &Hub) -> (impl Backplane, Receiver) {
        let (backplane, receiver) = hub.join();
        let subscribed = backplane.subscribe(Topic::Room(room())).now_or_never();
        subscribed.expect("nothing to wait for").unwrap();
        (backplane, receiver)
    }

    fn heard(receiver: &mut Receiver) -> Vec<Heard> {
        let all = std::iter::from_fn(|| receiver.try_recv());
        let messages = all.filter_map(|incoming| match incoming {
            Incoming::Message { message, .. } => Some(read(&room(), &message).expect("a known message")),
            _ => None,
        });
        messages.collect()
    }

    #[test]
    fn other_nodes_hear_the_same_events() {
        let hub = Hub::new();
        let (here, (_there, mut receiver)) = (publisher(&hub), listener(&hub));
        let (epoch, events) = (Epoch::from_random(1), events());
        here.events(&room(), &epoch, &events);
        let [Heard::Events(of, received)] = &heard(&mut receiver)[..] else { panic!("one message") };
        assert_eq!((of, received), (&epoch, &events));
        let change = PolicyChange { version: 3, user: user(), username: username() };
        here.policy(&room(), &change);
        let [Heard::Policy(received)] = &heard(&mut receiver)[..] else { panic!("a change") };
        assert_eq!((received.version, &received.user), (3, &user()));
    }

    #[test]
    fn other_nodes_hear_who_joins_and_leaves() {
        let hub = Hub::new();
        let (here, (_there, mut receiver)) = (publisher(&hub), listener(&hub));
        let record = |id| Member {
            id: MemberId::new(id),
            room: room(),
            user: user(),
            username: username(),
            channel: ChannelName::new(u64::MAX),
            joined_at: Timestamp::now(),
        };
        let mut changes = RecordChanges::default();
        let records: Vec<_> = (0..2_500).map(|id| Arc::new(record(id))).collect();
        records.iter().for_each(|record| changes.join(Arc::clone(record)));
        changes.leave(MemberId::new(2_499));
        changes.leave(MemberId::new(-1));
        here.presence(&room(), &changes);
        let (mut joined, mut left) = (Vec::new(), Vec::new());
        for heard in heard(&mut receiver) {
            let Heard::Presence(changes) = heard else { panic!("{heard:?}") };
            joined.extend(changes.joined);
            left.extend(changes.left);
        }
        assert_eq!(joined, records[..2_499]);
        assert_eq!(left, [MemberId::new(-1)]);
    }

    #[test]
    fn many_events_are_split_and_keep_their_order() {
        let hub = Hub::new();
        let (here, (_there, mut receiver)) = (publisher(&hub), listener(&hub));
        let body = "x".repeat(60_000);
        let events: Vec<_> = (1..=20).map(|seq| StoredEvent::Message(message(seq, &body))).collect();
        here.events(&room(), &Epoch::from_random(1), &events);
        let heard = heard(&mut receiver);
        assert!(heard.len() > 2, "{}", heard.len());
        let received = heard.into_iter().flat_map(|heard| match heard {
            Heard::Events(_, events) => events,
            other => panic!("{other:?}"),
        });
        assert!(received.eq(events));
    }

    #[test]
    fn what_another_version_sends_is_skipped() {
        let envelope = |kind: &str, body| {
            Envelope::new("there".parse().unwrap(), "i".into(), kind, &body).unwrap().encode().unwrap()
        };
        assert!(read(&room(), &envelope("of-2031", json!({}))).is_none());
        assert!(read(&room(), &envelope(EVENTS, json!(["what?"]))).is_none());
        assert!(read(&room(), b"garbage").is_none());
        let known = serde_json::to_value(StoredEvent::Message(message(8, "hello"))).unwrap();
        let body = json!({"epoch": "e", "events": [{"poll": {"seq": 7}}, known, 5], "more": true});
        let Some(Heard::Events(_, events)) = read(&room(), &envelope(EVENTS, body)) else { panic!("events") };
        assert_eq!(events.iter().map(StoredEvent::seq).collect::<Vec<_>>(), [8]);
    }
}
