//! The events of a room: before they are stored, and afterwards.

use std::sync::Arc;
use std::time::Duration;

use chat_protocol::{
    Content, DeletedBy, Deletion, Edit, Emoji, MAX_MENTIONS, Mention, Message, MessageId, Reacted,
    ReactionChange, Reactor, ReplyTo, RoomChange, RoomName, RoomSettings, Text, Timestamp, UserId, Username,
};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::AppendError;

/// An event that is not stored yet and has no number.
///
/// The enum is exhaustive: a store has to support each kind of event, so a new kind is meant to
/// break its build.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NewEvent {
    /// A message is posted.
    Message(NewMessage),
    /// The author replaces the text of a message.
    Edit(NewEdit),
    /// Messages are deleted.
    Deletion(NewDeletion),
    /// A user puts an emoji on a message, or removes it.
    Reaction(NewReaction),
    /// The settings of the room are changed.
    RoomChange(NewRoomChange),
    /// Something else that the policy of this room depends on has changed, such as who is muted:
    /// the version of the policy is raised. It takes no number.
    NewRules(RoomName),
}

impl NewEvent {
    /// The room in which the event happens.
    pub fn room(&self) -> &RoomName {
        match self {
            Self::Message(message) => &message.room,
            Self::Edit(edit) => &edit.room,
            Self::Deletion(deletion) => &deletion.room,
            Self::Reaction(reaction) => &reaction.room,
            Self::RoomChange(change) => &change.room,
            Self::NewRules(room) => room,
        }
    }
}

impl From<NewMessage> for NewEvent {
    fn from(message: NewMessage) -> Self {
        Self::Message(message)
    }
}

impl From<NewEdit> for NewEvent {
    fn from(edit: NewEdit) -> Self {
        Self::Edit(edit)
    }
}

impl From<NewDeletion> for NewEvent {
    fn from(deletion: NewDeletion) -> Self {
        Self::Deletion(deletion)
    }
}

impl From<NewReaction> for NewEvent {
    fn from(reaction: NewReaction) -> Self {
        Self::Reaction(reaction)
    }
}

impl From<NewRoomChange> for NewEvent {
    fn from(change: NewRoomChange) -> Self {
        Self::RoomChange(change)
    }
}

/// A change of the settings of a room, before it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct NewRoomChange {
    /// The room.
    pub room: RoomName,
    /// All settings, as they are afterwards.
    pub settings: RoomSettings,
    /// Who changes them; `None`: who runs the server.
    pub by: Option<Username>,
    /// Whether the user may change them, by the policy of the room. `None`: there is nothing to
    /// check.
    pub permission: Option<Permission>,
}

impl NewRoomChange {
    /// The change that leads to these settings.
    pub fn new(room: RoomName, settings: RoomSettings) -> Self {
        Self { room, settings, by: None, permission: None }
    }

    /// Sets who changes them, and whether that user may.
    #[must_use]
    pub fn by(self, username: Username, permission: Permission) -> Self {
        Self { by: Some(username), permission: Some(permission), ..self }
    }
}

/// The deletion of messages of one room, before it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct NewDeletion {
    /// The room.
    pub room: RoomName,
    /// The numbers of the messages, at most [`MAX_TARGETS`].
    pub targets: Vec<u64>,
    /// Who deletes them.
    pub by: DeletedBy,
    /// The ids of the user who deletes them. If they are all of this user, they are deleted by
    /// their author. `None`: they may be of anyone.
    pub authors: Option<Arc<[UserId]>>,
    /// Whether the user may delete the messages of others, by the policy of the room. `None`: there
    /// is nothing to check.
    pub permission: Option<Permission>,
}

/// The maximum number of messages that one event deletes.
pub const MAX_TARGETS: usize = 500;

impl NewDeletion {
    /// The deletion of the messages with these numbers, in as many events as it takes.
    pub fn batches(room: &RoomName, targets: &[u64], by: DeletedBy) -> impl Iterator<Item = Self> {
        let event = move |targets: &[u64]| Self {
            room: room.clone(),
            targets: targets.to_vec(),
            by,
            authors: None,
            permission: None,
        };
        targets.chunks(MAX_TARGETS).map(event)
    }

    /// The deletion of one message by a user with these ids: by its author, or by a moderator, if
    /// the user has the permission to delete the messages of others, too.
    pub fn by_user(room: RoomName, target: u64, authors: Arc<[UserId]>, permission: Permission) -> Self {
        let by = DeletedBy::Moderator;
        Self { room, targets: vec![target], by, authors: Some(authors), permission: Some(permission) }
    }

