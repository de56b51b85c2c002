//! What a client knows about a room that follows the cursor rule, and nothing else, across all of
//! its connections.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chat_protocol::v2::{
    Deleted, Edited, HistoryPage, Joined, MessageFrame, Presence, ReactionCount, Reactions, Reactor, Since,
    StoredMessage, SyncFrame,
};
use chat_protocol::{
    DeletedBy, Emoji, Epoch, Mention, MessageId, REACTION_NAMES, Reacted, ReplyTo, UserId, Username,
};

/// A message in a client's view.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Held {
    /// `None` if the message was deleted.
    pub(crate) text: Option<Text>,
    pub(crate) deleted_by: Option<DeletedBy>,
    pub(crate) changed_seq: Option<u64>,
}

/// The text of a message, and who sent it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Text {
    pub(crate) id: MessageId,
    pub(crate) from: Username,
    pub(crate) user: UserId,
    pub(crate) body: Arc<str>,
    pub(crate) reply_to: Option<Arc<ReplyTo>>,
    pub(crate) mentions: Option<Arc<[Mention]>>,
    pub(crate) is_edited: bool,
    pub(crate) reactions: BTreeMap<Emoji, Count>,
}

/// How many users have an emoji on a message, and whether the client's user has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Count {
    pub(crate) count: u64,
    pub(crate) is_mine: bool,
}

/// Whether the client asks for what it has missed.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Resync {
    #[default]
    NotNeeded,
    /// It has to ask.
    Needed,
    /// It has asked, and waits for `joined`.
    Asked,
}

/// A client's view of a room.
#[derive(Debug, Default)]
pub(crate) struct Log {
    epoch: Option<Epoch>,
    pub(crate) cursor: u64,
    /// The client has every message from this number on.
    pub(crate) first: u64,
    pub(crate) messages: BTreeMap<u64, Held>,
    /// How many durable frames the client has applied.
    pub(crate) applied: u64,
    /// The usernames of the members.
    pub(crate) members: BTreeSet<String>,
    /// Whether the client is a member, as far as it knows.
    pub(crate) is_member: bool,
    pub(crate) resync: Resync,
    /// Whether the client rejoined before it had received everything of its previous membership.
    overlaps: bool,
    /// Whether it had missed an event of its previous membership.
    has_gap: bool,
}

impl From<StoredMessage> for Held {
    fn from(message: StoredMessage) -> Self {
        match message {
            StoredMessage::Text {
                id,
                from,
                user,
                body,
                reply_to,
                mentions,
                edited_at,
                changed_seq,
                reactions,
                ..
            } => {
                let count = reactions.len();
                let counted = |reaction: ReactionCount| {
                    assert!(reaction.count > 0);
                    assert_eq!(reaction.users.len() as u64, reaction.count.min(REACTION_NAMES as u64));
                    (reaction.emoji, Count { count: reaction.count, is_mine: reaction.mine })
                };
                let reactions: BTreeMap<_, _> = reactions.into_iter().map(counted).collect();
                assert_eq!(reactions.len(), count, "each emoji is in a list once");
                let is_edited = edited_at.is_some();
                let text = Text { id, from, user, body, reply_to, mentions, is_edited, reactions };
                Self { text: Some(text), deleted_by: None, changed_seq }
            }
            StoredMessage::Deleted { by, changed_seq, .. } => {
                Self { text: None, deleted_by: Some(by), changed_seq: Some(changed_seq) }
            }
        }
    }
}

impl Log {
    /// The client's position; `None` before the first join.
    pub(crate) fn since(&self) -> Option<Since> {
        Some(Since { epoch: self.epoch.clone()?, seq: self.cursor })
    }

    /// The client leaves and rejoins at once.
    pub(crate) fn on_leave(&mut self) {
        self.has_gap = self.resync != Resync::NotNeeded;
        (self.is_member, self.overlaps, self.resync) = (false, true, Resync::NotNeeded);
    }

    /// The connection has ended.
    pub(crate) fn on_disconnect(&mut self) {
        (self.is_member, self.overlaps, self.resync) = (false, false, Resync::NotNeeded);
    }

