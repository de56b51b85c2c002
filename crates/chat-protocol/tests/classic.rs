//! Every frame of the classic protocol, as sent on the wire.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use chat_protocol::classic::{self, Command, ReadError};
use chat_protocol::v2::{ErrorCode, NoticeLevel};
use chat_protocol::{
    ChannelName, Content, Event, Member, MemberGroup, MemberId, MemberList, Message, MessageId, RoomName,
    Text, Timestamp, Username,
};
use proptest::prelude::*;

fn member(id: i64, username: &str) -> Arc<Member> {
    Arc::new(Member {
        id: MemberId::new(id),
        room: RoomName::parse("lobby").unwrap(),
        user: format!("u_{username}").parse().unwrap(),
        username: Username::parse(username).unwrap(),
        channel: ChannelName::new(0xc7f3 + id as u64),
        joined_at: Timestamp::from_millis(0),
    })
}

fn list(members: &[&Arc<Member>]) -> Arc<MemberList> {
    Arc::new(MemberList::new(members.iter().map(|m| Arc::clone(m)).collect(), members.len()))
}

fn message(from: &Arc<Member>, body: &str, members: &Arc<MemberList>) -> Event {
    let text = Text::new(MessageId::from_random(1), from.user.clone(), from.username.clone(), body);
    let message = Message::new(from.room.clone(), 1, Timestamp::from_millis(0), Content::Text(text));
    Event::Message { message: Arc::new(message), from: Some(Arc::clone(from)), members: Arc::clone(members) }
}

fn notice(body: &str, members: Arc<MemberList>) -> Event {
    Event::Notice {
        room: Some(RoomName::parse("lobby").unwrap()),
        level: NoticeLevel::Info,
        body: body.into(),
        members,
    }
}

fn refused(reason: &str, members: Arc<MemberList>) -> Event {
    Event::Refused {
        code: ErrorCode::BadJson,
        reason: reason.into(),
        reference: None,
        denied: None,
        until: None,
        retry_after: None,
        members,
    }
}

fn written(event: &Event) -> String {
    let mut out = Vec::new();
    classic::write(event, &mut out);
    String::from_utf8(out).unwrap()
}