    /// Who deletes the messages, if they are or are not all of the user who does, in a room whose
    /// policy has the version `current`. For implementations of a store.
    ///
    /// # Errors
    /// [`AppendError::NotAuthor`] if that user may not, and [`AppendError::PolicyChanged`].
    pub fn deleted_by(&self, is_own: bool, current: u64) -> Result<DeletedBy, AppendError> {
        if self.authors.is_some() && is_own {
            return Ok(DeletedBy::Author);
        }
        match Permission::check(self.permission, current) {
            Ok(()) => Ok(self.by),
            Err(NotPermitted::Denied) => Err(AppendError::NotAuthor),
            Err(outdated) => Err(outdated.into_error(self.clone())),
        }
    }

    /// Whether this is the user who deletes the messages. For implementations of a store.
    pub fn is_author(&self, user: &str) -> bool {
        self.authors.iter().flat_map(|authors| authors.iter()).any(|author| author.as_str() == user)
    }
}

/// A reaction before it is stored: a user puts an emoji on a message, or removes it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct NewReaction {
    /// The room.
    pub room: RoomName,
    /// The number of the message.
    pub target: u64,
    /// The ids of the user. The first one is the user's id now.
    pub authors: Arc<[UserId]>,
    /// The user's name at this time.
    pub from: Username,
    /// The emoji.
    pub emoji: Emoji,
    /// Whether the emoji is put on the message; if not, it is removed.
    pub is_added: bool,
    /// Whether the user may post, by the policy of the room. `None`: there is nothing to check.
    pub permission: Option<Permission>,
}

impl NewReaction {
    /// The user with these ids, of which the first one is the user's id now, puts an emoji on the
    /// message `target`, or removes it.
    pub fn new(
        room: RoomName,
        target: u64,
        authors: Arc<[UserId]>,
        from: Username,
        emoji: Emoji,
        is_added: bool,
    ) -> Self {
        Self { room, target, authors, from, emoji, is_added, permission: None }
    }

    /// The user, as of this event; `None` if it has no id.
    pub fn reactor(&self) -> Option<Reactor> {
        let user = self.authors.first()?.clone();
        Some(Reactor { username: self.from.clone(), user })
    }
}

/// A user has put an emoji on a message, or removed it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct StoredReaction {
    /// The message as it is now: [`changed_seq`](Message::changed_seq) is the number of this event.
    pub message: Arc<Message>,
    /// The number of the event in the room.
    pub seq: u64,
    /// What has changed.
    pub change: ReactionChange,
}

impl StoredReaction {
    /// The event with this number, after which the message is this one.
    pub fn new(seq: u64, message: Arc<Message>, change: ReactionChange) -> Self {
        Self { message, seq, change }
    }

    /// The event for the members of the room.
    pub fn to_event(&self) -> Reacted {
        let Self { message, seq, change } = self;
        Reacted::new(message.room.clone(), *seq, message.seq, change.clone())
    }
}

/// An edit before it is stored: the author of a message replaces its text.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct NewEdit {
    /// The room.
    pub room: RoomName,
    /// The number of the message.
    pub target: u64,
    /// The ids of the user, of which one has to be that of the author. The first one is the user's
    /// id now.
    pub authors: Arc<[UserId]>,
    /// The user's name at this time.
    pub from: Username,
    /// The new text, as it was sent.
    pub body: Arc<str>,
    /// Whom the new text addresses.
    pub mentions: Mentions,
    /// The user's id for the edit, to recognise it if it is repeated.
    pub id: Option<MessageId>,
    /// Whether the user may post, by the policy of the room. `None`: there is nothing to check.
    pub permission: Option<Permission>,
    /// The maximum age of a message that is edited. `None`: any age.
    pub window: Option<Duration>,
}

/// As [`DIGEST_DOMAIN`], for edits.
const EDIT_DIGEST_DOMAIN: &[u8] = b"chatd edit\0";

impl NewEdit {
    /// The edit of the message `target` by the user with these ids, of which the first one is the
    /// user's id now.
    pub fn new(
        room: RoomName,
        target: u64,
        authors: Arc<[UserId]>,
        from: Username,
        body: impl Into<Arc<str>>,
    ) -> Self {
        let (body, mentions) = (body.into(), Mentions::default());
        Self { room, target, authors, from, body, mentions, id: None, permission: None, window: None }
    }

