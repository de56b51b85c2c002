//! Every frame of the protocol `chat.v2`, as sent on the wire.
#![allow(clippy::unwrap_used)]

mod commands;
mod events;
mod frames;
mod guest_token;
mod reading;
mod rejected;

use std::sync::Arc;

use chat_protocol::v2::{
    self, Command, DeletedBy, MemberInfo, Mention, ReactionCount, Reactor, Rejected, ReplyTo, StoredMessage,
};
use chat_protocol::{Emoji, Epoch, GuestToken, MessageId, Reference, RoomName, Timestamp, UserId, Username};

/// 2026-11-24T08:00:00.123Z
pub(crate) const MOMENT: Timestamp = Timestamp::from_millis(1_795_507_200_123);

/// The text form of [`guest_token`].
pub(crate) const GUEST_TOKEN: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";

pub(crate) fn room() -> RoomName {
    RoomName::parse("lobby").unwrap()
}

pub(crate) fn name(text: &str) -> Username {
    Username::parse(text).unwrap()
}

/// The id of the user with this name.
pub(crate) fn user(name: &str) -> UserId {
    format!("u_{name}").parse().unwrap()
}

/// The bytes 0 to 31.
pub(crate) fn guest_token() -> GuestToken {
    GUEST_TOKEN.parse().unwrap()
}

pub(crate) fn epoch() -> Epoch {
    Epoch::from_random(0xe70c)
}

pub(crate) fn reference() -> Option<Reference> {
    Some("r1".parse().unwrap())
}

pub(crate) fn id() -> MessageId {
    "m1".parse().unwrap()
}

pub(crate) fn info(text: &str) -> MemberInfo {
    MemberInfo::new(name(text), user(text), MOMENT)
}

pub(crate) fn text(html: Option<&str>) -> StoredMessage {
    let (id, from, user, html) = (id(), name("ana"), user("ana"), html.map(Arc::from));
    StoredMessage::Text {
        seq: 7,
        id,
        from,
        user,
        body: "*hi*".into(),
        html,
        reply_to: None,
        mentions: None,
        sent_at: MOMENT,
        edited_at: None,
        changed_seq: None,
        reactions: vec![],
    }
}

pub(crate) fn reply_to() -> ReplyTo {
    ReplyTo { seq: 5, from: name("bob"), user: user("bob") }
}

pub(crate) fn mentions() -> Arc<[Mention]> {
    [Mention::User(user("bob")), Mention::Room].into()
}

pub(crate) fn emoji() -> Emoji {
    Emoji::parse(":+1:").unwrap()
}

pub(crate) fn reactor(text: &str) -> Reactor {
    Reactor { username: name(text), user: user(text) }
}

/// A message that answers another one, addresses users, and has a reaction.
pub(crate) fn reply() -> StoredMessage {
    let StoredMessage::Text { seq, id, from, user, body, html, sent_at, edited_at, .. } = text(None) else {
        panic!("a text");
    };
    let reaction = ReactionCount { emoji: emoji(), count: 12, users: vec![name("bob")], mine: true };
    StoredMessage::Text {
        seq,
        id,
        from,
        user,
        body,
        html,
        reply_to: Some(Arc::new(reply_to())),
        mentions: Some(mentions()),
        sent_at,
        edited_at,
        changed_seq: Some(9),
        reactions: vec![reaction],
    }
}

pub(crate) fn deleted() -> StoredMessage {
    let by = DeletedBy::Operator;
    StoredMessage::Deleted { seq: 8, sent_at: MOMENT, deleted: true, by, changed_seq: 9 }
}

pub(crate) fn read(frame: &str) -> Command {
    let frame = v2::read(frame).unwrap_or_else(|rejected| panic!("{frame}: {rejected}"));
    frame.command
}

pub(crate) fn rejected(frame: &str) -> Rejected {
    v2::read(frame).err().unwrap_or_else(|| panic!("{frame} is a command"))
}
