//! Serializes events for sessions that asked for `html`.

use std::sync::Arc;

use super::{PAGE_BYTES, RoomInfo, ServerFrame, StoredMessage, frame, write_frame};
use crate::model::json_length;
use crate::{Event, Message, RoomName, Timestamp, Topic};

/// The maximum number of bytes of message texts that are rendered for one frame, newest messages
/// first. This bounds the time it takes.
pub const RENDERED_BYTES: usize = 256 << 10;

/// The size of the field without its text.
const FIELD: usize = r#""html":"","#.len();

/// A message to render. Within an epoch, the room and both numbers together identify the text.
#[derive(Debug, Clone, Copy)]
pub struct Written<'a> {
    /// The room.
    pub room: &'a RoomName,
    /// The message's number in the room.
    pub seq: u64,
    /// The number of the last event that changed the message; `None` if it was never changed.
    pub changed_seq: Option<u64>,
    /// The time at which the message was stored.
    pub sent_at: Timestamp,
    /// The text, unchanged.
    pub body: &'a Arc<str>,
}

/// Renders texts to sanitised HTML.
pub trait Renderer {
    /// The HTML of a message.
    fn message(&self, message: Written<'_>) -> Arc<str>;

    /// The HTML of the topic of a room.
    fn topic(&self, topic: &Topic) -> Arc<str>;
}

/// Appends the event as [`write()`](super::write()) does, with `html` in each message and
/// `topic_html` in the settings of a room that has a topic.
///
/// The oldest messages have no `html` if the frame would exceed [`PAGE_BYTES`] with it, or if their
/// texts exceed [`RENDERED_BYTES`].
pub fn write_rendered(event: &Event, renderer: &impl Renderer, out: &mut Vec<u8>) {
    let render = |message: Written<'_>| renderer.message(message);
    let Some(mut frame) = frame(event) else { return };
    match (&mut frame, event) {
        (ServerFrame::Message(frame), Event::Message { message, .. }) => {
            let (room, seq, body) = (&frame.room, frame.seq, &frame.body);
            let html = render(Written { room, seq, changed_seq: None, sent_at: frame.sent_at, body });
            if message.encoded_size() + FIELD + json_length(&html) <= PAGE_BYTES {
                frame.html = Some(html);
            }
        }
        (ServerFrame::Edited(edited), Event::Edited(edit)) => {
            let (room, body) = (&edited.room, &edited.body);
            let (seq, changed_seq, sent_at) = (edited.target, Some(edited.seq), edit.message.sent_at);
            let html = render(Written { room, seq, changed_seq, sent_at, body });
            if edit.message.encoded_size() + FIELD + json_length(&html) <= PAGE_BYTES {
                edited.html = Some(html);
            }
        }
        (ServerFrame::Joined(joined), Event::Joined(snapshot)) => {
            let changed = joined.changed.as_deref_mut().unwrap_or_default();
            let size = size(snapshot.changed.iter().flatten().chain(&snapshot.messages))
                + add_topic(&mut joined.info, renderer);
            add_html(&joined.room, [changed, &mut joined.messages], size, render);
        }
        (ServerFrame::Sync(sync), Event::Sync(range)) => {
            let outcome = range.outcome.iter();
            let size = size(outcome.flat_map(|outcome| outcome.changed.iter().chain(&outcome.messages)))
                + sync.info.as_mut().map_or(0, |info| add_topic(info, renderer));
            let lists = [&mut sync.changed, &mut sync.messages];
            add_html(&sync.room, lists.map(|list| list.as_deref_mut().unwrap_or_default()), size, render);
        }
        (ServerFrame::History(page), Event::History(history)) => {
            let size = size(history.messages.iter());
            add_html(&page.room, [&mut [], &mut page.messages], size, render);
        }
        (ServerFrame::RoomChanged(changed), _) => {
            add_topic(&mut changed.info, renderer);
        }
        _ => {}
    }
    write_frame(&frame, out);
}

/// The size of these messages in a list, without `html`.
fn size<'m>(messages: impl Iterator<Item = &'m Arc<Message>>) -> usize {
    messages.map(|message| message.encoded_size()).sum()
}