#[test]
fn a_join_is_announced() {
    let (ana, bob) = (member(7, "ana"), member(8, "bob"));
    let event = Event::Entered { group: bob.clone().into(), members: list(&[&ana, &bob]) };
    insta::assert_snapshot!(written(&event), @r#"{"message":"bob entered the room","username":"bob","type":"chat_enter_room","users":[{"id":7,"room":"lobby","username":"ana","channel_name":"c000000000000c7fa"},{"id":8,"room":"lobby","username":"bob","channel_name":"c000000000000c7fb"}]}"#);
}

#[test]
fn a_leave_is_announced() {
    let ana = member(7, "ana");
    let event = Event::Left { group: member(8, "bob").into(), members: list(&[&ana]) };
    insta::assert_snapshot!(written(&event), @r#"{"message":"bob left the room","username":"bob","type":"chat_leave_room","users":[{"id":7,"room":"lobby","username":"ana","channel_name":"c000000000000c7fa"}]}"#);
}

#[test]
fn a_message_is_relayed_unchanged() {
    let ana = member(7, "ana");
    let body = "\0\u{1}\r\n\t\"\\ <b>&amp;</b> é 😀";
    let event = message(&ana, body, &list(&[&ana]));
    insta::assert_snapshot!(written(&event), @r#"{"message":"\u0000\u0001\r\n\t\"\\ <b>&amp;</b> é 😀","username":"ana","type":"chat_message","users":[{"id":7,"room":"lobby","username":"ana","channel_name":"c000000000000c7fa"}]}"#);
}

#[test]
fn errors_and_notices_are_sent_in_the_name_of_the_server() {
    let ana = member(7, "ana");
    let error = refused("no", list(&[&ana]));
    insta::assert_snapshot!(written(&error), @r#"{"message":"no","username":"*chatd*","type":"chat_error","users":[{"id":7,"room":"lobby","username":"ana","channel_name":"c000000000000c7fa"}]}"#);
    let notice = notice("tea at four", list(&[]));
    insta::assert_snapshot!(written(&notice), @r#"{"message":"tea at four","username":"*chatd*","type":"chat_notice","users":[]}"#);
}

#[test]
fn a_coalesced_event_names_three_members_and_counts_the_rest() {
    let members: Vec<_> = (1..=6).map(|id| member(id, &format!("p{id}"))).collect();
    let text = |n: usize| {
        let event =
            Event::Left { group: MemberGroup::new(members[..n].to_vec()).unwrap(), members: list(&[]) };
        let frame: serde_json::Value = serde_json::from_str(&written(&event)).unwrap();
        assert_eq!(frame["username"], "p1");
        frame["message"].as_str().unwrap().to_owned()
    };
    insta::assert_snapshot!((1..=6).map(text).collect::<Vec<_>>().join("\n"), @r"
    p1 left the room
    p1 and p2 left the room
    p1, p2 and p3 left the room
    p1, p2, p3 and 1 other left the room
    p1, p2, p3 and 2 others left the room
    p1, p2, p3 and 3 others left the room
    ");
}

#[test]
fn the_member_an_event_is_about_is_listed_after_the_first_members() {
    let (ana, late) = (member(1, "ana"), member(900, "late"));
    let members = Arc::new(MemberList::new(vec![ana], 600));
    for event in [
        Event::Entered { group: late.clone().into(), members: members.clone() },
        message(&late, "hi", &members),
    ] {
        let frame: serde_json::Value = serde_json::from_str(&written(&event)).unwrap();
        let names: Vec<_> = frame["users"].as_array().unwrap().iter().map(|user| &user["username"]).collect();
        assert_eq!(names, ["ana", "late"]);
    }
    let left: serde_json::Value =
        serde_json::from_str(&written(&Event::Left { group: late.into(), members })).unwrap();
    assert_eq!(left["users"].as_array().unwrap().len(), 1);
}

#[test]
fn other_keys_of_a_message_frame_are_ignored() {
    for frame in [
        r#"{"message":"hi","username":"ana","type":"chat_message"}"#,
        r#"{"type":"chat_message","x":[1,{"y":null}],"message":"hi"}"#,
        " \r\n{\"type\":\"chat_message\",\"username\":7,\"message\":\"\\u0068i\"}\n",
    ] {
        assert_eq!(classic::read(frame), Ok(Command::Say { body: "hi".into() }), "{frame}");
    }
}

#[test]
fn an_invalid_frame_is_rejected_with_a_reason() {
    let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
    let deep_object = "{\"a\":".repeat(10_000);
    let in_message = format!(r#"{{"type":"chat_message","message":{deep}}}"#);
    let replies: Vec<String> = [
        "",
        "hello",
        "{",
        "null",
        "7",
        r#""chat_message""#,
        r#"["chat_message","hi"]"#,
        r#"["chat_message","hi","and more"]"#,
        "{}",
        r#"{"type":"chat_message"}"#,
        r#"{"type":"chat_message","message":null}"#,
        r#"{"type":"chat_message","message":5}"#,
        r#"{"type":"chat_message","message":["a"]}"#,
        r#"{"type":7,"message":"a"}"#,
        r#"{"message":"a"}"#,
        r#"{"type":"chat_enter_room","message":"a"}"#,
        r#"{"type":"chat_message","message":"a","message":"b"}"#,
        r#"{"type":"chat_message","message":"\ud800"}"#,
        r#"{"type":"chat_message","message":"a"} x"#,
        &deep,
        &deep_object,
        &in_message,
    ]
    .iter()
    .map(|frame| {
        format!("{:<52} {}", frame.chars().take(50).collect::<String>(), classic::read(frame).unwrap_err())
    })
    .collect();
    insta::assert_snapshot!(replies.join("\n"));
}

#[test]
fn a_long_unknown_type_is_quoted_in_part() {
    let frame = serde_json::json!({"type": "é".repeat(100_000), "message": ""}).to_string();
    assert_eq!(classic::read(&frame), Err(ReadError::UnknownType("é".repeat(64))));
}

#[test]
fn the_error_does_not_quote_a_long_invalid_frame() {
    for frame in [format!("{:?} x", "é".repeat(100_000)), format!("[{:?}, x", "é".repeat(100_000))] {
        let error = classic::read(&frame).unwrap_err();
        assert!(error.to_string().len() < 100, "{} bytes", error.to_string().len());
    }
}

proptest! {
    #[test]
    fn any_text_is_relayed_unchanged(body in any::<String>()) {
        let frame = serde_json::json!({"message": body, "type": "chat_message"}).to_string();
        let Command::Say { body: read } = classic::read(&frame).unwrap() else { unreachable!() };
        let ana = member(1, "ana");
        let event = message(&ana, &read, &list(&[&ana]));
        let frame: serde_json::Value = serde_json::from_str(&written(&event)).unwrap();
        prop_assert_eq!(&frame["message"], &serde_json::Value::String(body));
    }

    #[test]
    fn reading_any_text_does_not_panic(frame in any::<String>()) {
        let _ = classic::read(&frame);
    }
}
