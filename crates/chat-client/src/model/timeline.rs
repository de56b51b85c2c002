//! The messages of a room that a program holds.

use std::collections::BTreeMap;
use std::sync::Arc;

use chat_protocol::v2::{Deleted, Edited, ReactionCount, StoredMessage};
use chat_protocol::{REACTION_NAMES, RoomName};

use super::event::{Event, Reacted};

/// The messages of one room, each in its newest known state. A program that shows or stores
/// messages applies all events to it in their order, and gets the same messages as everyone else.
///
/// A state may arrive before the event that leads to it: a list contains messages in their current
/// states. The rule is that the state with the greater `changed_seq` wins; a message without one is
/// as it was posted. So every event can be applied twice.
///
/// It contains every message that it was given. [`remove_before`](Self::remove_before) bounds it.
/// It does no I/O.
///
/// ```no_run
/// # async fn run(mut events: chat_client::Events) -> Result<(), Box<dyn std::error::Error>> {
/// use chat_client::Timeline;
///
/// let mut lobby = Timeline::new("lobby".parse()?);
/// while let Some(event) = events.next().await {
///     if lobby.apply(&event) {
///         println!("{} messages", lobby.len());
///     }
/// }
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timeline {
    room: RoomName,
    messages: BTreeMap<u64, StoredMessage>,
}

impl Timeline {
    /// A room without messages.
    ///
    /// ```
    /// # use chat_client::Timeline;
    /// let lobby = Timeline::new("lobby".parse()?);
    /// assert!(lobby.is_empty());
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    pub fn new(room: RoomName) -> Self {
        Self { room, messages: BTreeMap::new() }
    }

    /// Applies an event. Events of other rooms, and events that do not concern messages, have no
    /// effect. Returns whether anything has changed.
    ///
    /// ```no_run
    /// # fn run(mut lobby: chat_client::Timeline, event: chat_client::Event) {
    /// if lobby.apply(&event) {
    ///     lobby.messages().for_each(|message| println!("{message:?}"));
    /// }
    /// # }
    /// ```
    pub fn apply(&mut self, event: &Event) -> bool {
        match event {
            Event::Joined(joined) if joined.room == self.room => {
                let mut changed = !joined.recovered && self.clear();
                changed |= self.remove_before(joined.oldest);
                joined.messages.iter().fold(changed, |changed, message| self.insert(message) | changed)
            }
            Event::Message { room, message } if *room == self.room => self.insert(message),
            Event::Changed { room, message } if *room == self.room => self.update(message),
            Event::Edited(edited) => self.edit(edited),
            Event::Deleted(deleted) => self.delete(deleted),
            Event::Reacted(reacted) => self.react(reacted),
            Event::History(page) if page.room == self.room => {
                page.messages.iter().fold(false, |changed, message| self.insert(message) | changed)
            }
            _ => false,
        }
    }

    /// Adds a message, or replaces an older state of it. Returns whether anything has changed.
    ///
    /// ```
    /// # use chat_client::{StoredMessage, Timeline};
    /// # fn add(lobby: &mut Timeline, message: &StoredMessage) {
    /// if lobby.insert(message) {
    ///     println!("message {} is new, or has changed", message.seq());
    /// }
    /// # }
    /// ```
    pub fn insert(&mut self, message: &StoredMessage) -> bool {
        if self.messages.get(&message.seq()).is_some_and(|held| !is_newer(message, held)) {
            return false;
        }
        self.messages.insert(message.seq(), message.clone());
        true
    }

    /// Replaces an older state of a message. A message that is not held is not added. Returns
    /// whether anything has changed.
    ///
    /// ```
    /// # use chat_client::{StoredMessage, Timeline};
    /// # fn change(lobby: &mut Timeline, message: &StoredMessage) {
    /// if lobby.update(message) {
    ///     println!("message {} has changed", message.seq());
    /// }
    /// # }
    /// ```
    pub fn update(&mut self, message: &StoredMessage) -> bool {
        self.messages.contains_key(&message.seq()) && self.insert(message)
    }

    /// Applies an edit to its message, if that is held, unless it is of another room. Returns
    /// whether anything has changed.
    ///
    /// ```
    /// # fn run(lobby: &mut chat_client::Timeline, edited: &chat_client::Edited) {
    /// if lobby.edit(edited) {
    ///     println!("message {} has another text", edited.target);
    /// }
    /// # }
    /// ```
    pub fn edit(&mut self, edited: &Edited) -> bool {
        if edited.room != self.room {
            return false;
        }
        let Some(mut state) = self.messages.get(&edited.target).cloned() else { return false };
        let StoredMessage::Text { body, html, mentions, edited_at, changed_seq, .. } = &mut state else {
            return false;
        };
        *body = Arc::clone(&edited.body);
        (*html, *mentions) = (edited.html.clone(), edited.mentions.clone());
        (*edited_at, *changed_seq) = (Some(edited.edited_at), Some(edited.seq));
        self.update(&state)
    }

