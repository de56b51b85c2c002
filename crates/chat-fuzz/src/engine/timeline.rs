//! The messages of a room as a client sees them that follows the cursor rule, and nothing else.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chat_protocol::v2::{
    Deleted, Edited, Joined, MessageFrame, ReactionCount, Reactions, Reactor, RoomChanged, StoredMessage,
    SyncFrame,
};
use chat_protocol::{DeletedBy, Epoch, REACTION_NAMES, Reacted, ReplyTo, RoomName, UserId};

use super::log::{Changes, Count, Logged, State, TextState};
use super::store::HeldHistory;

/// Who deletes messages here.
pub(super) const DELETED_BY: DeletedBy = DeletedBy::Operator;

/// What a client asks for when it joins or resyncs.
#[derive(Clone, Default)]
pub(super) struct Wanted {
    /// The requested `since` position: epoch and number.
    pub(super) since: Option<(Epoch, u64)>,
    pub(super) history: usize,
    /// The number of an event that was certainly delivered when it asked.
    pub(super) delivered: u64,
}

/// The timeline of one session. All that it is sent is compared with the stored events.
pub(super) struct Timeline {
    room: RoomName,
    user: UserId,
    /// The number of the newest event that it was sent.
    cursor: u64,
    /// It has all messages from this number on.
    first: u64,
    /// Its messages.
    states: BTreeMap<u64, State>,
    /// Whether it was notified of events that it was not sent: it has to resync.
    is_behind: bool,
}

impl Timeline {
    /// A timeline of this user that begins with a snapshot of the room.
    pub(super) fn new(joined: &Joined, user: UserId, wanted: &Wanted, store: &HeldHistory) -> Self {
        let (room, cursor, first) = (joined.room.clone(), joined.seq, joined.first);
        let mut timeline = Self { room, user, cursor, first, states: BTreeMap::new(), is_behind: false };
        timeline.snapshot(joined, wanted, store);
        timeline
    }

    pub(super) fn cursor(&self) -> u64 {
        self.cursor
    }

    pub(super) fn is_behind(&self) -> bool {
        self.is_behind
    }

    /// The newest event that a list may include: reactions are merged, and may come later, and what
    /// a session has missed it is not sent.
    pub(super) fn reach(&self, store: &HeldHistory) -> u64 {
        let newest = store.newest(&self.room);
        if self.is_behind {
            return newest;
        }
        let next = |seq: &u64| *seq < newest && store.are_reactions(&self.room, seq + 1, seq + 1);
        std::iter::successors(Some(self.cursor), |seq| next(seq).then(|| seq + 1)).last().unwrap_or_default()
    }

    /// Applies the answer to a resync, which is a part of the stream.
    pub(super) fn resynced(&mut self, joined: &Joined, wanted: &Wanted, store: &HeldHistory) {
        let expected = self.cursor..=self.reach(store);
        assert!(expected.contains(&joined.seq), "{} has its place in the stream: {expected:?}", joined.seq);
        let before = std::mem::replace(&mut self.cursor, joined.seq);
        if joined.recovered && joined.first > before + 1 {
            // it has named a position that it does not have
            self.states.clear();
            self.first = joined.first;
        }
        self.is_behind = false;
        self.snapshot(joined, wanted, store);
    }

    fn snapshot(&mut self, joined: &Joined, wanted: &Wanted, store: &HeldHistory) {
        let Joined { first, last, messages, .. } = joined;
        assert_eq!((&joined.room, *last, joined.oldest), (&self.room, joined.seq, 1));
        let since = wanted.since.as_ref().filter(|(epoch, _)| *epoch == joined.epoch).map(|(_, seq)| *seq);
        // a position beyond the newest event stays unknown, although there may be newer ones by now
        let is_known = since.is_some_and(|seq| seq <= wanted.delivered);
        let may_be_known = since.is_some_and(|seq| seq <= joined.seq);
        assert!(joined.recovered || !is_known, "{since:?} of {} can be recovered", joined.seq);
        assert!(may_be_known || !joined.recovered, "{since:?} of {} cannot be recovered", joined.seq);
        assert_eq!(joined.changed.is_some(), joined.recovered);
        self.assert_range(messages, *first, *last, store);
        if let (Some(since), Some(changed)) = (since, &joined.changed) {
            assert_eq!(*first, since + 1);
            self.assert_changed(changed, *first, since, store);
            self.first = self.first.min(*first);
            changed.iter().for_each(|state| self.hold(state));
        } else {
            let all = store.messages(&self.room, 1, joined.seq).len();
            assert_eq!(messages.len(), wanted.history.min(all), "the newest ones");
            self.states.clear();
            self.first = *first;
        }
        messages.iter().for_each(|state| self.hold(state));
    }

