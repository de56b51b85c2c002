//! Serializes the frames of the server.

use std::sync::Arc;

use super::{ServerFrame, frame};
use crate::{Content, Event, MemberInfo, Message, Outcome};

/// The size of a frame without its lists and texts.
const FRAME: usize = 240;

/// Appends the event as one JSON object. Appends nothing if this protocol has no frame for it.
pub fn write(event: &Event, out: &mut Vec<u8>) {
    if let Some(frame) = frame(event) {
        write_frame(&frame, out);
    }
}

/// Appends the frame as one JSON object.
pub fn write_frame(frame: &ServerFrame, out: &mut Vec<u8>) {
    // cannot fail: structs of strings and numbers always serialize, and a vector accepts every
    // write
    let written = serde_json::to_writer(out, frame);
    debug_assert!(written.is_ok());
}

/// Estimates how many bytes [`write()`] appends, without serializing the event. The estimate leaves
/// out what escaping adds.
pub fn size_hint(event: &Event) -> usize {
    match event {
        Event::Message { message, .. } => message.size(),
        Event::Edited(edit) => edit.message.size(),
        Event::Entered { .. } | Event::Left { .. } => 0,
        Event::Notice { body, .. } => FRAME + body.len(),
        Event::Refused { reason, .. } => FRAME + reason.len(),
        Event::Joined(snapshot) => {
            let changed = snapshot.changed.as_deref().unwrap_or_default();
            FRAME
                + members_size(&snapshot.members)
                + messages_size(&snapshot.messages)
                + messages_size(changed)
        }
        Event::Deleted(deletion) => {
            /// The size of a number with its comma.
            const TARGET: usize = 8;
            FRAME + TARGET * deletion.messages.len()
        }
        Event::Reacted(reacted) => {
            /// The size of a user without its name.
            const USER: usize = 64;
            FRAME + USER * reacted.users()
        }
        Event::Sync(range) => {
            let lists =
                |outcome: &Outcome| messages_size(&outcome.messages) + messages_size(&outcome.changed);
            FRAME + range.outcome.as_ref().map_or(0, lists)
        }
        Event::History(page) => FRAME + messages_size(&page.messages),
        Event::Members(page) => FRAME + members_size(&page.members),
        Event::PresenceChanged(change) => {
            /// The size of a name without its characters.
            const NAME: usize = 3;
            let left = change.left.iter().map(|name| NAME + name.as_str().len());
            FRAME + members_size(&change.joined) + left.sum::<usize>()
        }
        Event::Typing { .. }
        | Event::RoomChanged(_)
        | Event::StandingChanged { .. }
        | Event::Ack(_)
        | Event::LeaveNotice { .. } => FRAME,
    }
}

fn members_size(members: &[MemberInfo]) -> usize {
    /// Everything except the name.
    const REST: usize = 96;
    members.iter().map(|member| REST + member.username.as_str().len()).sum()
}

fn messages_size(messages: &[Arc<Message>]) -> usize {
    /// Everything except the text.
    const REST: usize = 192;
    const DELETED: usize = 112;
    const REACTION: usize = 64;
    let size = |message: &Arc<Message>| match &message.content {
        Content::Text(text) => REST + text.body.len() + REACTION * text.reactions().len(),
        Content::Deleted { .. } => DELETED,
    };
    messages.iter().map(size).sum()
}