    /// Applies reactions to their message, if that is held, unless it is of another room. Returns
    /// whether anything has changed.
    ///
    /// ```
    /// # fn run(lobby: &mut chat_client::Timeline, reacted: &chat_client::Reacted) {
    /// if lobby.react(reacted) {
    ///     println!("message {} has other reactions", reacted.reactions.target);
    /// }
    /// # }
    /// ```
    pub fn react(&mut self, reacted: &Reacted) -> bool {
        let event = &reacted.reactions;
        if event.room != self.room {
            return false;
        }
        let Some(mut state) = self.messages.get(&event.target).cloned() else { return false };
        let StoredMessage::Text { reactions, changed_seq, .. } = &mut state else { return false };
        if changed_seq.is_some_and(|changed_seq| changed_seq >= event.seq) {
            return false;
        }
        *changed_seq = Some(event.seq);
        for change in &event.changes {
            let index = reactions.iter().position(|known| known.emoji == change.emoji);
            let index = index.unwrap_or_else(|| {
                let (emoji, users) = (change.emoji.clone(), Vec::new());
                reactions.push(ReactionCount { emoji, count: 0, users, mine: false });
                reactions.len() - 1
            });
            let reaction = &mut reactions[index];
            reaction.count = change.count;
            reaction.users.retain(|name| change.removed.iter().all(|reactor| reactor.username != *name));
            for reactor in &change.added {
                if reaction.users.len() < REACTION_NAMES && !reaction.users.contains(&reactor.username) {
                    reaction.users.push(reactor.username.clone());
                }
            }
            if let Some((_, is_mine)) = reacted.mine.iter().find(|(emoji, _)| *emoji == change.emoji) {
                reaction.mine = *is_mine;
            }
        }
        reactions.retain(|reaction| reaction.count > 0);
        self.messages.insert(event.target, state);
        true
    }

    /// Applies a deletion to the messages that are held, unless it is of another room. Returns
    /// whether anything has changed.
    ///
    /// ```
    /// use chat_client::{Deleted, DeletedBy, Timeline};
    ///
    /// let mut lobby = Timeline::new("lobby".parse()?);
    /// let room = "lobby".parse()?;
    /// let deleted = Deleted { room, seq: 10, targets: vec![3, 7], by: DeletedBy::Operator };
    /// assert!(!lobby.delete(&deleted), "it has no messages");
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    pub fn delete(&mut self, deleted: &Deleted) -> bool {
        if deleted.room != self.room {
            return false;
        }
        let targets = deleted.targets.iter().filter_map(|target| {
            let (StoredMessage::Text { sent_at, .. } | StoredMessage::Deleted { sent_at, .. }) =
                self.messages.get(target)?;
            Some((*target, *sent_at))
        });
        let states: Vec<_> = targets
            .map(|(seq, sent_at)| {
                let (by, changed_seq) = (deleted.by, deleted.seq);
                StoredMessage::Deleted { seq, sent_at, deleted: true, by, changed_seq }
            })
            .collect();
        states.iter().fold(false, |changed, state| self.update(state) | changed)
    }

    /// Removes the messages with a smaller number, for example to keep only the newest. Returns
    /// whether there were any.
    ///
    /// ```
    /// # use chat_client::{StoredMessage, Timeline};
    /// # fn keep_newest(lobby: &mut Timeline) {
    /// const MAX_MESSAGES: usize = 1_000;
    /// let oldest = lobby.messages().rev().take(MAX_MESSAGES).last().map(StoredMessage::seq);
    /// lobby.remove_before(oldest.unwrap_or_default());
    /// # }
    /// ```
    pub fn remove_before(&mut self, seq: u64) -> bool {
        let before = self.messages.len();
        self.messages = self.messages.split_off(&seq);
        self.messages.len() < before
    }

    /// Removes all messages. Returns whether there were any.
    ///
    /// ```
    /// # use chat_client::Timeline;
    /// let mut lobby = Timeline::new("lobby".parse()?);
    /// assert!(!lobby.clear());
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    pub fn clear(&mut self) -> bool {
        !std::mem::take(&mut self.messages).is_empty()
    }

    /// The message with this number.
    ///
    /// ```
    /// # use chat_client::Timeline;
    /// let lobby = Timeline::new("lobby".parse()?);
    /// assert_eq!(lobby.get(7), None);
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    pub fn get(&self, seq: u64) -> Option<&StoredMessage> {
        self.messages.get(&seq)
    }

    /// The messages, oldest first.
    ///
    /// ```
    /// # fn print(lobby: &chat_client::Timeline) {
    /// lobby.messages().for_each(|message| println!("{message:?}"));
    /// # }
    /// ```
    pub fn messages(&self) -> impl DoubleEndedIterator<Item = &StoredMessage> + ExactSizeIterator {
        self.messages.values()
    }

    /// The number of messages.
    ///
    /// ```
    /// # use chat_client::Timeline;
    /// assert_eq!(Timeline::new("lobby".parse()?).len(), 0);
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    pub fn len(&self) -> usize {
        self.messages.len()
    }

    /// Whether there are no messages.
    ///
    /// ```
    /// # use chat_client::Timeline;
    /// assert!(Timeline::new("lobby".parse()?).is_empty());
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    pub fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }
}

/// Whether a state of a message replaces another one. `html` may be absent from one of two equal
/// states, because the server bounds the time that it spends on it.
fn is_newer(state: &StoredMessage, held: &StoredMessage) -> bool {
    let rank = |message: &StoredMessage| match message {
        StoredMessage::Text { changed_seq, html, .. } => (*changed_seq, html.is_some()),
        StoredMessage::Deleted { changed_seq, .. } => (Some(*changed_seq), true),
    };
    rank(state) > rank(held)
}

#[cfg(test)]
mod tests;
