//! A client that is on one node at a time, and follows the cursor rule.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use chat_protocol::{
    Content, Emoji, Event, Identity, Message, MessageId, RoomName, Since, Snapshot, Text, UserId, Username,
};
use chat_rooms::{Delete, Edit, Engine, Events, Membership, Outgoing, React, Resync, Sink, Subscribe};
use futures::FutureExt;
use tokio::time::timeout;

/// How long a client waits for a node before it goes to another one.
const PATIENCE: Duration = Duration::from_millis(500);

/// The state of a message, as a client shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Shown {
    /// The id and the text; `None` if the message was deleted.
    pub(crate) text: Option<(MessageId, Arc<str>)>,
    pub(crate) reactions: BTreeMap<Emoji, u64>,
}

impl Shown {
    pub(crate) fn of(message: &Message) -> Self {
        let text = match &message.content {
            Content::Text(text) => Some(text),
            _ => None,
        };
        let counts = text.into_iter().flat_map(Text::reactions);
        Self {
            text: text.map(|text| (text.id.clone(), Arc::clone(&text.body))),
            reactions: counts.map(|reaction| (reaction.emoji.clone(), reaction.count)).collect(),
        }
    }
}

#[derive(Debug)]
struct Connection {
    node: usize,
    member: Membership,
    events: Events,
}

#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) name: String,
    /// What its ids begin with.
    prefix: String,
    identity: Identity,
    /// Who is in the room, as the client shows it.
    pub(crate) members: BTreeMap<Username, UserId>,
    /// Whether it has left for good.
    pub(crate) has_retired: bool,
    connection: Option<Connection>,
    since: Option<Since>,
    /// By number, with the number of the event that has changed it last.
    log: BTreeMap<u64, (Shown, Option<u64>)>,
    /// Whether the client waits for the answer to a resync.
    is_behind: bool,
    next_id: usize,
    /// The ids of messages without an ack.
    pub(crate) pending: Vec<MessageId>,
    /// The numbers of acked messages, by id.
    pub(crate) acked: BTreeMap<MessageId, u64>,
    /// The ids of all messages that were delivered, by number.
    pub(crate) delivered: BTreeMap<u64, MessageId>,
    pub(crate) syncs: usize,
    pub(crate) recoveries: usize,
}

impl Client {
    pub(crate) fn new(name: &str, secret: u64) -> Self {
        Self {
            name: name.to_owned(),
            prefix: format!("{secret:x}."),
            members: BTreeMap::new(),
            has_retired: false,
            identity: Identity::one_time_guest(u128::from(secret), name.parse().unwrap()),
            connection: None,
            since: None,
            log: BTreeMap::new(),
            is_behind: false,
            next_id: 0,
            pending: Vec::new(),
            acked: BTreeMap::new(),
            delivered: BTreeMap::new(),
            syncs: 0,
            recoveries: 0,
        }
    }

    pub(crate) fn user(&self) -> (Username, UserId) {
        (self.identity.username().clone(), self.identity.id().clone())
    }

    /// Leaves for good.
    pub(crate) fn retire(&mut self) {
        self.disconnect();
        self.has_retired = true;
    }

    pub(crate) fn node(&self) -> Option<usize> {
        self.connection.as_ref().map(|connection| connection.node)
    }

    pub(crate) fn cursor(&self) -> u64 {
        self.since.as_ref().map_or(0, |since| since.seq)
    }

    /// What the client shows.
    pub(crate) fn log(&self) -> BTreeMap<u64, Shown> {
        self.log.iter().map(|(seq, (shown, _))| (*seq, shown.clone())).collect()
    }

    /// Leaves the node, which may be gone.
    pub(crate) fn disconnect(&mut self) {
        self.connection = None;
        self.is_behind = false;
    }

    /// Connects to a node. It may fail, or take too long.
    pub(crate) async fn connect(&mut self, node: usize, engine: &Engine, room: &RoomName) {
        let (sink, events) = Sink::channel(10_000);
        let options = Subscribe::new(sink).since(self.since.clone()).history(200);
        let joining = engine.join(&self.identity, room, options);
        if let Ok(Ok(member)) = timeout(PATIENCE, joining).await {
            self.connection = Some(Connection { node, member, events });
        }
    }

    /// Reads what has arrived.
    pub(crate) async fn read(&mut self) {
        loop {
            let Some(connection) = &mut self.connection else { return };
            match connection.events.next().now_or_never() {
                None => return,
                Some(None) => return self.disconnect(),
                Some(Some(event)) => self.apply(&event).await,
            }
        }
    }

