//! The events of one room as the store should have stored them.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use chat_history::{
    AppendError, Appended, NewDeletion, NewEdit, NewEvent, NewMessage, NewReaction, NewRoomChange,
    Permission, StoredEvent,
};
use chat_protocol::{Emoji, MayPost, MessageId, RoomSettings, UserId};
use tokio::time::Instant;

/// A stored message, as it was posted.
#[derive(Debug, Clone)]
pub(super) struct Stored {
    pub(super) message: NewMessage,
    /// The number of its append.
    pub(super) append: u64,
    /// Whether the store reported an error although it had stored the message.
    pub(super) has_failed: bool,
}

/// An event that was stored.
#[derive(Debug, Clone)]
pub(super) enum Logged {
    Message(Stored),
    Edit { target: u64, authors: Arc<[UserId]>, body: Arc<str> },
    Deletion { targets: Vec<u64>, has_failed: bool },
    Reaction { target: u64, emoji: Emoji, user: UserId, is_added: bool },
    RoomChange(RoomSettings),
}

/// The state of a message after one of its events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct State {
    /// `None` if it was deleted.
    pub(super) text: Option<TextState>,
    /// The number of the last event that has changed it.
    pub(super) changed: Option<u64>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TextState {
    pub(super) body: Arc<str>,
    pub(super) is_edited: bool,
    pub(super) reply_to: Option<u64>,
    pub(super) reactions: BTreeMap<Emoji, Count>,
}

/// How many users have an emoji on a message, and whether the session's user has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Count {
    pub(super) count: u64,
    pub(super) is_mine: bool,
}

/// What reactions have changed: the count at the end, and who has added and removed the emoji.
pub(super) type Changes = BTreeMap<Emoji, (u64, BTreeSet<UserId>, BTreeSet<UserId>)>;

/// What an id was used for.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Claim {
    Message { body: Arc<str>, reply_to: Option<u64> },
    Edit { target: u64, body: Arc<str> },
}

/// What becomes of an event.
#[derive(Debug, PartialEq, Eq)]
enum Expected {
    Stored,
    Duplicate(u64),
    Repeated(u64),
    Unchanged,
    IdReused,
    NotFound,
    NotAuthor,
    NotAllowed,
    Outdated,
    /// The room has checked it wrongly.
    Wrong,
}

/// The events of a room, by number, beginning at 1.
#[derive(Debug, Default)]
pub(super) struct RoomLog {
    events: Vec<Logged>,
    /// The numbers of the events that have changed each message.
    changes: BTreeMap<u64, Vec<u64>>,
    ids: HashMap<(UserId, MessageId), (Claim, u64)>,
    settings: RoomSettings,
    /// The version of the settings.
    version: u64,
    /// The room has certainly delivered the events up to this number.
    pub(super) delivered: u64,
    /// When the room knows the events of all appends that failed.
    pub(super) doubtful_until: Option<Instant>,
}

fn index(seq: u64) -> Option<usize> {
    usize::try_from(seq.checked_sub(1)?).ok()
}

impl RoomLog {
    pub(super) fn newest(&self) -> u64 {
        self.events.len() as u64
    }

    pub(super) fn event(&self, seq: u64) -> Option<&Logged> {
        self.events.get(index(seq)?)
    }

    pub(super) fn message(&self, seq: u64) -> Option<&Stored> {
        match self.event(seq)? {
            Logged::Message(stored) => Some(stored),
            _ => None,
        }
    }

    /// The numbers of the events that have changed a message.
    pub(super) fn changes(&self, seq: u64) -> &[u64] {
        self.changes.get(&seq).map(Vec::as_slice).unwrap_or_default()
    }

    /// The state of a message after the event with the number `at`, for a user; `None` if there is
    /// no such message.
    pub(super) fn state(&self, seq: u64, at: u64, user: Option<&UserId>) -> Option<State> {
        let NewMessage { body, .. } = &self.message(seq)?.message;
        let (mut body, mut is_edited, mut is_deleted) = (body, false, false);
        let mut reactors: BTreeMap<&Emoji, BTreeSet<&UserId>> = BTreeMap::new();
        let changes = self.changes(seq);
        let changes = &changes[..changes.partition_point(|change| *change <= at)];
        for event in changes.iter().filter_map(|change| self.event(*change)) {
            match event {
                Logged::Edit { body: edited, .. } => (body, is_edited) = (edited, true),
                Logged::Deletion { .. } => is_deleted = true,
                Logged::Reaction { emoji, user, is_added: true, .. } => {
                    reactors.entry(emoji).or_default().insert(user);
                }
                Logged::Reaction { emoji, user, is_added: false, .. } => {
                    reactors.entry(emoji).or_default().remove(user);
                }
                Logged::Message(_) | Logged::RoomChange(_) => {}
            }
        }
        reactors.retain(|_, users| !users.is_empty());
        let count = |(emoji, users): (&Emoji, BTreeSet<&UserId>)| {
            let is_mine = user.is_some_and(|user| users.contains(user));
            (emoji.clone(), Count { count: users.len() as u64, is_mine })
        };
        let text = (!is_deleted).then(|| TextState {
            body: Arc::clone(body),
            is_edited,
            reply_to: self.message(seq).and_then(|stored| stored.message.reply_to()),
            reactions: reactors.into_iter().map(count).collect(),
        });
        Some(State { text, changed: changes.last().copied() })
    }

