//! Converts events of a room into frames.

use std::sync::Arc;

use super::{
    Ack, Deleted, Edited, Error, HistoryPage, Joined, Left, MembersPage, MessageFrame, Notice, Presence,
    Reactions, RoomChanged, RoomInfo, ServerFrame, StoredMessage, SyncFrame, Typing, You,
};
use crate::{Event, Message, OwnReactions, Text};

/// The frame for an event, or `None` if this protocol has none: `presence` replaces `Entered` and
/// `Left`, and a message that was deleted before it was delivered has no text.
pub fn frame(event: &Event) -> Option<ServerFrame> {
    // what several sessions receive says nothing about one of them
    let nobody = OwnReactions::new();
    Some(match event {
        Event::Entered { .. } | Event::Left { .. } => return None,
        Event::Message { message, .. } => ServerFrame::Message(message_frame(message)?),
        Event::Edited(edit) => ServerFrame::Edited(edited_frame(edit.seq, &edit.message)?),
        Event::Deleted(deletion) => ServerFrame::Deleted(Deleted {
            room: deletion.room.clone(),
            seq: deletion.seq,
            targets: deletion.messages.iter().map(|message| message.seq).collect(),
            by: deletion.by,
        }),
        Event::Reacted(reacted) => ServerFrame::Reactions(Reactions {
            room: reacted.room.clone(),
            first_seq: Some(reacted.first_seq).filter(|first_seq| *first_seq < reacted.seq),
            seq: reacted.seq,
            target: reacted.target,
            changes: reacted.changes.iter().cloned().map(Into::into).collect(),
        }),
        Event::RoomChanged(change) => ServerFrame::RoomChanged(RoomChanged {
            room: change.room.clone(),
            seq: change.seq,
            by: change.by.clone(),
            info: change.settings.clone().into(),
        }),
        Event::StandingChanged { room, standing } => {
            ServerFrame::You(You { room: room.clone(), standing: *standing })
        }
        Event::Sync(range) => ServerFrame::Sync(SyncFrame {
            room: range.room.clone(),
            first_seq: range.first_seq,
            seq: range.seq,
            recovered: range.outcome.is_some(),
            messages: range.outcome.as_ref().map(|outcome| stored_messages(&outcome.messages, &nobody)),
            changed: range.outcome.as_ref().map(|outcome| stored_messages(&outcome.changed, &nobody)),
            info: range.settings.as_deref().cloned().map(Into::into),
        }),
        Event::Notice { room, level, body, .. } => {
            ServerFrame::Notice(Notice { room: room.clone(), level: *level, body: Arc::clone(body) })
        }
        Event::PresenceChanged(change) => ServerFrame::Presence(Presence {
            room: change.room.clone(),
            joined: change.joined.clone(),
            left: change.left.clone(),
            member_count: change.member_count as u64,
            partial: change.partial,
        }),
        Event::Typing { room, username } => {
            ServerFrame::Typing(Typing { room: room.clone(), username: username.clone() })
        }
        Event::Refused { code, reason, denied, reference, until, retry_after, .. } => {
            ServerFrame::Error(Error {
                reference: reference.clone(),
                code: *code,
                message: Arc::clone(reason),
                // rounded up: a client that waits for this long has waited long enough
                retry_after_ms: retry_after
                    .map(|after| u64::try_from(after.as_micros().div_ceil(1_000)).unwrap_or(u64::MAX)),
                denied: *denied,
                until: *until,
            })
        }
        Event::Joined(snapshot) => ServerFrame::Joined(Joined {
            reference: snapshot.reference.clone(),
            room: snapshot.room.clone(),
            epoch: snapshot.epoch.clone(),
            seq: snapshot.seq,
            oldest: snapshot.oldest,
            info: RoomInfo {
                settings: (*snapshot.settings).clone(),
                topic_html: None,
                standing: snapshot.standing,
            },
            members: snapshot.members.clone(),
            member_count: snapshot.member_count as u64,
            first: snapshot.first,
            last: snapshot.seq,
            messages: stored_messages(&snapshot.messages, &snapshot.mine),
            changed: snapshot.changed.as_deref().map(|changed| stored_messages(changed, &snapshot.mine)),
            recovered: snapshot.changed.is_some(),
        }),
        Event::Ack(ack) => ServerFrame::Ack(Ack {
            reference: ack.reference.clone(),
            room: ack.room.clone(),
            seq: ack.seq,
            id: ack.id.clone(),
            sent_at: ack.sent_at,
            stored: ack.durable,
        }),
        Event::History(page) => ServerFrame::History(HistoryPage {
            reference: page.reference.clone(),
            room: page.room.clone(),
            epoch: page.epoch.clone(),
            first: page.first,
            last: page.last,
            messages: stored_messages(&page.messages, &page.mine),
            more: page.more,
        }),
        Event::Members(page) => ServerFrame::Members(MembersPage {
            reference: page.reference.clone(),
            room: page.room.clone(),
            members: page.members.clone(),
            member_count: page.member_count as u64,
            more: page.more,
        }),
        Event::LeaveNotice { reference, room, reason, until } => ServerFrame::Left(Left {
            reference: reference.clone(),
            room: room.clone(),
            reason: *reason,
            until: *until,
        }),
    })
}

