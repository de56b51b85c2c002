//! What a client has received from a room, across all of its connections.

use std::collections::BTreeSet;
use std::sync::Arc;

use chat_protocol::v2::{Joined, Presence, Since, StoredMessage};
use chat_protocol::{Epoch, MessageId, UserId, Username};

/// A message as it was delivered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Delivered {
    pub(crate) seq: u64,
    pub(crate) id: MessageId,
    pub(crate) from: Username,
    pub(crate) user: UserId,
    pub(crate) body: Arc<str>,
}

/// A client's view of a room.
#[derive(Debug, Default)]
pub(crate) struct Log {
    epoch: Option<Epoch>,
    /// The number of the newest message at the first join: earlier messages are not delivered.
    pub(crate) start: u64,
    pub(crate) messages: Vec<Delivered>,
    /// The usernames of the members.
    pub(crate) members: BTreeSet<String>,
    /// Whether the client is a member, as far as it knows.
    pub(crate) is_member: bool,
    /// Whether the client rejoined before it had received all messages of its previous membership.
    overlaps: bool,
}

impl Log {
    pub(crate) fn newest(&self) -> u64 {
        self.messages.last().map_or(self.start, |message| message.seq)
    }

    /// The position after which messages are missing; `None` before the first join.
    pub(crate) fn since(&self) -> Option<Since> {
        Some(Since { epoch: self.epoch.clone()?, seq: self.newest() })
    }

    /// The client leaves and rejoins at once.
    pub(crate) fn on_leave(&mut self) {
        (self.is_member, self.overlaps) = (false, true);
    }

    /// The connection has ended.
    pub(crate) fn on_disconnect(&mut self) {
        (self.is_member, self.overlaps) = (false, false);
    }

    /// Applies `joined`: the first one sets the beginning, later ones must recover exactly the
    /// missed messages.
    pub(crate) fn on_joined(&mut self, joined: Joined) {
        match &self.epoch {
            None => self.start = joined.seq,
            Some(epoch) => {
                assert_eq!(*epoch, joined.epoch, "the epoch has not changed");
                assert!(joined.recovered, "the missed messages are recovered: {joined:?}");
            }
        }
        self.epoch = Some(joined.epoch);
        for message in joined.messages {
            let StoredMessage::Text { seq, id, from, user, body, .. } = message else {
                panic!("an erased message")
            };
            if self.overlaps && seq <= self.newest() {
                continue;
            }
            self.on_message(Delivered { seq, id, from, user, body });
        }
        self.overlaps = false;
        assert_eq!(self.newest(), joined.seq, "the live stream begins after the last message");
        self.members = joined.members.iter().map(|member| member.username.to_string()).collect();
        assert_eq!(self.members.len() as u64, joined.member_count);
        self.is_member = true;
    }

    /// Appends the next message; each is delivered once.
    pub(crate) fn on_message(&mut self, message: Delivered) {
        assert_eq!(message.seq, self.newest() + 1, "no gap and no repeat");
        self.messages.push(message);
    }

    pub(crate) fn on_presence(&mut self, presence: &Presence) {
        presence.left.iter().for_each(|gone| drop(self.members.take(gone.as_str())));
        self.members.extend(presence.joined.iter().map(|member| member.username.to_string()));
        assert_eq!(self.members.len() as u64, presence.member_count, "snapshot and changes add up");
    }
}