    fn is_text(&self, seq: u64) -> bool {
        self.state(seq, u64::MAX, None).is_some_and(|state| state.text.is_some())
    }

    /// Whether all events from `first` to `last` are reactions.
    pub(super) fn are_reactions(&self, first: u64, last: u64) -> bool {
        (first..=last).all(|seq| matches!(self.event(seq), Some(Logged::Reaction { .. })))
    }

    /// What the reactions from `first` to `last` have changed; `None` if they are not all reactions
    /// on this message.
    pub(super) fn reactions(&self, first: u64, last: u64, message: u64) -> Option<Changes> {
        let mut users: BTreeMap<&Emoji, BTreeMap<&UserId, bool>> = BTreeMap::new();
        for seq in first..=last {
            let Logged::Reaction { target, emoji, user, is_added } = self.event(seq)? else { return None };
            if *target != message {
                return None;
            }
            users.entry(emoji).or_default().insert(user, *is_added);
        }
        let reactions = self.state(message, last, None)?.text?.reactions;
        let change = |(emoji, users): (&Emoji, BTreeMap<&UserId, bool>)| {
            let of = |expected: bool| {
                let users = users.iter().filter(|(_, is_added)| **is_added == expected);
                users.map(|(user, _)| (*user).clone()).collect()
            };
            let count = reactions.get(emoji).map_or(0, |reaction| reaction.count);
            (emoji.clone(), (count, of(true), of(false)))
        };
        Some(users.into_iter().map(change).collect())
    }

    /// Whether messages that were posted from `first` to `last`, or changed from `first` on, had
    /// reactions at any time.
    pub(super) fn had_reactions(&self, first: u64, last: u64) -> bool {
        let is_reaction = |seq: &u64| matches!(self.event(*seq), Some(Logged::Reaction { .. }));
        let concerned = |seq: u64, changes: &[u64]| {
            (first..=last).contains(&seq) || changes.iter().any(|change| *change >= first)
        };
        self.changes.iter().any(|(seq, changes)| concerned(*seq, changes) && changes.iter().any(is_reaction))
    }

    /// How many messages the deletions that did not fail have deleted.
    pub(super) fn deleted(&self) -> usize {
        let deleted = |event: &Logged| match event {
            Logged::Deletion { targets, has_failed: false } => targets.len(),
            _ => 0,
        };
        self.events.iter().map(deleted).sum()
    }

    /// Records what was stored. Returns `Some` if the result is wrong.
    pub(super) fn record(
        &mut self,
        new: &NewEvent,
        append: u64,
        has_failed: bool,
        outcome: &Result<Appended, AppendError>,
    ) -> Option<()> {
        let expected = match new {
            NewEvent::Message(message) => self.expect_message(message),
            NewEvent::Edit(edit) => self.expect_edit(edit),
            NewEvent::Deletion(deletion) => self.expect_deletion(deletion),
            NewEvent::Reaction(reaction) => self.expect_reaction(reaction),
            NewEvent::RoomChange(change) if change.settings == self.settings => Expected::Unchanged,
            NewEvent::RoomChange(_) => Expected::Stored,
            // no input changes the rules
            NewEvent::NewRules(_) => Expected::Wrong,
        };
        let is_right = match outcome {
            Ok(Appended::Stored(event)) => {
                expected == Expected::Stored
                    && event.seq() == self.newest() + 1
                    && self.store(new, append, has_failed, event)
            }
            Ok(Appended::Duplicate(message)) => {
                expected == Expected::Duplicate(message.seq)
                    && message.changed_seq == self.changes(message.seq).last().copied()
            }
            Ok(Appended::Repeated(seq)) => expected == Expected::Repeated(*seq),
            Ok(Appended::Unchanged) => expected == Expected::Unchanged,
            Err(AppendError::IdReused) => expected == Expected::IdReused,
            Err(AppendError::NotFound) => expected == Expected::NotFound,
            Err(AppendError::NotAuthor) => expected == Expected::NotAuthor,
            Err(AppendError::NotAllowed) => expected == Expected::NotAllowed,
            Err(AppendError::PolicyChanged(event)) => expected == Expected::Outdated && **event == *new,
            _ => false,
        };
        (!is_right).then_some(())
    }

    /// Whether what a user sends may be stored; if not, what becomes of it.
    fn permit(&self, permission: Option<Permission>) -> Option<Expected> {
        let Some(Permission { version, is_allowed, .. }) = permission else { return Some(Expected::Wrong) };
        if version != self.version {
            return Some(Expected::Outdated);
        }
        // all users are guests
        match (is_allowed, self.settings.post == MayPost::Everyone) {
            (true, true) => None,
            (false, false) => Some(Expected::NotAllowed),
            _ => Some(Expected::Wrong),
        }
    }

