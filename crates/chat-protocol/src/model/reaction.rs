//! Reactions: emoji that users put on messages.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::model::identity::UserId;
use crate::model::message::{Message, json_length};
use crate::model::name::{RoomName, Username};

/// One emoji, in the form that the Unicode data files recommend for it: the fully-qualified one.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Emoji(Arc<str>);

/// The text is not one emoji or its short code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it must be one emoji or its short code")]
pub struct EmojiError;

impl Emoji {
    /// Parses one emoji, or its short code with or without colons, such as `tada` or `:tada:`. All
    /// spellings of an emoji are equal afterwards.
    ///
    /// # Errors
    /// [`EmojiError`] if the text is neither.
    ///
    /// ```
    /// use chat_protocol::Emoji;
    ///
    /// assert_eq!(Emoji::parse(":tada:")?, Emoji::parse("🎉")?);
    /// // without the variation selector
    /// assert_eq!(Emoji::parse("\u{2764}")?.as_str(), "\u{2764}\u{fe0f}");
    /// assert!(Emoji::parse("hello").is_err());
    /// # Ok::<(), chat_protocol::EmojiError>(())
    /// ```
    pub fn parse(text: &str) -> Result<Self, EmojiError> {
        let code = || text.strip_prefix(':').and_then(|code| code.strip_suffix(':')).unwrap_or(text);
        let emoji = emojis::get(text).or_else(|| emojis::get_by_shortcode(code()));
        emoji.map(|emoji| Self(emoji.as_str().into())).ok_or(EmojiError)
    }

    /// An emoji that was parsed before, perhaps by another version, which may know more of them.
    pub fn from_parsed(text: impl Into<Arc<str>>) -> Self {
        Self(text.into())
    }

    /// The emoji.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Emoji {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Emoji {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl FromStr for Emoji {
    type Err = EmojiError;

    fn from_str(text: &str) -> Result<Self, EmojiError> {
        Self::parse(text)
    }
}

impl Serialize for Emoji {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

/// Parses the text.
impl<'de> Deserialize<'de> for Emoji {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for Emoji {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Emoji".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "minLength": 1, "examples": ["👍", ":tada:"] })
    }
}

/// The maximum number of different emoji on one message.
pub const MAX_REACTIONS: usize = 20;

/// The maximum number of names in [`Reaction::users`].
pub const REACTION_NAMES: usize = 10;

/// One emoji on a message, and who put it there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Reaction {
    /// The emoji.
    pub emoji: Emoji,
    /// How many users have put it on the message; at least one.
    pub count: u64,
    /// The names of some of them, at most [`REACTION_NAMES`].
    pub users: Vec<Username>,
}

impl Reaction {
    /// The emoji of `count` users, of whom some have these names.
    pub fn new(emoji: Emoji, count: u64, users: Vec<Username>) -> Self {
        Self { emoji, count, users }
    }

    /// The maximum size in bytes in a `chat.v2` list of messages.
    pub(crate) fn encoded_size(&self) -> usize {
        const REST: usize = r#"{"emoji":"","count":1099511627775,"users":[],"mine":true},"#.len();
        let names = self.users.iter().map(|name| name.as_str().len() + r#""","#.len());
        REST + json_length(self.emoji.as_str()) + names.sum::<usize>()
    }

    /// The approximate size in memory, in bytes.
    pub(crate) fn size(&self) -> usize {
        size_of::<Self>() + self.users.len() * size_of::<Username>()
    }
}

/// A user who has put an emoji on a message, or removed it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Reactor {
    /// The user's name at that time.
    pub username: Username,
    /// The user.
    pub user: UserId,
}

/// What has become of one emoji on a message by the events of a range.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReactionChange {
    /// The emoji.
    pub emoji: Emoji,
    /// How many users have it on the message now.
    pub count: u64,
    /// The users who have put it there in the range, and not removed it.
    pub added: Vec<Reactor>,
    /// The users who have removed it in the range, and not put it there again.
    pub removed: Vec<Reactor>,
}

/// Users have put emoji on a message, or removed them: one event, or several that follow each
/// other.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Reacted {
    /// The room.
    pub room: RoomName,
    /// The number of the first of these events in the room.
    pub first_seq: u64,
    /// The number of the last one.
    pub seq: u64,
    /// The number of the message.
    pub target: u64,
    /// What has changed, one entry for each emoji.
    pub changes: Vec<ReactionChange>,
}

impl Reacted {
    /// The maximum number of users in all changes together.
    pub const MAX_USERS: usize = 50;

    /// The event with this number, which has changed one emoji of a message.
    pub fn new(room: RoomName, seq: u64, target: u64, change: ReactionChange) -> Self {
        Self { room, first_seq: seq, seq, target, changes: vec![change] }
    }

    /// The number of users in all changes.
    pub fn users(&self) -> usize {
        self.changes.iter().map(|change| change.added.len() + change.removed.len()).sum()
    }

    /// Adds the events that follow this one, so that both are one. Returns them if that is not
    /// possible: they do not follow, are about another message, or have too many users.
    #[must_use]
    pub fn merge(&mut self, next: Self) -> Option<Self> {
        if next.first_seq != self.seq + 1
            || next.target != self.target
            || next.room != self.room
            || self.users() + next.users() > Self::MAX_USERS
        {
            return Some(next);
        }
        self.seq = next.seq;
        for change in next.changes {
            match self.changes.iter_mut().find(|known| known.emoji == change.emoji) {
                Some(known) => known.merge(change),
                None => self.changes.push(change),
            }
        }
        None
    }
}