    /// The cursor rule, for the events from `first` to `seq`. Returns whether they have to be
    /// applied.
    fn moves(&mut self, room: &RoomName, first: u64, seq: u64) -> bool {
        assert_eq!(*room, self.room);
        if self.is_behind && first > self.cursor + 1 {
            return false;
        }
        assert_eq!(first, self.cursor + 1, "each event once, in order");
        self.cursor = seq;
        true
    }

    /// A message that may still be changed by the event `seq`.
    fn held(&mut self, message: u64, seq: u64) -> Option<&mut State> {
        let state = self.states.get_mut(&message).filter(|state| state.changed < Some(seq))?;
        state.changed = Some(seq);
        Some(state)
    }

    pub(super) fn message(&mut self, message: &MessageFrame) {
        if self.moves(&message.room, message.seq, message.seq) {
            let text = TextState {
                body: Arc::clone(&message.body),
                is_edited: false,
                reply_to: message.reply_to.as_ref().map(|reply_to| reply_to.seq),
                reactions: BTreeMap::new(),
            };
            self.states.insert(message.seq, State { text: Some(text), changed: None });
        }
    }

    pub(super) fn edited(&mut self, edited: &Edited, store: &HeldHistory) {
        let event = store.event(&self.room, edited.seq);
        let is_right = matches!(&event, Some(Logged::Edit { target, body, .. })
            if *target == edited.target && *body == edited.body);
        assert!(is_right && edited.mentions.is_none(), "{edited:?}, not {event:?}");
        if self.moves(&edited.room, edited.seq, edited.seq)
            && let Some(state) = self.held(edited.target, edited.seq)
        {
            let text = state.text.as_mut().expect("a deleted message is not edited");
            (text.body, text.is_edited) = (Arc::clone(&edited.body), true);
        }
    }

    pub(super) fn deleted(&mut self, deleted: &Deleted, store: &HeldHistory) {
        let event = store.event(&self.room, deleted.seq);
        let is_right =
            matches!(&event, Some(Logged::Deletion { targets, .. }) if *targets == deleted.targets);
        assert!(is_right && deleted.by == DELETED_BY, "{deleted:?}, not {event:?}");
        if !self.moves(&deleted.room, deleted.seq, deleted.seq) {
            return;
        }
        for target in &deleted.targets {
            if let Some(state) = self.held(*target, deleted.seq) {
                state.text = None;
            }
        }
    }

    pub(super) fn reacted(&mut self, event: &Reactions, store: &HeldHistory) {
        let (first, seq, target) = (event.first_seq.unwrap_or(event.seq), event.seq, event.target);
        assert!(event.first_seq.is_none_or(|first| first < seq), "{event:?}");
        let users = |reactors: &[Reactor]| reactors.iter().map(|reactor| reactor.user.clone()).collect();
        let count: usize = event.changes.iter().map(|change| change.added.len() + change.removed.len()).sum();
        let changes: Changes = event
            .changes
            .iter()
            .map(|change| {
                let (added, removed): (BTreeSet<_>, BTreeSet<_>) =
                    (users(&change.added), users(&change.removed));
                (change.emoji.clone(), (change.count, added, removed))
            })
            .collect();
        let unique: usize = changes.values().map(|(_, added, removed)| added.len() + removed.len()).sum();
        assert!(count == unique && count <= Reacted::MAX_USERS, "each user once, and not too many: {count}");
        assert_eq!(Some(&changes), store.reactions(&self.room, first, seq, target).as_ref(), "{event:?}");
        // a snapshot may have included some of them
        if seq <= self.cursor || !self.moves(&event.room, first.max(self.cursor + 1), seq) {
            return;
        }
        let user = self.user.clone();
        let Some(state) = self.held(target, seq) else { return };
        let reactions = &mut state.text.as_mut().expect("nobody reacts to a deleted message").reactions;
        for (emoji, (count, added, removed)) in changes {
            let reaction = reactions.entry(emoji).or_default();
            let is_mine = added.contains(&user) || (reaction.is_mine && !removed.contains(&user));
            *reaction = Count { count, is_mine };
        }
        reactions.retain(|_, reaction| reaction.count > 0);
    }

    pub(super) fn room_changed(&mut self, changed: &RoomChanged, store: &HeldHistory) {
        let event = store.event(&self.room, changed.seq);
        let is_right =
            matches!(&event, Some(Logged::RoomChange(settings)) if *settings == changed.info.settings);
        assert!(is_right, "{changed:?}, not {event:?}");
        self.moves(&changed.room, changed.seq, changed.seq);
    }

