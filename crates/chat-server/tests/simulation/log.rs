//! What a client has seen of a room, over all of its connections.

use std::collections::BTreeSet;
use std::sync::Arc;

use chat_protocol::v2::{Joined, Presence, Since, StoredMessage};
use chat_protocol::{Epoch, MessageId, Username};

/// One message, as it was shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Shown {
    pub(crate) seq: u64,
    pub(crate) id: MessageId,
    pub(crate) from: Username,
    pub(crate) body: Arc<str>,
}

/// A room as one client knows it.
#[derive(Debug, Default)]
pub(crate) struct Log {
    epoch: Option<Epoch>,
    /// The newest message when it came for the first time: what is before is not its own.
    pub(crate) from: u64,
    pub(crate) shown: Vec<Shown>,
    /// Who is there.
    pub(crate) members: BTreeSet<String>,
    /// Whether it is in, as far as it knows.
    pub(crate) is_in: bool,
    /// Whether it asked for everything since some message before it had heard all of the stay before.
    overlaps: bool,
}

impl Log {
    pub(crate) fn newest(&self) -> u64 {
        self.shown.last().map_or(self.from, |shown| shown.seq)
    }

    /// Where it left off; none before it was in for the first time.
    pub(crate) fn since(&self) -> Option<Since> {
        Some(Since { epoch: self.epoch.clone()?, seq: self.newest() })
    }

    /// It leaves, and comes again at once.
    pub(crate) fn leaves(&mut self) {
        (self.is_in, self.overlaps) = (false, true);
    }

    /// The connection is over.
    pub(crate) fn is_out(&mut self) {
        (self.is_in, self.overlaps) = (false, false);
    }

    /// Everything since then, and nothing else; or, the first time, where it begins.
    pub(crate) fn joined(&mut self, joined: Joined) {
        match &self.epoch {
            None => self.from = joined.seq,
            Some(epoch) => {
                assert_eq!(*epoch, joined.epoch, "nothing was lost");
                assert!(joined.recovered, "what was missed is all there, and not too much: {joined:?}");
            }
        }
        self.epoch = Some(joined.epoch);
        for message in joined.messages {
            let StoredMessage::Said { seq, id, from, body, .. } = message else { panic!("nobody erases") };
            if self.overlaps && seq <= self.newest() {
                continue;
            }
            self.show(Shown { seq, id, from, body });
        }
        self.overlaps = false;
        assert_eq!(self.newest(), joined.seq, "the live stream begins behind the last");
        self.members = joined.members.iter().map(|member| member.username.to_string()).collect();
        assert_eq!(self.members.len() as u64, joined.member_count);
        self.is_in = true;
    }

    /// The next one, each once.
    pub(crate) fn show(&mut self, shown: Shown) {
        assert_eq!(shown.seq, self.newest() + 1, "one behind the other");
        self.shown.push(shown);
    }

    pub(crate) fn presence(&mut self, presence: &Presence) {
        presence.left.iter().for_each(|gone| drop(self.members.take(gone.as_str())));
        self.members.extend(presence.joined.iter().map(|member| member.username.to_string()));
        assert_eq!(self.members.len() as u64, presence.member_count, "snapshot and changes add up");
    }
}