impl ReactionChange {
    fn merge(&mut self, next: Self) {
        self.count = next.count;
        // each user is in one list, by the state at the end
        let touched = |reactor: &Reactor| {
            next.added.iter().chain(&next.removed).any(|later| later.user == reactor.user)
        };
        self.added.retain(|reactor| !touched(reactor));
        self.removed.retain(|reactor| !touched(reactor));
        self.added.extend(next.added);
        self.removed.extend(next.removed);
    }
}

/// The reactions of one user: for each message that has any, by number, the emoji.
pub type OwnReactions = BTreeMap<u64, Vec<Emoji>>;

impl Message {
    /// The state of the message after the event `changed_seq`, with these reactions; `None` if it
    /// was deleted.
    #[must_use]
    pub fn reacted(&self, reactions: Vec<Reaction>, changed_seq: u64) -> Option<Self> {
        let mut message = self.clone();
        message.changed_seq = Some(changed_seq);
        message.set_reactions(reactions)?;
        Some(message)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::Identity;

    fn reactor(number: u8) -> Reactor {
        let username = Username::parse(&format!("p{number}")).unwrap();
        let user = Identity::one_time_guest(number.into(), username.clone()).id().clone();
        Reactor { username, user }
    }

    fn emoji(number: u8) -> Emoji {
        Emoji::parse(["👍", "🎉"][usize::from(number) % 2]).unwrap()
    }

    fn event(seq: u64, target: u64, number: u8, user: u8, is_added: bool, count: u64) -> Reacted {
        let (added, removed) =
            if is_added { (vec![reactor(user)], vec![]) } else { (vec![], vec![reactor(user)]) };
        let change = ReactionChange { emoji: emoji(number), count, added, removed };
        Reacted::new(RoomName::parse("r").unwrap(), seq, target, change)
    }

    #[test]
    fn every_spelling_of_an_emoji_is_the_same() {
        for (texts, expected) in [
            (["👍", ":+1:", "thumbsup", ":thumbsup:"], "👍"),
            (["\u{263a}", "\u{263a}\u{fe0f}", ":relaxed:", "relaxed"], "\u{263a}\u{fe0f}"),
        ] {
            assert!(texts.iter().all(|text| Emoji::parse(text).unwrap().as_str() == expected));
        }
        for text in ["", ":", "::", "qwertz", "👍👍", "👍 ", "hello", ":nothing_like_this:", ":tada"] {
            assert_eq!(Emoji::parse(text), Err(EmojiError), "{text}");
        }
        // a skin tone is an emoji of its own
        assert_ne!(Emoji::parse("👍🏽").unwrap(), Emoji::parse("👍").unwrap());
    }

    #[test]
    fn only_events_that_follow_each_other_on_one_message_are_merged() {
        let merged = |next: Reacted| event(7, 1, 0, 1, true, 1).merge(next).is_none();
        assert!(merged(event(8, 1, 0, 2, true, 2)));
        assert!(!merged(event(9, 1, 0, 2, true, 2)));
        assert!(!merged(event(8, 2, 0, 2, true, 2)));
        let mut many = event(1, 1, 0, 0, true, 1);
        let rest = (2..=60).find_map(|n| many.merge(event(n, 1, 0, n as u8, true, n)));
        assert_eq!((many.seq, many.users(), rest.map(|rest| rest.seq)), (50, 50, Some(51)));
    }

    proptest! {
        /// However events are merged, a client that applies them has the same reactions.
        #[test]
        fn merged_events_have_the_same_outcome(
            steps in prop::collection::vec((0..2_u8, 0..6_u8, any::<bool>()), 1..80),
        ) {
            let mut has = std::collections::BTreeSet::new();
            let (mut merged, mut seq): (Vec<Reacted>, u64) = (Vec::new(), 0);
            for (number, user, is_added) in steps {
                let key = (emoji(number), reactor(user));
                let changes = if is_added { has.insert(key) } else { has.remove(&key) };
                if !changes {
                    continue;
                }
                seq += 1;
                let count = has.iter().filter(|(other, _)| *other == emoji(number)).count() as u64;
                let next = event(seq, 1, number, user, is_added, count);
                let rest = match merged.last_mut() {
                    Some(last) => last.merge(next),
                    None => Some(next),
                };
                merged.extend(rest);
            }
            let mut applied = std::collections::BTreeSet::new();
            for (index, event) in merged.iter().enumerate() {
                prop_assert!(event.users() <= Reacted::MAX_USERS);
                prop_assert_eq!(event.first_seq, index.checked_sub(1).map_or(0, |before| merged[before].seq) + 1);
                for change in &event.changes {
                    let key = |reactor: &Reactor| (change.emoji.clone(), reactor.clone());
                    change.removed.iter().for_each(|reactor| { applied.remove(&key(reactor)); });
                    applied.extend(change.added.iter().map(key));
                    let count = applied.iter().filter(|(emoji, _)| *emoji == change.emoji).count() as u64;
                    prop_assert_eq!(change.count, count);
                }
            }
            prop_assert_eq!(applied, has);
        }
    }
}
