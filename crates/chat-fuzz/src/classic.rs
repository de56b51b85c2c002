//! Any text from a classic client: it is what another reader of JSON sees in it, or refused in a short sentence; and what
//! was read is written as it was.

use std::sync::Arc;

use chat_protocol::classic::{self, Command, ReadError};
use chat_protocol::{
    ChannelName, Content, Event, Member, MemberId, MemberList, Message, MessageId, RoomName, Timestamp,
    Username,
};
use serde_json::Value;

use crate::json;

/// The longest sentence that says what is wrong: a type is quoted with at most 64 characters.
const MAX_SAID: usize = 64 * 4 + 200;

pub(crate) fn run(bytes: &[u8]) {
    let frame = crate::text(bytes);
    let seen = json::object(frame);
    let kind = seen.as_ref().and_then(|seen| seen.once("type")?.as_str());
    let message = seen.as_ref().and_then(|seen| seen.once("message")?.as_str());
    match classic::read(frame) {
        Ok(Command::Say { body }) => {
            if seen.is_some() {
                assert_eq!((kind, message), (Some("chat_message"), Some(&*body)));
            }
            assert!(body.len() <= frame.len());
            assert_written(&body);
        }
        Ok(other) => panic!("{other:?}"),
        Err(error) => {
            assert!(error.to_string().len() <= MAX_SAID, "{error}");
            let Some(seen) = &seen else { return };
            assert!(!matches!(error, ReadError::NotAnObject | ReadError::BadJson(_)), "{error}");
            let is_said = kind == Some("chat_message") && message.is_some();
            assert!(!is_said || seen.has_twice(&["type", "message"]), "{error}");
        }
    }
}

/// Whoever is told this reads it as it was sent.
fn assert_written(body: &Arc<str>) {
    let (room, username) = (RoomName::parse("r").unwrap(), Username::parse("ana").unwrap());
    let ana = Arc::new(Member {
        id: MemberId(1),
        room: room.clone(),
        username: username.clone(),
        channel: ChannelName(1),
        joined_at: Timestamp(0),
    });
    let content = Content::Said { id: MessageId::from_random(0), from: username, body: Arc::clone(body) };
    let event = Event::Message {
        message: Arc::new(Message { room, seq: 1, sent_at: Timestamp(0), content }),
        from: Some(Arc::clone(&ana)),
        members: Arc::new(MemberList::new(vec![ana], 1)),
    };
    let mut out = Vec::new();
    classic::write(&event, &mut out);
    let told: Value = serde_json::from_slice(&out).unwrap();
    let keys: Vec<_> = told.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(keys, ["message", "type", "username", "users"]);
    assert_eq!(told["message"].as_str(), Some(&**body));
}
