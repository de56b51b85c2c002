//! Writes what the server sends.

use std::sync::Arc;

use super::{Error, MemberInfo, MessageFrame, Notice, ServerFrame, StoredMessage};
use crate::{Content, Event, Message};

/// A frame without its lists and texts.
const FRAME: usize = 200;

/// Appends the event as one JSON object; nothing where this dialect has no frame for it.
pub fn write(event: &Event, out: &mut Vec<u8>) {
    match event {
        Event::Message { message, .. } => {
            if let Some(frame) = message_frame(message) {
                write_frame(&ServerFrame::Message(frame), out);
            }
        }
        Event::Notice { room, level, body, .. } => {
            let notice = Notice { room: room.clone(), level: *level, body: Arc::clone(body) };
            write_frame(&ServerFrame::Notice(notice), out);
        }
        Event::Refused { code, reason, reference, .. } => {
            let error = Error {
                reference: reference.clone(),
                code: *code,
                message: Arc::clone(reason),
                retry_after_ms: None,
            };
            write_frame(&ServerFrame::Error(error), out);
        }
        Event::Told(frame) => write_frame(frame, out),
        // who comes and goes is told by `presence`
        Event::Entered { .. } | Event::Left { .. } => {}
    }
}

pub(super) fn message_frame(message: &Message) -> Option<MessageFrame> {
    let Content::Said { id, from, body } = &message.content else { return None };
    Some(MessageFrame {
        room: message.room.clone(),
        seq: message.seq,
        id: id.clone(),
        from: from.clone(),
        body: Arc::clone(body),
        html: None,
        sent_at: message.sent_at,
    })
}

/// Appends the frame as one JSON object.
pub fn write_frame(frame: &ServerFrame, out: &mut Vec<u8>) {
    // structs of strings and numbers cannot fail to serialize, and a vector takes every write
    let written = serde_json::to_writer(out, frame);
    debug_assert!(written.is_ok());
}

/// About how many bytes [`write()`] appends, without writing the event: all but what escaping adds.
pub fn size_hint(event: &Event) -> usize {
    match event {
        Event::Message { message, .. } => message.size(),
        Event::Notice { body, .. } => FRAME + body.len(),
        Event::Refused { reason, .. } => FRAME + reason.len(),
        Event::Entered { .. } | Event::Left { .. } => 0,
        Event::Told(frame) => frame_size(frame),
    }
}

fn frame_size(frame: &ServerFrame) -> usize {
    let rest = match frame {
        ServerFrame::Joined(joined) => members_size(&joined.members) + messages_size(&joined.messages),
        ServerFrame::History(page) => messages_size(&page.messages),
        ServerFrame::Members(page) => members_size(&page.members),
        ServerFrame::Presence(presence) => {
            /// A name without its characters.
            const NAME: usize = 3;
            let left = presence.left.iter().map(|name| NAME + name.as_str().len());
            members_size(&presence.joined) + left.sum::<usize>()
        }
        ServerFrame::Message(message) => message.body.len() + html_size(message.html.as_deref()),
        ServerFrame::Notice(notice) => notice.body.len(),
        ServerFrame::Error(error) => error.message.len(),
        _ => 0,
    };
    FRAME + rest
}

fn members_size(members: &[MemberInfo]) -> usize {
    /// All but the name.
    const REST: usize = 60;
    members.iter().map(|member| REST + member.username.as_str().len()).sum()
}

fn messages_size(messages: &[StoredMessage]) -> usize {
    /// All but the texts.
    const REST: usize = 160;
    const ERASED: usize = 80;
    let size = |message: &StoredMessage| match message {
        StoredMessage::Said { body, html, .. } => REST + body.len() + html_size(html.as_deref()),
        StoredMessage::Erased { .. } => ERASED,
    };
    messages.iter().map(size).sum()
}

fn html_size(html: Option<&str>) -> usize {
    html.map_or(0, str::len)
}