    async fn apply(&mut self, event: &Event) {
        match event {
            Event::Joined(snapshot) => self.on_snapshot(snapshot),
            Event::Ack(ack) => {
                if let (Some(id), Some(seq)) = (&ack.id, ack.seq)
                    && id.as_str().starts_with(&self.prefix)
                {
                    self.pending.retain(|pending| pending != id);
                    let before = self.acked.insert(id.clone(), seq);
                    assert!(before.is_none_or(|before| before == seq), "{id:?} is stored once");
                }
            }
            Event::PresenceChanged(change) => {
                change.left.iter().for_each(|name| drop(self.members.remove(name)));
                let joined = change.joined.iter();
                self.members.extend(joined.map(|member| (member.username.clone(), member.user.clone())));
                assert_eq!(
                    self.members.len(),
                    change.member_count,
                    "{}: {change:?} {:?}",
                    self.name,
                    self.members
                );
            }
            _ if self.is_behind => {}
            Event::Message { message, .. } => {
                self.moves(message.seq, message.seq);
                self.hold(message);
            }
            Event::Edited(edit) => {
                self.moves(edit.seq, edit.seq);
                self.update(&edit.message);
            }
            Event::Deleted(deletion) => {
                self.moves(deletion.seq, deletion.seq);
                deletion.messages.iter().for_each(|message| self.update(message));
            }
            Event::Reacted(reacted) => {
                if reacted.seq <= self.cursor() {
                    return;
                }
                self.moves(reacted.first_seq.max(self.cursor() + 1), reacted.seq);
                if let Some((shown, changed)) = self.log.get_mut(&reacted.target)
                    && *changed < Some(reacted.seq)
                {
                    *changed = Some(reacted.seq);
                    for change in &reacted.changes {
                        shown.reactions.insert(change.emoji.clone(), change.count);
                    }
                    shown.reactions.retain(|_, count| *count > 0);
                }
            }
            Event::RoomChanged(change) => self.moves(change.seq, change.seq),
            Event::Sync(range) => match &range.outcome {
                Some(outcome) => {
                    self.syncs += 1;
                    self.moves(range.first_seq, range.seq);
                    outcome.messages.iter().chain(&outcome.changed).for_each(|message| self.hold(message));
                }
                None => self.resync().await,
            },
            Event::LeaveNotice { .. } => self.disconnect(),
            _ => {}
        }
    }

    pub(crate) async fn resync(&mut self) {
        let (Some(connection), Some(since)) = (&self.connection, &self.since) else { return };
        self.is_behind = true;
        let resync = connection.member.resync(Resync::new(since.clone()).history(200));
        // the answer comes as an event; without one the client connects again
        if !matches!(timeout(PATIENCE, resync).await, Ok(Ok(_))) {
            self.disconnect();
        }
    }

    fn on_snapshot(&mut self, snapshot: &Snapshot) {
        if snapshot.changed.is_none() {
            self.log.clear();
        } else {
            self.recoveries += 1;
        }
        let changed = snapshot.changed.iter().flatten();
        snapshot.messages.iter().chain(changed).for_each(|message| self.hold(message));
        let members = snapshot.members.iter();
        self.members = members.map(|member| (member.username.clone(), member.user.clone())).collect();
        assert_eq!(self.members.len(), snapshot.member_count);
        self.since = Some(Since { epoch: snapshot.epoch.clone(), seq: snapshot.seq });
        self.is_behind = false;
    }

    /// Moves the cursor over events that have to follow it.
    fn moves(&mut self, first: u64, last: u64) {
        let since = self.since.as_mut().expect("a snapshot comes first");
        assert_eq!(first, since.seq + 1, "{}: in order, without a gap", self.name);
        since.seq = last;
    }

    fn hold(&mut self, message: &Message) {
        let shown = Shown::of(message);
        if let Some((id, _)) = &shown.text {
            let before = self.delivered.insert(message.seq, id.clone());
            assert!(before.is_none_or(|before| before == *id), "a number belongs to one message");
        }
        if self.log.get(&message.seq).is_none_or(|(_, changed)| *changed <= message.changed_seq) {
            self.log.insert(message.seq, (shown, message.changed_seq));
        }
    }

    fn update(&mut self, message: &Message) {
        if self.log.contains_key(&message.seq) {
            self.hold(message);
        }
    }

    /// A command that is accepted or not, whose answer comes as an event.
    async fn submit<E>(&self, command: impl Future<Output = Result<(), E>>) {
        let _ = timeout(PATIENCE, command).await;
    }

    pub(crate) async fn say(&mut self) {
        let id: MessageId = format!("{}{}", self.prefix, self.next_id).parse().unwrap();
        self.next_id += 1;
        self.pending.push(id.clone());
        self.send(&id).await;
    }

    /// Sends a message, for the first time or again.
    pub(crate) async fn send(&self, id: &MessageId) {
        let Some(connection) = &self.connection else { return };
        let message = Outgoing { id: Some(id.clone()), ..format!("says {id}").into() };
        self.submit(connection.member.submit(message)).await;
    }

    pub(crate) async fn edit(&self, target: u64, body: String) {
        let Some(connection) = &self.connection else { return };
        self.submit(connection.member.submit_edit(Edit::new(target, body))).await;
    }

    pub(crate) async fn delete(&self, target: u64) {
        let Some(connection) = &self.connection else { return };
        self.submit(connection.member.submit_delete(Delete::new(target))).await;
    }

    pub(crate) async fn react(&self, target: u64, emoji: Emoji, is_added: bool) {
        let Some(connection) = &self.connection else { return };
        let react = if is_added { React::add(target, emoji) } else { React::remove(target, emoji) };
        self.submit(connection.member.submit_react(react)).await;
    }
}
