//! Writes what is told to sessions that asked for `html`.

use std::sync::Arc;

use super::write::{message_frame, write, write_frame};
use super::{PAGE_BYTES, ServerFrame, StoredMessage};
use crate::message::{ERASED_SIZE, json_length, said_size};
use crate::{Event, MessageId, RoomName, Timestamp};

/// In one frame the newest bodies of this many bytes together are rendered: a bound on the time that takes.
pub const RENDERED_BYTES: usize = 256 << 10;

/// The name of the field, and what is around its text.
const FIELD: usize = r#""html":"","#.len();

/// A message whose `html` is asked for. Room, number and id together never stand for another text in one epoch.
#[derive(Debug, Clone, Copy)]
pub struct Written<'a> {
    /// Where it was said.
    pub room: &'a RoomName,
    /// Its place in the room's order.
    pub seq: u64,
    /// What its sender calls it.
    pub id: &'a MessageId,
    /// When it was stored.
    pub sent_at: Timestamp,
    /// What, as it was written.
    pub body: &'a Arc<str>,
}

/// Appends the event as [`write()`] does, and adds to each message what `render` makes of it: its sanitised HTML.
///
/// Where a frame would have more than [`PAGE_BYTES`] with it, and beyond [`RENDERED_BYTES`] of texts, messages have no `html`, the
/// oldest first.
pub fn write_rendered(event: &Event, mut render: impl FnMut(Written<'_>) -> Arc<str>, out: &mut Vec<u8>) {
    match event {
        Event::Message { message, .. } => {
            let Some(mut frame) = message_frame(message) else { return };
            let (room, seq, id, body) = (&frame.room, frame.seq, &frame.id, &frame.body);
            let html = render(Written { room, seq, id, sent_at: frame.sent_at, body });
            if message.encoded_size() + FIELD + json_length(&html) <= PAGE_BYTES {
                frame.html = Some(html);
            }
            write_frame(&ServerFrame::Message(frame), out);
        }
        Event::Told(frame) => match &**frame {
            ServerFrame::Joined(joined) => {
                let mut joined = joined.clone();
                add_html(&joined.room, &mut joined.messages, render);
                write_frame(&ServerFrame::Joined(joined), out);
            }
            ServerFrame::History(page) => {
                let mut page = page.clone();
                add_html(&page.room, &mut page.messages, render);
                write_frame(&ServerFrame::History(page), out);
            }
            _ => write_frame(frame, out),
        },
        _ => write(event, out),
    }
}

fn add_html(
    room: &RoomName,
    messages: &mut [StoredMessage],
    mut render: impl FnMut(Written<'_>) -> Arc<str>,
) {
    let size = |message: &StoredMessage| match message {
        StoredMessage::Said { id, from, body, .. } => said_size(id, from, body),
        StoredMessage::Erased { .. } => ERASED_SIZE,
    };
    let (mut encoded, mut rendered) = (messages.iter().map(size).sum::<usize>(), 0);
    for message in messages.iter_mut().rev() {
        let StoredMessage::Said { seq, id, body, html, sent_at, .. } = message else { continue };
        rendered += body.len();
        if rendered > RENDERED_BYTES {
            return;
        }
        let text = render(Written { room, seq: *seq, id, sent_at: *sent_at, body });
        encoded += FIELD + json_length(&text);
        if encoded > PAGE_BYTES {
            return;
        }
        *html = Some(text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::v2::HistoryPage;
    use crate::{Content, Epoch, Message, Username};

    fn told(count: usize, body: &str) -> Event {
        let messages = (1..=count as u64).map(|seq| {
            let content = Content::Said {
                id: MessageId::from_random(seq.into()),
                from: Username::parse("ana").unwrap(),
                body: body.into(),
            };
            let room = RoomName::parse("r").unwrap();
            StoredMessage::from(&Message { room, seq, sent_at: Timestamp::now(), content })
        });
        let mut messages: Vec<_> = messages.collect();
        messages.push(StoredMessage::Erased {
            seq: count as u64 + 1,
            sent_at: Timestamp::now(),
            erased: true,
        });
        Event::Told(Arc::new(ServerFrame::History(HistoryPage {
            reference: None,
            room: RoomName::parse("r").unwrap(),
            epoch: Epoch::from_random(1),
            messages,
            more: false,
        })))
    }

    /// Which messages have `html`, and how long the frame is.
    fn written(event: &Event, html: &str) -> (Vec<bool>, usize) {
        let mut out = Vec::new();
        write_rendered(event, |_| html.into(), &mut out);
        let ServerFrame::History(page) = serde_json::from_slice(&out).unwrap() else { panic!("a page") };
        let has_html = |message: &StoredMessage| matches!(message, StoredMessage::Said { html: Some(_), .. });
        (page.messages.iter().map(has_html).collect(), out.len())
    }

    #[test]
    fn every_message_of_a_page_is_rendered_but_one_that_was_erased() {
        assert_eq!(written(&told(3, "*hi*"), "<p><em>hi</em></p>").0, [true, true, true, false]);
    }

    #[test]
    fn a_page_stays_within_its_bytes_and_the_newest_are_rendered_first() {
        let (rendered, bytes) = written(&told(40, "*"), &"\"".repeat(PAGE_BYTES / 60));
        assert!(bytes <= PAGE_BYTES + 200, "{bytes}");
        assert_eq!(rendered.iter().filter(|rendered| **rendered).count(), 29);
        assert!(rendered[..40].is_sorted(), "the oldest have none");
    }

    #[test]
    fn no_more_than_so_many_bytes_are_rendered_for_one_frame() {
        let (rendered, _) = written(&told(10, &"x".repeat(RENDERED_BYTES / 4)), "<p>");
        assert_eq!(rendered.iter().filter(|rendered| **rendered).count(), 4);
    }
}