    /// A command was not carried out; it may have been the resync.
    pub(crate) fn on_uncertain_outcome(&mut self) {
        if self.resync == Resync::Asked {
            self.resync = Resync::Needed;
        }
    }

    /// Whether the client's position is in another epoch than this one.
    pub(crate) fn is_of_other_epoch(&self, epoch: &Epoch) -> bool {
        self.epoch.as_ref().is_some_and(|known| known != epoch)
    }

    pub(crate) fn on_joined(&mut self, joined: Joined) {
        assert_eq!(joined.changed.is_some(), joined.recovered);
        assert_eq!(joined.last, joined.seq);
        if joined.recovered {
            // the client may have received more since it asked
            assert!(joined.first <= self.cursor + 1, "everything after the cursor");
            assert!(joined.seq >= self.cursor, "the answer has its place in the stream");
            assert!(!self.is_of_other_epoch(&joined.epoch), "a cursor of another epoch");
        } else {
            self.messages.clear();
            self.first = joined.first;
        }
        self.apply_list(joined.messages, joined.first, joined.last);
        for message in joined.changed.into_iter().flatten() {
            assert!(message.seq() < joined.first, "an older message");
            self.hold(message);
        }
        self.epoch = Some(joined.epoch);
        self.cursor = joined.seq;
        self.drop_before(joined.oldest);
        self.members = joined.members.iter().map(|member| member.username.to_string()).collect();
        assert_eq!(self.members.len() as u64, joined.member_count);
        (self.is_member, self.overlaps, self.resync) = (true, false, Resync::NotNeeded);
    }

    pub(crate) fn on_message(&mut self, message: MessageFrame) {
        if self.moves(message.seq, message.seq) {
            let MessageFrame { seq, id, from, user, body, reply_to, mentions, .. } = message;
            let (is_edited, reactions) = (false, BTreeMap::new());
            let text = Some(Text { id, from, user, body, reply_to, mentions, is_edited, reactions });
            let held = Held { text, deleted_by: None, changed_seq: None };
            let before = self.messages.insert(seq, held);
            assert_eq!(before, None, "a message is posted once");
        }
    }

    pub(crate) fn on_edited(&mut self, edited: Edited) {
        if !self.moves(edited.seq, edited.seq) {
            return;
        }
        assert!(edited.target < edited.seq);
        if let Some(held) = self.messages.get_mut(&edited.target)
            && held.changed_seq < Some(edited.seq)
        {
            held.changed_seq = Some(edited.seq);
            let text = held.text.as_mut().unwrap();
            (text.body, text.mentions, text.is_edited) = (edited.body, edited.mentions, true);
        }
    }

    /// Users have put emoji on a message, or removed them. `own` is the client's user.
    pub(crate) fn on_reactions(&mut self, event: &Reactions, own: &UserId) {
        let (first, seq) = (event.first_seq.unwrap_or(event.seq), event.seq);
        let users = || event.changes.iter().flat_map(|change| change.added.iter().chain(&change.removed));
        assert!(users().count() <= Reacted::MAX_USERS);
        assert!(event.target < first && !event.changes.is_empty());
        // a list may have included events that were merged only afterwards
        if seq <= self.cursor || !self.moves(first, seq) {
            return;
        }
        let Some(held) = self.messages.get_mut(&event.target).filter(|held| held.changed_seq < Some(seq))
        else {
            return;
        };
        held.changed_seq = Some(seq);
        let reactions = &mut held.text.as_mut().unwrap().reactions;
        for change in &event.changes {
            let has_own = |reactors: &[Reactor]| reactors.iter().any(|reactor| reactor.user == *own);
            let reaction = reactions.entry(change.emoji.clone()).or_default();
            reaction.count = change.count;
            reaction.is_mine = has_own(&change.added) || (reaction.is_mine && !has_own(&change.removed));
            assert!(change.count >= change.added.len() as u64);
            assert!(!reaction.is_mine || change.count > 0, "the count includes the client's user");
            if change.count == 0 {
                reactions.remove(&change.emoji);
            }
        }
    }

    /// The numbers of the messages that are not deleted, as far as the client knows.
    pub(crate) fn texts(&self) -> Vec<u64> {
        self.messages.iter().filter(|(_, held)| held.text.is_some()).map(|(seq, _)| *seq).collect()
    }