/// Renders the topic of a room, and returns how much longer the frame is by it.
fn add_topic(info: &mut RoomInfo, renderer: &impl Renderer) -> usize {
    info.topic_html = info.settings.topic.as_ref().map(|topic| renderer.topic(topic));
    info.topic_html.as_deref().map_or(0, |html| FIELD + json_length(html))
}

/// Renders the messages of two lists, of which the second has the newer ones. Without `html`, they
/// have `size` bytes together.
fn add_html(
    room: &RoomName,
    [older, newer]: [&mut [StoredMessage]; 2],
    size: usize,
    render: impl Fn(Written<'_>) -> Arc<str>,
) {
    let (mut encoded, mut rendered) = (size, 0);
    for message in older.iter_mut().chain(newer).rev() {
        let StoredMessage::Text { seq, changed_seq, body, html, sent_at, .. } = message else { continue };
        rendered += body.len();
        if rendered > RENDERED_BYTES {
            return;
        }
        let text = render(Written { room, seq: *seq, changed_seq: *changed_seq, sent_at: *sent_at, body });
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
    use crate::{Content, DeletedBy, Epoch, Message, MessageId, MessagePage, Text, Username};

    /// Renders everything to the same HTML.
    struct Always<'h>(&'h str);

    impl Renderer for Always<'_> {
        fn message(&self, _: Written<'_>) -> Arc<str> {
            self.0.into()
        }

        fn topic(&self, _: &Topic) -> Arc<str> {
            self.0.into()
        }
    }

    fn history_page(count: usize, body: &str) -> Event {
        let messages = (1..=count as u64).map(|seq| {
            let (id, from) = (MessageId::from_random(seq.into()), Username::parse("ana").unwrap());
            let text = Text::new(id, "u_ana".parse().unwrap(), from, body);
            let room = RoomName::parse("r").unwrap();
            Arc::new(Message::new(room, seq, Timestamp::now(), Content::Text(text)))
        });
        let mut messages: Vec<_> = messages.collect();
        let room = RoomName::parse("r").unwrap();
        let (seq, sent_at) = (count as u64 + 1, Timestamp::now());
        let content = Content::Deleted { by: DeletedBy::Operator };
        messages.push(Arc::new(Message::new(room.clone(), seq, sent_at, content)));
        let (first, last, epoch) = (1, seq, Epoch::from_random(1));
        let mine = crate::OwnReactions::new();
        let page = MessagePage { reference: None, room, epoch, first, last, messages, mine, more: false };
        Event::History(Box::new(page))
    }

    /// Which messages have `html`, and the length of the frame.
    fn written(event: &Event, html: &str) -> (Vec<bool>, usize) {
        let mut out = Vec::new();
        write_rendered(event, &Always(html), &mut out);
        let ServerFrame::History(page) = serde_json::from_slice(&out).unwrap() else { panic!("a page") };
        let has_html = |message: &StoredMessage| matches!(message, StoredMessage::Text { html: Some(_), .. });
        (page.messages.iter().map(has_html).collect(), out.len())
    }

    #[test]
    fn every_message_of_a_page_except_a_deleted_one_is_rendered() {
        assert_eq!(written(&history_page(3, "*hi*"), "<p><em>hi</em></p>").0, [true, true, true, false]);
    }

    #[test]
    fn a_page_keeps_its_size_limit_and_renders_the_newest_messages_first() {
        let (rendered, bytes) = written(&history_page(40, "*"), &"\"".repeat(PAGE_BYTES / 60));
        assert!(bytes <= PAGE_BYTES + 200, "{bytes}");
        assert_eq!(rendered.iter().filter(|rendered| **rendered).count(), 29);
        assert!(rendered[..40].is_sorted(), "the oldest messages have no html");
    }

    #[test]
    fn the_rendered_bytes_of_one_frame_are_limited() {
        let (rendered, _) = written(&history_page(10, &"x".repeat(RENDERED_BYTES / 4)), "<p>");
        assert_eq!(rendered.iter().filter(|rendered| **rendered).count(), 4);
    }
}