    fn expect_message(&self, new: &NewMessage) -> Expected {
        let key = (new.user.clone(), new.id.clone());
        if let Some((claim, seq)) = self.ids.get(&key).filter(|_| new.idempotent) {
            let own = Claim::Message { body: Arc::clone(&new.body), reply_to: new.reply_to() };
            return if *claim == own { Expected::Duplicate(*seq) } else { Expected::IdReused };
        }
        if new.reply_to().is_some_and(|target| !self.is_text(target)) {
            return Expected::NotFound;
        }
        self.permit(new.permission).unwrap_or(Expected::Stored)
    }

    fn expect_edit(&self, new: &NewEdit) -> Expected {
        if let Some((claim, seq)) = edit_key(new).and_then(|key| self.ids.get(&key)) {
            let own = Claim::Edit { target: new.target, body: Arc::clone(&new.body) };
            return if *claim == own { Expected::Repeated(*seq) } else { Expected::IdReused };
        }
        let Some(text) = self.state(new.target, u64::MAX, None).and_then(|state| state.text) else {
            return Expected::NotFound;
        };
        let author = self.message(new.target).map(|stored| &stored.message.user);
        if !author.is_some_and(|author| new.authors.contains(author)) {
            return Expected::NotAuthor;
        }
        let unless_refused = if text.body == new.body { Expected::Unchanged } else { Expected::Stored };
        self.permit(new.permission).unwrap_or(unless_refused)
    }

    fn expect_deletion(&self, new: &NewDeletion) -> Expected {
        if new.targets.iter().all(|target| self.message(*target).is_none()) {
            Expected::NotFound
        } else if new.targets.iter().any(|target| self.is_text(*target)) {
            Expected::Stored
        } else {
            Expected::Unchanged
        }
    }

    fn expect_reaction(&self, new: &NewReaction) -> Expected {
        let user = new.authors.first();
        let Some(text) = self.state(new.target, u64::MAX, user).and_then(|state| state.text) else {
            return Expected::NotFound;
        };
        let has = text.reactions.get(&new.emoji).is_some_and(|reaction| reaction.is_mine);
        let unless_refused = if has == new.is_added { Expected::Unchanged } else { Expected::Stored };
        self.permit(new.permission).unwrap_or(unless_refused)
    }

    /// Adds an event. Returns whether the store says the same about it.
    fn store(&mut self, new: &NewEvent, append: u64, has_failed: bool, stored: &StoredEvent) -> bool {
        let seq = self.newest() + 1;
        match (new, stored) {
            (NewEvent::Message(new), StoredEvent::Message(message)) => {
                if new.idempotent {
                    let claim = Claim::Message { body: Arc::clone(&new.body), reply_to: new.reply_to() };
                    self.ids.insert((new.user.clone(), new.id.clone()), (claim, seq));
                }
                self.events.push(Logged::Message(Stored { message: new.clone(), append, has_failed }));
                message.seq == seq && message.changed_seq.is_none()
            }
            (NewEvent::Edit(new), StoredEvent::Edit(edit)) => {
                let (target, body) = (new.target, Arc::clone(&new.body));
                if let Some(key) = edit_key(new) {
                    self.ids.insert(key, (Claim::Edit { target, body: Arc::clone(&body) }, seq));
                }
                self.change(&[target], Logged::Edit { target, authors: Arc::clone(&new.authors), body });
                edit.message.seq == target && edit.message.changed_seq == Some(seq)
            }
            (NewEvent::Deletion(new), StoredEvent::Deletion(deletion)) => {
                let is_text = |seq: &u64| self.is_text(*seq);
                let targets: Vec<_> = new.targets.iter().copied().filter(is_text).collect();
                let is_right =
                    deletion.messages.iter().map(|message| message.seq).eq(targets.iter().copied());
                self.change(&targets, Logged::Deletion { targets: targets.clone(), has_failed });
                is_right
            }
            (NewEvent::Reaction(new), StoredEvent::Reaction(reaction)) => {
                let (target, emoji, is_added) = (new.target, new.emoji.clone(), new.is_added);
                let Some(user) = new.authors.first().cloned() else { return false };
                self.change(&[target], Logged::Reaction { target, emoji, user, is_added });
                let message = &reaction.message;
                let (reactions, expected) = (
                    message.text().map(|text| text.reactions().len()),
                    self.state(target, seq, None).and_then(|state| state.text),
                );
                message.seq == target
                    && message.changed_seq == Some(seq)
                    && reactions == expected.map(|text| text.reactions.len())
            }
            (
                NewEvent::RoomChange(NewRoomChange { settings, .. }),
                StoredEvent::RoomChange(change, version),
            ) => {
                (self.settings, self.version) = (settings.clone(), self.version + 1);
                self.events.push(Logged::RoomChange(settings.clone()));
                change.settings == *settings && *version == self.version
            }
            _ => false,
        }
    }

    /// Adds an event that changes messages.
    fn change(&mut self, targets: &[u64], event: Logged) {
        self.events.push(event);
        let seq = self.newest();
        for target in targets {
            self.changes.entry(*target).or_default().push(seq);
        }
    }
}

fn edit_key(new: &NewEdit) -> Option<(UserId, MessageId)> {
    new.authors.first().cloned().zip(new.id.clone())
}