fn edited_frame(seq: u64, message: &Message) -> Option<Edited> {
    let Text { body, edited_at, mentions, .. } = message.text()?;
    Some(Edited {
        room: message.room.clone(),
        seq,
        target: message.seq,
        body: Arc::clone(body),
        html: None,
        mentions: mentions.clone(),
        edited_at: (*edited_at)?,
    })
}

fn message_frame(message: &Message) -> Option<MessageFrame> {
    let Text { id, user, from, body, reply_to, mentions, .. } = message.text()?;
    Some(MessageFrame {
        room: message.room.clone(),
        seq: message.seq,
        id: id.clone(),
        from: from.clone(),
        user: user.clone(),
        body: Arc::clone(body),
        html: None,
        reply_to: reply_to.clone(),
        mentions: mentions.clone(),
        sent_at: message.sent_at,
    })
}

/// The messages of a list, with what is said about the session that receives it.
fn stored_messages(messages: &[Arc<Message>], mine: &OwnReactions) -> Vec<StoredMessage> {
    let stored = |message: &Arc<Message>| {
        let mut stored = StoredMessage::from(&**message);
        if let Some(own) = mine.get(&message.seq) {
            stored.mark_own(own);
        }
        stored
    };
    messages.iter().map(stored).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Content, DeletedBy, Emoji, MAX_MENTIONS, MAX_REACTIONS, Mention, REACTION_NAMES, Reaction, ReplyTo,
        RoomName, Timestamp, UserId, Username,
    };

    fn reactions() -> Vec<Reaction> {
        let emoji = ["👍", "🎉", "\u{2764}", "🇦🇶"].map(|emoji| Emoji::parse(emoji).unwrap());
        let name = |n: usize| Username::parse(&format!("é{n}")).unwrap();
        let reaction = |(n, emoji): (usize, Emoji)| {
            Reaction::new(emoji, 1 << 39, (0..(n % (REACTION_NAMES + 1))).map(name).collect())
        };
        emoji.into_iter().cycle().take(MAX_REACTIONS).enumerate().map(reaction).collect()
    }

    #[test]
    fn the_encoded_size_is_a_close_upper_bound() {
        let all: String = (0..0x2ff).filter_map(char::from_u32).collect();
        let long = "u".repeat(UserId::MAX);
        for (id, user, body) in
            [("a", "u", ""), ("\u{1}\"\\é", "g_0", "hello"), ("id", &long, &all), ("id", "u", &all)]
        {
            let from = Username::parse("ana").unwrap();
            let user: UserId = user.parse().unwrap();
            let text = Text::new(id.parse().unwrap(), user.clone(), from.clone(), body);
            let mut addressed = text.clone();
            let mention = if user.is_guest() { Mention::Room } else { Mention::User(user.clone()) };
            addressed.mentions = Some(vec![mention; MAX_MENTIONS].into());
            let room = RoomName::parse("r").unwrap();
            for seq in [1, (1 << 40) - 1] {
                addressed.reply_to = Some(Arc::new(ReplyTo { seq, from: from.clone(), user: user.clone() }));
                let now = Timestamp::now();
                let posted = Message::new(room.clone(), seq, now, Content::Text(text.clone()));
                let changed = Message { changed_seq: Some(seq), ..posted.clone() };
                let deleted = posted.deleted(DeletedBy::Moderator, seq);
                let edited = posted.edited(body.into(), None, now, seq).unwrap();
                let addressed = Message::new(room.clone(), seq, now, Content::Text(addressed.clone()));
                let reacted = edited.reacted(reactions(), seq).unwrap();
                for (message, slack) in [
                    (posted, 30),
                    (changed, 50),
                    (edited, 50),
                    (deleted, 50),
                    (addressed, 50),
                    (reacted, 50 + 20 * MAX_REACTIONS),
                ] {
                    let own = OwnReactions::from([(seq, vec![Emoji::parse("👍").unwrap()])]);
                    let stored = stored_messages(&[Arc::new(message.clone())], &own);
                    let encoded = serde_json::to_string(&stored[0]).unwrap().len() + 1;
                    let size = message.encoded_size();
                    assert!((encoded..encoded + slack).contains(&size), "{encoded} {size}");
                }
            }
        }
    }
}