    /// Applies a range of events, of which it returns the messages.
    pub(super) fn synced(&mut self, sync: &SyncFrame, store: &HeldHistory) -> Vec<u64> {
        let (first, seq) = (sync.first_seq, sync.seq);
        assert!((first..=store.newest(&self.room)).contains(&seq), "a range of stored events");
        if !sync.recovered {
            assert!(sync.messages.is_none() && sync.changed.is_none());
            assert!(
                store.had_reactions(&self.room, first, seq),
                "no outcome, although it fits, the store answers, and there are no reactions"
            );
            assert!(self.is_behind || first == self.cursor + 1, "each event once, in order");
            self.is_behind |= seq > self.cursor;
            return Vec::new();
        }
        let (Some(messages), Some(changed)) = (&sync.messages, &sync.changed) else { panic!("no outcome") };
        // which of the reactions are its own, such a range does not say
        let has_reactions = |message: &StoredMessage| matches!(message, StoredMessage::Text { reactions, .. } if !reactions.is_empty());
        assert!(!messages.iter().chain(changed).any(has_reactions), "{sync:?}");
        if self.moves(&sync.room, first, seq) {
            self.assert_range(messages, first, seq, store);
            self.assert_changed(changed, first, first - 1, store);
            changed.iter().chain(messages).for_each(|state| self.hold(state));
        }
        messages.iter().map(StoredMessage::seq).collect()
    }

    /// Applies a page of older messages.
    pub(super) fn page(&mut self, first: u64, last: u64, messages: &[StoredMessage], store: &HeldHistory) {
        self.assert_range(messages, first, last, store);
        if last + 1 >= self.first {
            self.first = self.first.min(first);
        }
        messages.iter().for_each(|state| self.hold(state));
    }

    /// Holds a state of a message that it has, or that is in its range, unless it has a newer one.
    fn hold(&mut self, message: &StoredMessage) {
        let state = State::from(message);
        match self.states.get(&message.seq()) {
            _ if message.seq() < self.first => {}
            Some(held) if held.changed > state.changed => {}
            _ => drop(self.states.insert(message.seq(), state)),
        }
    }

    /// Checks that these are all messages of a range, in states that include all events so far.
    fn assert_range(&self, messages: &[StoredMessage], first: u64, last: u64, store: &HeldHistory) {
        assert!(first >= 1 && first <= last + 1 && last <= self.reach(store), "{first} to {last}");
        let seqs: Vec<_> = messages.iter().map(StoredMessage::seq).collect();
        assert_eq!(seqs, store.messages(&self.room, first, last), "the messages from {first} to {last}");
        messages.iter().for_each(|state| self.assert_state(state, store));
    }

    /// Checks that these are all messages before `first` that the events after `after` have
    /// changed.
    fn assert_changed(&self, changed: &[StoredMessage], first: u64, after: u64, store: &HeldHistory) {
        let expected = store.changed(&self.room, first, after);
        let seqs: Vec<_> = changed.iter().map(StoredMessage::seq).collect();
        assert!(seqs.is_sorted_by(|one, other| one < other), "{seqs:?}, oldest first");
        // a state may be newer than the place of the list in the stream
        let required = expected.iter().filter(|(_, change)| *change <= self.cursor).map(|(seq, _)| *seq);
        let (allowed, seqs): (BTreeSet<_>, BTreeSet<_>) =
            (expected.iter().map(|(seq, _)| *seq).collect(), seqs.into_iter().collect());
        let required: BTreeSet<_> = required.collect();
        assert!(
            required.is_subset(&seqs) && seqs.is_subset(&allowed),
            "{seqs:?} changed after {after}, not {required:?} to {allowed:?}"
        );
        changed.iter().for_each(|state| self.assert_state(state, store));
    }

    /// Checks that a state of a list is one that the message had, and not an old one.
    fn assert_state(&self, message: &StoredMessage, store: &HeldHistory) {
        let (seq, state) = (message.seq(), State::from(message));
        match message {
            StoredMessage::Text { id, from, user, reply_to, .. } => {
                let expected = store.message(&self.room, seq).message;
                assert_eq!((id, from, user), (&expected.id, &expected.from, &expected.user));
                reply_to.iter().for_each(|reply_to| assert_reply(reply_to, &self.room, store));
            }
            StoredMessage::Deleted { by, .. } => assert_eq!(*by, DELETED_BY),
        }
        let changes = store.changes(&self.room, seq);
        let missed = changes.iter().filter(|change| Some(**change) > state.changed);
        assert!(
            !missed.clone().any(|change| *change <= self.cursor),
            "{state:?} of {seq} comes back at {}, after {changes:?}",
            self.cursor
        );
        let at = |event: u64| store.message_state(&self.room, seq, event, &self.user).expect("a message");
        let expected = at(state.changed.unwrap_or(seq));
        assert_eq!(without_own(&state), without_own(&expected), "the state of {seq}");
        // which of the reactions are its own may be known as of a later event
        let later: Vec<_> = missed.map(|change| at(*change)).chain([expected]).collect();
        for (emoji, reaction) in state.text.iter().flat_map(|text| &text.reactions) {
            let is_mine = |later: &State| {
                let reactions = later.text.as_ref().map(|text| &text.reactions);
                reactions.and_then(|all| all.get(emoji)).is_some_and(|reaction| reaction.is_mine)
            };
            let is_right = later.iter().any(|later| is_mine(later) == reaction.is_mine);
            assert!(is_right, "{emoji} on {seq} is not {reaction:?}");
        }
    }

