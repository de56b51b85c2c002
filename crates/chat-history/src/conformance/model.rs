//! A model of a store: whatever is done to a store, the results are those of plain lists.

use std::iter;

use chat_protocol::Text;

use super::History;
use super::helpers::{
    all_after, all_before, append, body, deletion, idempotent_message, message, name, newest, prune,
    reaction, room, seqs, user,
};
use crate::{AppendError, NewEdit, Retention};

/// The rooms that operations are about.
pub const ROOMS: [&str; 3] = ["a", "b", "c"];

/// The emoji that users put on messages.
pub const EMOJI: [&str; 2] = ["👍", "🎉"];

/// An operation on a store.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Operation {
    /// Append a message with a generated id.
    Append {
        /// The index of the room in [`ROOMS`].
        room: usize,
        /// The author.
        user: u8,
        /// The text.
        body: u8,
    },
    /// Append a message with an id that its author has chosen.
    AppendIdempotent {
        /// The index of the room in [`ROOMS`].
        room: usize,
        /// The author.
        user: u8,
        /// The text.
        body: u8,
        /// The id.
        id: u8,
    },
    /// Edit a message, which may not exist, be deleted, or be of another author.
    Edit {
        /// The index of the room in [`ROOMS`].
        room: usize,
        /// Who edits it.
        user: u8,
        /// The number of the message.
        target: u64,
        /// The new text.
        body: u8,
    },
    /// Put an emoji on a message, or remove it. The message may not exist or be deleted.
    React {
        /// The index of the room in [`ROOMS`].
        room: usize,
        /// Who does it.
        user: u8,
        /// The number of the message.
        target: u64,
        /// The index of the emoji in [`EMOJI`].
        emoji: usize,
        /// Whether the emoji is put on the message.
        is_added: bool,
    },
    /// Delete messages, some of which may not exist or be deleted already.
    Delete {
        /// The index of the room in [`ROOMS`].
        room: usize,
        /// The number of the first target.
        first: u64,
        /// The number of targets, with consecutive numbers.
        count: u64,
    },
    /// Prune all but this number of the newest messages of each room.
    Prune {
        /// The number of messages to keep.
        count: u64,
    },
}