    /// The numbers of the messages that this user has written and that are not deleted.
    pub(crate) fn own(&self, user: &UserId) -> Vec<u64> {
        let is_own = |held: &Held| held.text.as_ref().is_some_and(|text| text.user == *user);
        self.messages.iter().filter(|(_, held)| is_own(held)).map(|(seq, _)| *seq).collect()
    }

    pub(crate) fn on_deleted(&mut self, deleted: &Deleted) {
        if !self.moves(deleted.seq, deleted.seq) {
            return;
        }
        for target in &deleted.targets {
            assert!(*target < deleted.seq);
            if let Some(held) = self.messages.get_mut(target)
                && held.changed_seq < Some(deleted.seq)
            {
                let changed_seq = Some(deleted.seq);
                *held = Held { text: None, deleted_by: Some(deleted.by), changed_seq };
            }
        }
    }

    pub(crate) fn on_sync(&mut self, sync: SyncFrame) {
        if !sync.recovered {
            assert!(sync.messages.is_none() && sync.changed.is_none());
            if sync.seq > self.cursor && self.resync == Resync::NotNeeded {
                self.resync = Resync::Needed;
            }
            return;
        }
        if self.moves(sync.first_seq, sync.seq) {
            self.apply_list(sync.messages.unwrap(), sync.first_seq, sync.seq);
            sync.changed.unwrap().into_iter().for_each(|message| self.hold(message));
        }
    }

    /// An older page that touches what the client has.
    pub(crate) fn on_history(&mut self, page: HistoryPage) {
        if self.is_of_other_epoch(&page.epoch) {
            self.resync = Resync::Needed;
            return;
        }
        if !self.is_member || page.last + 1 < self.first {
            // the view has begun again since the client asked
            return;
        }
        assert!(page.last <= self.cursor || self.resync != Resync::NotNeeded, "not ahead of the stream");
        self.apply_list(page.messages, page.first, page.last);
        self.first = self.first.min(page.first);
    }

    /// The cursor rule. Returns whether a frame has to be applied.
    fn moves(&mut self, first: u64, seq: u64) -> bool {
        assert!(first <= seq);
        if seq <= self.cursor {
            // the server repeats nothing, but two memberships and a resync may overlap
            assert!(self.overlaps || self.resync != Resync::NotNeeded, "{seq} again");
            return false;
        }
        if first > self.cursor + 1 {
            // only after an event that the server could not send
            let has_gap = self.overlaps && self.has_gap;
            assert!(has_gap || self.resync != Resync::NotNeeded, "{first} after {}", self.cursor);
            return false;
        }
        self.cursor = seq;
        self.applied += 1;
        true
    }

    /// Applies all messages of a range.
    fn apply_list(&mut self, messages: Vec<StoredMessage>, first: u64, last: u64) {
        assert!(first <= last + 1);
        assert!(messages.is_sorted_by(|a, b| a.seq() < b.seq()));
        for message in messages {
            assert!((first..=last).contains(&message.seq()), "outside of the range");
            self.hold(message);
        }
    }

    /// Replaces a message by a state from a list, unless the one that is held is newer. A list is
    /// not older than its place in the stream, so that it never is.
    fn hold(&mut self, message: StoredMessage) {
        let (seq, state) = (message.seq(), Held::from(message));
        if let Some(held) = self.messages.get(&seq) {
            assert!(held.changed_seq <= state.changed_seq, "an old state of {seq}: {state:?}, not {held:?}");
        }
        self.messages.insert(seq, state);
    }

    /// Drops what retention has removed.
    fn drop_before(&mut self, oldest: u64) {
        self.messages = self.messages.split_off(&oldest);
        self.first = self.first.max(oldest);
    }

    pub(crate) fn on_presence(&mut self, presence: &Presence) {
        presence.left.iter().for_each(|gone| drop(self.members.take(gone.as_str())));
        self.members.extend(presence.joined.iter().map(|member| member.username.to_string()));
        assert_eq!(self.members.len() as u64, presence.member_count, "snapshot and changes add up");
    }
}