    /// Checks that it has exactly the stored messages in their states.
    pub(super) fn assert_complete(&self, store: &HeldHistory) {
        assert_eq!(self.cursor, store.newest(&self.room), "it has received everything");
        let state = |seq| Some((seq, store.message_state(&self.room, seq, u64::MAX, &self.user)?));
        let expected = store.messages(&self.room, self.first, self.cursor).into_iter().filter_map(state);
        assert_eq!(self.states, expected.collect(), "the messages from {} on", self.first);
    }
}

impl From<&StoredMessage> for State {
    fn from(message: &StoredMessage) -> Self {
        match message {
            StoredMessage::Text { body, edited_at, reply_to, mentions, reactions, changed_seq, .. } => {
                assert_eq!(*mentions, None, "nobody is addressed");
                let count = |reaction: &ReactionCount| {
                    let sample = reaction.count.min(REACTION_NAMES as u64);
                    assert!(reaction.count > 0 && reaction.users.len() as u64 == sample, "{reaction:?}");
                    (reaction.emoji.clone(), Count { count: reaction.count, is_mine: reaction.mine })
                };
                let text = TextState {
                    body: Arc::clone(body),
                    is_edited: edited_at.is_some(),
                    reply_to: reply_to.as_ref().map(|reply_to| reply_to.seq),
                    reactions: reactions.iter().map(count).collect(),
                };
                assert_eq!(text.reactions.len(), reactions.len(), "each emoji once");
                Self { text: Some(text), changed: *changed_seq }
            }
            StoredMessage::Deleted { changed_seq, .. } => Self { text: None, changed: Some(*changed_seq) },
        }
    }
}

fn without_own(state: &State) -> State {
    let mut state = state.clone();
    let reactions = state.text.iter_mut().flat_map(|text| text.reactions.values_mut());
    reactions.for_each(|reaction| reaction.is_mine = false);
    state
}

/// The messages that a session with lists of members receives: each one once, and no deletions.
#[derive(Default)]
pub(super) struct MessageStream {
    /// The number of the last message. Before the first one: of an event that was delivered before
    /// the session joined.
    newest: u64,
    /// The number of the newest stored event when the session joined. It may be one of those that
    /// are delivered afterwards.
    start: u64,
}

impl MessageStream {
    pub(super) fn new(delivered: u64, stored: u64) -> Self {
        Self { newest: delivered, start: stored }
    }

    pub(super) fn message(&mut self, room: &RoomName, seq: u64, store: &HeldHistory) {
        assert!(seq > self.newest, "{seq} after {}", self.newest);
        self.assert_no_message(room, seq - 1, store);
        (self.newest, self.start) = (seq, 0);
    }

    /// Checks that there are no messages after the last one that it has, up to this number.
    pub(super) fn assert_no_message(&self, room: &RoomName, last: u64, store: &HeldHistory) {
        let missing = store.messages(room, self.newest.max(self.start) + 1, last);
        assert_eq!(missing, Vec::<u64>::new(), "messages that were not delivered");
    }
}

/// The fields of a message that a client is sent. Sessions with lists of members may receive a
/// newer state, if it was not known that the message was stored.
pub(super) fn assert_message(message: &MessageFrame, may_be_edited: bool, store: &HeldHistory) {
    let MessageFrame { room, seq, body, .. } = message;
    let expected = store.message(room, *seq).message;
    let received = (&message.id, &message.user, &message.from, &message.mentions);
    assert_eq!(received, (&expected.id, &expected.user, &expected.from, &None));
    let is_edit = |change: &u64| matches!(store.event(room, *change), Some(Logged::Edit { body: edited, .. }) if edited == *body);
    let is_edited = || may_be_edited && store.changes(room, *seq).iter().any(is_edit);
    assert!(*body == expected.body || is_edited(), "{body}, not {}", expected.body);
    assert_eq!(message.reply_to.as_ref().map(|reply_to| reply_to.seq), expected.reply_to());
    message.reply_to.iter().for_each(|reply_to| assert_reply(reply_to, room, store));
}

/// Checks what a reply says about the message that it replies to.
fn assert_reply(reply_to: &ReplyTo, room: &RoomName, store: &HeldHistory) {
    let target = store.message(room, reply_to.seq).message;
    assert_eq!((&reply_to.from, &reply_to.user), (&target.from, &target.user));
}