impl Operation {
    /// The `n`th operation of a sequence that looks random and is the same in each run (the
    /// finaliser of SplitMix64).
    pub(super) fn pseudorandom(n: u64) -> Self {
        let n = (n + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let n = (n ^ (n >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let n = (n ^ (n >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let mut bits = iter::successors(Some(n ^ (n >> 31)), |bits| Some(bits >> 8)).map(|bits| bits as u8);
        let mut below = |bound: u8| bits.next().unwrap_or_default() % bound;
        let (kind, room, user, body, id) = (below(20), usize::from(below(3)), below(2), below(2), below(4));
        match kind {
            0..4 => Self::Append { room, user, body },
            4..11 => Self::AppendIdempotent { room, user, body, id },
            11..13 => Self::Edit { room, user, target: u64::from(below(100)), body },
            13..15 => Self::Delete { room, first: u64::from(below(100)), count: u64::from(below(4)) + 1 },
            15..19 => {
                let (target, emoji) = (u64::from(below(100)), usize::from(body));
                Self::React { room, user, target, emoji, is_added: id > 0 }
            }
            _ => Self::Prune { count: u64::from(below(6)) },
        }
    }
}

/// Whether a store recognises the id of a pruned message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PrunedIds {
    /// Never: the id goes with its message.
    Forgotten,
    /// Always.
    Recognised,
    /// Either, which is what the trait promises.
    Either,
}

/// The expected content of a room: what happened, by number.
#[derive(Debug, Default)]
struct Room {
    /// The messages; `None` for other events.
    events: Vec<Option<Posted>>,
}

#[derive(Debug)]
struct Posted {
    author: u8,
    /// The text that was sent.
    text: String,
    /// The text now; `None` if the message is deleted.
    now: Option<String>,
    /// The last event that changed the message.
    changed_by: Option<u64>,
    /// The users who have put each emoji on it, in the order of the emoji's first use.
    reactions: Vec<(usize, Vec<u8>)>,
    /// The author and the id of an idempotent message.
    key: Option<(u8, u8)>,
    pruned: bool,
}

impl Room {
    fn newest(&self) -> u64 {
        self.events.len() as u64
    }

    fn post(&mut self, author: u8, text: String, key: Option<(u8, u8)>) -> u64 {
        let now = Some(text.clone());
        let (changed_by, reactions, pruned) = (None, Vec::new(), false);
        self.events.push(Some(Posted { author, text, now, changed_by, reactions, key, pruned }));
        self.newest()
    }

    /// The messages that are kept, with their numbers.
    fn kept(&mut self) -> impl DoubleEndedIterator<Item = (u64, &mut Posted)> {
        let messages = (1..).zip(&mut self.events).filter_map(|(seq, event)| Some((seq, event.as_mut()?)));
        messages.filter(|(_, posted)| !posted.pruned).collect::<Vec<_>>().into_iter()
    }

    /// The newest message with an id, and its text. There are several only if the id of a pruned
    /// one was forgotten.
    fn newest_with(&self, key: (u8, u8), with_pruned: bool) -> Option<(u64, &str)> {
        let messages = (1..).zip(&self.events).filter_map(|(seq, event)| Some((seq, event.as_ref()?)));
        messages
            .filter(|(_, posted)| posted.key == Some(key) && (with_pruned || !posted.pruned))
            .map(|(seq, posted)| (seq, posted.text.as_str()))
            .last()
    }

    /// Edits a message, and returns the number of the event; `None` if it has this text.
    fn edit(&mut self, author: u8, target: u64, text: &str) -> Result<Option<u64>, AppendError> {
        let event = self.newest() + 1;
        let (_, posted) = self.kept().find(|(seq, _)| *seq == target).ok_or(AppendError::NotFound)?;
        let now = posted.now.as_mut().ok_or(AppendError::NotFound)?;
        if posted.author != author {
            return Err(AppendError::NotAuthor);
        }
        if now == text {
            return Ok(None);
        }
        text.clone_into(now);
        posted.changed_by = Some(event);
        self.events.push(None);
        Ok(Some(event))
    }

    /// Adds or removes a reaction, and returns the number of the event; `None` if nothing changes.
    fn react(
        &mut self,
        user: u8,
        target: u64,
        emoji: usize,
        is_added: bool,
    ) -> Result<Option<u64>, AppendError> {
        let event = self.newest() + 1;
        let (_, posted) = self.kept().find(|(seq, _)| *seq == target).ok_or(AppendError::NotFound)?;
        posted.now.as_ref().ok_or(AppendError::NotFound)?;
        let known = posted.reactions.iter().position(|(known, _)| *known == emoji);
        let has = known.is_some_and(|index| posted.reactions[index].1.contains(&user));
        if has == is_added {
            return Ok(None);
        }
        match known {
            Some(index) if is_added => posted.reactions[index].1.push(user),
            Some(index) => posted.reactions[index].1.retain(|other| *other != user),
            None => posted.reactions.push((emoji, vec![user])),
        }
        posted.reactions.retain(|(_, users)| !users.is_empty());
        posted.changed_by = Some(event);
        self.events.push(None);
        Ok(Some(event))
    }

    /// Deletes messages, and returns the number of the event; `None` if they are deleted already.
    fn delete(&mut self, targets: &[u64]) -> Result<Option<u64>, AppendError> {
        let event = self.newest() + 1;
        let (mut exists, mut changes) = (false, false);
        for (_, posted) in self.kept().filter(|(seq, _)| targets.contains(seq)) {
            exists = true;
            if posted.now.take().is_some() {
                posted.reactions.clear();
                posted.changed_by = Some(event);
                changes = true;
            }
        }
        if changes {
            self.events.push(None);
        }
        if exists { Ok(changes.then_some(event)) } else { Err(AppendError::NotFound) }
    }

    fn prune(&mut self, count: usize) {
        self.kept().rev().skip(count).for_each(|(_, posted)| posted.pruned = true);
    }
}

/// Performs operations on a store, compares each result with the model, and at the end all
/// messages, read in both directions in pages of `limit` messages, and what has changed.
///
/// # Panics
/// If a result differs.
pub async fn compare(history: History, operations: Vec<Operation>, limit: usize, pruned_ids: PrunedIds) {
    let store = &*history.store;
    let mut rooms: [Room; ROOMS.len()] = Default::default();
    for operation in operations {
        match operation {
            Operation::Append { room: i, user, body } => {
                let text = format!("{body}");
                let new = message(ROOMS[i], &format!("u{user}"), &text);
                let appended = append(store, new).await.unwrap();
                let seq = rooms[i].post(user, text, None);
                assert_eq!((appended.seq(), appended.is_duplicate()), (Some(seq), false));
            }
            Operation::AppendIdempotent { room: i, user, body, id } => {
                let text = format!("{body}");
                let new = idempotent_message(ROOMS[i], &format!("u{user}"), &text, &format!("i{id}"));
                let result = append(store, new)
                    .await
                    .map(|appended| (appended.seq().unwrap(), appended.is_duplicate()));
                let room = &mut rooms[i];
                let recognises_pruned = match pruned_ids {
                    PrunedIds::Forgotten => false,
                    PrunedIds::Recognised => true,
                    PrunedIds::Either => matches!(result, Ok((_, true)) | Err(AppendError::IdReused)),
                };
                let expected = match room.newest_with((user, id), recognises_pruned) {
                    Some((_, first)) if first != text => Err(AppendError::IdReused),
                    Some((seq, _)) => Ok((seq, true)),
                    None => Ok((room.post(user, text, Some((user, id))), false)),
                };
                assert_eq!(result, expected);
            }
            Operation::Delete { room: i, first, count } => {
                let targets: Vec<_> = (first..first + count).collect();
                let result = append(store, deletion(ROOMS[i], &targets)).await;
                assert_eq!(result.map(|appended| appended.seq()), rooms[i].delete(&targets));
            }
            Operation::Edit { room: i, user: by, target, body } => {
                let (author, text) = (format!("u{by}"), format!("{body}"));
                let authors = [user(&author)].into_iter().collect();
                let edit = NewEdit::new(room(ROOMS[i]), target, authors, name(&author), text.as_str());
                let result = append(store, edit).await;
                assert_eq!(result.map(|appended| appended.seq()), rooms[i].edit(by, target, &text));
            }
            Operation::React { room: i, user: by, target, emoji, is_added } => {
                let new = reaction(ROOMS[i], &format!("u{by}"), target, EMOJI[emoji], is_added);
                let result = append(store, new).await;
                let expected = rooms[i].react(by, target, emoji, is_added);
                assert_eq!(result.map(|appended| appended.seq()), expected);
            }
            Operation::Prune { count } => {
                prune(store, Retention::new(None, Some(count))).await;
                rooms.iter_mut().for_each(|room| room.prune(count as usize));
            }
        }
    }
    for (in_room, mut expected) in ROOMS.into_iter().zip(rooms) {
        assert_eq!(newest(store, in_room).await, expected.newest());
        let forwards = all_after(store, in_room, limit).await;
        let backwards = all_before(store, in_room, limit).await;
        assert_eq!(forwards, backwards);
        let found: Vec<_> =
            forwards.iter().map(|message| (message.seq, body(message), message.changed_seq)).collect();
        let kept: Vec<_> =
            expected.kept().map(|(seq, posted)| (seq, posted.now.as_deref(), posted.changed_by)).collect();
        assert_eq!(found, kept);
        for (message, (_, posted)) in forwards.iter().zip(expected.kept()) {
            let count = |(emoji, users): &(usize, Vec<u8>)| (EMOJI[*emoji].to_owned(), users.len() as u64);
            let counts: Vec<_> = posted.reactions.iter().map(count).collect();
            let found = message.text().map(Text::reactions).unwrap_or_default();
            let found: Vec<_> =
                found.iter().map(|reaction| (reaction.emoji.to_string(), reaction.count)).collect();
            assert_eq!(found, counts);
        }
        for after in 0..=expected.newest() {
            let changed = store.changed(room(in_room), after, 1_000).await.unwrap();
            let is_changed = |(seq, posted): (u64, &mut Posted)| {
                posted.changed_by.is_some_and(|by| by > after).then_some(seq)
            };
            let kept: Vec<_> = expected.kept().filter_map(is_changed).collect();
            assert_eq!((seqs(&changed.messages.unwrap()), changed.newest), (kept, expected.newest()));
        }
    }
}