    /// A digest of the message's number and the new text: see [`NewMessage::digest`].
    pub fn digest(&self) -> u64 {
        let hash = Sha256::new()
            .chain_update(EDIT_DIGEST_DOMAIN)
            .chain_update(self.target.to_be_bytes())
            .chain_update(&*self.body);
        first_64_bits(&hash.finalize())
    }

    /// Whether it is too late to edit a message of this time.
    pub fn is_late(&self, sent_at: Timestamp, now: Timestamp) -> bool {
        self.window.is_some_and(|window| sent_at < now.saturating_sub(window))
    }
}

fn first_64_bits(hash: &[u8]) -> u64 {
    hash.iter().take(8).fold(0, |digest, byte| digest << 8 | u64::from(*byte))
}

/// A message that is not stored yet and has no number.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct NewMessage {
    /// The room.
    pub room: RoomName,
    /// The author.
    pub user: UserId,
    /// The author's name at this time.
    pub from: Username,
    /// The text, as it was sent.
    pub body: Arc<str>,
    /// What it replies to, and whom it addresses. Most messages do neither.
    pub context: Option<Box<MessageContext>>,
    /// The id of the message.
    pub id: MessageId,
    /// Whether the author chose the id, so that a message with the same id is a duplicate. An id
    /// that the server has generated is unique anyway.
    pub idempotent: bool,
    /// Whether the author may post, by the policy of the room. `None`: there is nothing to check.
    pub permission: Option<Permission>,
}

/// What a message replies to, and whom it addresses.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct MessageContext {
    /// The number of the message that this one replies to.
    pub reply_to: Option<u64>,
    /// Whom the text addresses.
    pub mentions: Mentions,
}

impl MessageContext {
    /// The context of a message that replies to the one with this number, and addresses these. In a
    /// box, because few messages have one; `None` if it would be empty.
    pub fn new(reply_to: Option<u64>, mentions: Mentions) -> Option<Box<Self>> {
        let is_empty = reply_to.is_none() && mentions.is_empty();
        (!is_empty).then(|| Box::new(Self { reply_to, mentions }))
    }
}

/// Whom a text addresses.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Mentions {
    /// Those whom the message names, at most [`MAX_MENTIONS`]; `None` if nobody.
    pub named: Option<Arc<[Mention]>>,
    /// Users who count as addressed, and whom the message does not name.
    pub counted: Vec<UserId>,
}

impl Mentions {
    /// These mentions without repeats, and as many of them as a message may have. Those in
    /// `counted` are not named.
    pub fn new(named: impl IntoIterator<Item = Mention>, counted: Vec<UserId>) -> Self {
        let mut unique = Vec::new();
        for mention in named {
            if unique.len() < MAX_MENTIONS && !unique.contains(&mention) {
                unique.push(mention);
            }
        }
        let named: Option<Arc<[Mention]>> = (!unique.is_empty()).then(|| unique.into());
        Self { named, counted }
    }

    /// All who are addressed. For implementations of a store.
    pub fn all(&self) -> impl Iterator<Item = &str> {
        let named = self.named.iter().flat_map(|named| named.iter()).map(Mention::as_str);
        named.chain(self.counted.iter().map(UserId::as_str))
    }

    /// Whether nobody is addressed.
    pub fn is_empty(&self) -> bool {
        self.named.is_none() && self.counted.is_empty()
    }
}

/// What a check of a room's policy has shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Permission {
    /// The version of the policy.
    pub version: u64,
    /// Whether it allows the event.
    pub is_allowed: bool,
}

impl Permission {
    /// The result of a check against this version.
    pub fn new(version: u64, is_allowed: bool) -> Self {
        Self { version, is_allowed }
    }

    /// Whether an event may be stored in a room whose policy has the version `current`; if not, the
    /// reason. For implementations of a store.
    ///
    /// # Errors
    /// [`NotPermitted`].
    pub fn check(permission: Option<Self>, current: u64) -> Result<(), NotPermitted> {
        match permission {
            Some(Self { version, .. }) if version != current => Err(NotPermitted::Outdated),
            Some(Self { is_allowed: false, .. }) => Err(NotPermitted::Denied),
            _ => Ok(()),
        }
    }
}

