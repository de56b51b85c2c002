//! Any text from a classic client: the command agrees with another JSON parser, or the frame is
//! rejected with a short message. The text of a command is relayed unchanged.

use std::sync::Arc;

use chat_protocol::classic::{self, Command, ReadError};
use chat_protocol::{
    ChannelName, Content, Event, Member, MemberId, MemberList, Message, MessageId, RoomName, Text, Timestamp,
    UserId, Username,
};
use serde_json::Value;

use crate::json;

/// The maximum length of an error message in bytes: it quotes at most 64 characters of a type.
const MAX_ERROR: usize = 64 * 4 + 200;

pub(crate) fn run(bytes: &[u8]) {
    let frame = crate::text(bytes);
    let parsed = json::object(frame);
    let kind = parsed.as_ref().and_then(|parsed| parsed.once("type")?.as_str());
    let message = parsed.as_ref().and_then(|parsed| parsed.once("message")?.as_str());
    match classic::read(frame) {
        Ok(Command::Say { body }) => {
            if parsed.is_some() {
                assert_eq!((kind, message), (Some("chat_message"), Some(&*body)));
            }
            assert!(body.len() <= frame.len());
            assert_relayed(&body);
        }
        Ok(other) => panic!("{other:?}"),
        Err(error) => {
            assert!(error.to_string().len() <= MAX_ERROR, "{error}");
            let Some(parsed) = &parsed else { return };
            assert!(!matches!(error, ReadError::NotAnObject | ReadError::BadJson(_)), "{error}");
            let is_message = kind == Some("chat_message") && message.is_some();
            assert!(!is_message || parsed.has_duplicate(&["type", "message"]), "{error}");
        }
    }
}

/// Checks that the event of a message contains its text unchanged.
fn assert_relayed(body: &Arc<str>) {
    let (room, username) = (RoomName::parse("r").unwrap(), Username::parse("ana").unwrap());
    let user = UserId::unknown();
    let ana = Arc::new(Member {
        id: MemberId::new(1),
        room: room.clone(),
        user: user.clone(),
        username: username.clone(),
        channel: ChannelName::new(1),
        joined_at: Timestamp::from_millis(0),
    });
    let text = Text::new(MessageId::from_random(0), user, username, Arc::clone(body));
    let content = Content::Text(text);
    let event = Event::Message {
        message: Arc::new(Message::new(room, 1, Timestamp::from_millis(0), content)),
        from: Some(Arc::clone(&ana)),
        members: Arc::new(MemberList::new(vec![ana], 1)),
    };
    let mut out = Vec::new();
    classic::write(&event, &mut out);
    let sent: Value = serde_json::from_slice(&out).unwrap();
    let keys: Vec<_> = sent.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(keys, ["message", "type", "username", "users"]);
    assert_eq!(sent["message"].as_str(), Some(&**body));
}