/// Why an event may not be stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotPermitted {
    /// The room has another version of the policy than the one that was checked.
    Outdated,
    /// The policy does not allow it.
    Denied,
}

impl NotPermitted {
    /// The result for an event that was not stored because of this.
    pub fn into_error(self, event: impl Into<NewEvent>) -> AppendError {
        match self {
            Self::Outdated => AppendError::PolicyChanged(Box::new(event.into())),
            Self::Denied => AppendError::NotAllowed,
        }
    }
}

/// What the hash of a command begins with, so that no other kind of command has the same digest.
const DIGEST_DOMAIN: &[u8] = b"chatd message\0";

/// As [`DIGEST_DOMAIN`], for messages that reply to another one.
const REPLY_DIGEST_DOMAIN: &[u8] = b"chatd reply\0";

impl NewMessage {
    /// A message with an id that the server has generated, of the user `user`, whose name is
    /// `from`.
    pub fn new(
        room: RoomName,
        user: UserId,
        from: Username,
        body: impl Into<Arc<str>>,
        id: MessageId,
    ) -> Self {
        Self { room, user, from, body: body.into(), context: None, id, idempotent: false, permission: None }
    }

    /// The number of the message that this one replies to.
    pub fn reply_to(&self) -> Option<u64> {
        self.context.as_ref()?.reply_to
    }

    /// Whom the text addresses; `None` if nobody.
    pub fn mentions(&self) -> Option<&Mentions> {
        self.context.as_ref().map(|context| &context.mentions)
    }

    /// A digest of what the author has sent: the first 64 bits of a SHA-256 hash. A store keeps it
    /// with an id to recognise a duplicate although the message was deleted, pruned or changed.
    /// Each version and each process computes the same digest. Two messages that differ in their
    /// texts, or in the message that they reply to, have different digests, except with a
    /// probability of 2^-64.
    pub fn digest(&self) -> u64 {
        let hash = match self.reply_to() {
            None => Sha256::new().chain_update(DIGEST_DOMAIN),
            Some(target) => {
                Sha256::new().chain_update(REPLY_DIGEST_DOMAIN).chain_update(target.to_be_bytes())
            }
        };
        first_64_bits(&hash.chain_update(&*self.body).finalize())
    }

    /// The message with its number, as stored at this time. `reply_to` is the message with the
    /// number [`reply_to`](Self::reply_to), as it is now.
    pub fn numbered(self, seq: u64, sent_at: Timestamp, reply_to: Option<ReplyTo>) -> Message {
        let Self { room, user, from, body, id, context, .. } = self;
        let mut text = Text::new(id, user, from, body);
        text.reply_to = reply_to.map(Arc::new);
        text.mentions = context.and_then(|context| context.mentions.named);
        Message::new(room, seq, sent_at, Content::Text(text))
    }

    /// Sets what the message replies to, and whom it addresses.
    #[must_use]
    pub fn context(self, context: impl Into<Option<Box<MessageContext>>>) -> Self {
        Self { context: context.into(), ..self }
    }

    /// Sets whether the author chose the id, so that a message with the same id is a duplicate.
    #[must_use]
    pub fn idempotent(self, idempotent: bool) -> Self {
        Self { idempotent, ..self }
    }

    /// Sets whether the author may post, by the policy of the room.
    #[must_use]
    pub fn permission(self, permission: Permission) -> Self {
        Self { permission: Some(permission), ..self }
    }
}

/// An event that is stored and has a number.
///
/// Nodes of a cluster exchange it in its serialized form. Another version may not know a kind or a
/// field: it reads such an event from the store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum StoredEvent {
    /// A message was posted.
    Message(Arc<Message>),
    /// The author has replaced the text of a message.
    Edit(Arc<Edit>),
    /// Messages were deleted.
    Deletion(Arc<Deletion>),
    /// A user has put an emoji on a message, or removed it.
    Reaction(Arc<StoredReaction>),
    /// The settings of the room were changed, and with them its policy, which has this version now.
    RoomChange(Arc<RoomChange>, u64),
}

impl StoredEvent {
    /// The number of the event in its room.
    pub fn seq(&self) -> u64 {
        match self {
            Self::Message(message) => message.seq,
            Self::Edit(edit) => edit.seq,
            Self::Deletion(deletion) => deletion.seq,
            Self::Reaction(reaction) => reaction.seq,
            Self::RoomChange(change, _) => change.seq,
        }
    }
}
