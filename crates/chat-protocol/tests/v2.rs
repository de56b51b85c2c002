//! Every frame of the protocol `chat.v2`, as sent on the wire.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use chat_protocol::v2::{
    self, Ack, Bye, ClientFrame, Command, Error, ErrorCode, Hello, History, HistoryPage, Join, Joined, Left,
    LeftReason, MemberInfo, Members, MembersPage, MessageFrame, Notice, NoticeLevel, Presence, Rejected,
    Send, ServerFrame, Since, StoredMessage, Typing, Welcome, WelcomeLimits,
};
use chat_protocol::{
    ChannelName, Content, Epoch, Event, Member, MemberId, MemberList, MemberPage, Message, MessageId,
    MessagePage, PresenceChange, Reference, RoomName, Timestamp, Username,
};
use serde_json::json;

/// 2026-11-24T08:00:00.123Z
const MOMENT: Timestamp = Timestamp::from_millis(1_795_507_200_123);

fn room() -> RoomName {
    RoomName::parse("lobby").unwrap()
}

fn name(text: &str) -> Username {
    Username::parse(text).unwrap()
}

fn epoch() -> Epoch {
    Epoch::from_random(0xe70c)
}

fn reference() -> Option<Reference> {
    Some("r1".parse().unwrap())
}

fn id() -> MessageId {
    "m1".parse().unwrap()
}

fn info(text: &str) -> MemberInfo {
    MemberInfo { username: name(text), joined_at: MOMENT }
}

fn said(html: Option<&str>) -> StoredMessage {
    let (id, from, html) = (id(), name("ana"), html.map(Arc::from));
    StoredMessage::Said { seq: 7, id, from, body: "*hi*".into(), html, sent_at: MOMENT }
}

fn erased() -> StoredMessage {
    StoredMessage::Erased { seq: 8, sent_at: MOMENT, erased: true }
}

/// Serializes a command, and checks that the server reads it back.
fn client(reference: Option<Reference>, command: Command) -> String {
    let frame = ClientFrame { reference, command };
    let text = serde_json::to_string(&frame).unwrap();
    assert_eq!(v2::read(&text), Ok(frame), "{text}");
    text
}

/// Serializes a frame of the server, and checks that a client reads it back.
fn server(frame: &ServerFrame) -> String {
    let mut out = Vec::new();
    v2::write_frame(frame, &mut out);
    let text = String::from_utf8(out).unwrap();
    assert_eq!(&serde_json::from_str::<ServerFrame>(&text).unwrap(), frame, "{text}");
    text
}

fn written(event: &Event) -> String {
    let mut out = Vec::new();
    v2::write(event, &mut out);
    String::from_utf8(out).unwrap()
}

fn read(frame: &str) -> Command {
    let frame = v2::read(frame).unwrap_or_else(|rejected| panic!("{frame}: {rejected}"));
    frame.command
}

fn rejected(frame: &str) -> Rejected {
    v2::read(frame).err().unwrap_or_else(|| panic!("{frame} is a command"))
}

#[test]
fn commands_with_all_fields_are_written() {
    let commands = [
        Command::Hello(Hello {
            username: name("ana"),
            resume: Some("secret".into()),
            token: Some("t".into()),
            client: Some("page 1.0".into()),
            render: true,
        }),
        Command::Join(Join { room: room(), since: Some(Since { epoch: epoch(), seq: 41 }), history: 50 }),
        Command::Leave { room: room() },
        Command::Send(Send { room: room(), body: "*hi*".into(), id: Some(id()) }),
        Command::History(History { room: room(), before: Some(9), after: Some(3), limit: Some(20) }),
        Command::Members(Members {
            room: room(),
            after: Some("ana".into()),
            prefix: Some("b".into()),
            limit: Some(20),
        }),
        Command::Typing { room: room() },
        Command::Ping,
    ];
    let written = commands.map(|command| client(reference(), command)).join("\n");
    insta::assert_snapshot!(written, @r#"
    {"ref":"r1","type":"hello","username":"ana","resume":"secret","token":"t","client":"page 1.0","render":true}
    {"ref":"r1","type":"join","room":"lobby","since":{"epoch":"000000000000e70c","seq":41},"history":50}
    {"ref":"r1","type":"leave","room":"lobby"}
    {"ref":"r1","type":"send","room":"lobby","body":"*hi*","id":"m1"}
    {"ref":"r1","type":"history","room":"lobby","before":9,"after":3,"limit":20}
    {"ref":"r1","type":"members","room":"lobby","after":"ana","prefix":"b","limit":20}
    {"ref":"r1","type":"typing","room":"lobby"}
    {"ref":"r1","type":"ping"}
    "#);
}

#[test]
fn commands_with_only_required_fields_are_written() {
    let commands = [
        Command::Hello(Hello {
            username: name("ana"),
            resume: None,
            token: None,
            client: None,
            render: false,
        }),
        Command::Join(Join { room: room(), since: None, history: 0 }),
        Command::Leave { room: room() },
        Command::Send(Send { room: room(), body: "".into(), id: None }),
        Command::History(History { room: room(), before: None, after: None, limit: None }),
        Command::Members(Members { room: room(), after: None, prefix: None, limit: None }),
        Command::Typing { room: room() },
        Command::Ping,
    ];
    let written = commands.map(|command| client(None, command)).join("\n");
    insta::assert_snapshot!(written, @r#"
    {"type":"hello","username":"ana"}
    {"type":"join","room":"lobby"}
    {"type":"leave","room":"lobby"}
    {"type":"send","room":"lobby","body":""}
    {"type":"history","room":"lobby"}
    {"type":"members","room":"lobby"}
    {"type":"typing","room":"lobby"}
    {"type":"ping"}
    "#);
}

#[test]
fn server_frames_with_all_fields_are_written() {
    let frames = [
        ServerFrame::Welcome(Welcome {
            reference: reference(),
            session: "s1".into(),
            resume: "secret".into(),
            username: name("ana"),
            server: "chatd 0.1.0".into(),
            limits: WelcomeLimits {
                message_bytes: 131_072,
                messages_per_second: 100,
                burst: 5_000,
                rooms: 100,
            },
            heartbeat_ms: 25_000,
        }),
        ServerFrame::Joined(Joined {
            reference: reference(),
            room: room(),
            epoch: epoch(),
            seq: 8,
            members: vec![info("ana"), info("bob")],
            member_count: 2,
            messages: vec![said(Some("<em>hi</em>")), erased()],
            recovered: true,
        }),
        ServerFrame::Left(Left { reference: reference(), room: room(), reason: LeftReason::Asked }),
        ServerFrame::Message(MessageFrame {
            room: room(),
            seq: 7,
            id: id(),
            from: name("ana"),
            body: "*hi*".into(),
            html: Some("<em>hi</em>".into()),
            sent_at: MOMENT,
        }),
        ServerFrame::Presence(Presence {
            room: room(),
            joined: vec![info("bob")],
            left: vec![name("cid")],
            member_count: 900,
            partial: true,
        }),
        ServerFrame::Typing(Typing { room: room(), username: name("bob") }),
        ServerFrame::Ack(Ack {
            reference: reference(),
            room: room(),
            seq: 7,
            id: id(),
            sent_at: MOMENT,
            stored: false,
        }),
        ServerFrame::History(HistoryPage {
            reference: reference(),
            room: room(),
            epoch: epoch(),
            messages: vec![said(Some("<em>hi</em>")), erased()],
            more: true,
        }),
        ServerFrame::Members(MembersPage {
            reference: reference(),
            room: room(),
            members: vec![info("ana")],
            member_count: 2,
            more: true,
        }),
        ServerFrame::Notice(Notice {
            room: Some(room()),
            level: NoticeLevel::Warning,
            body: "tea at four".into(),
        }),
        ServerFrame::Error(Error {
            reference: reference(),
            code: ErrorCode::RateLimited,
            message: "too fast".into(),
            retry_after_ms: Some(500),
        }),
        ServerFrame::Bye(Bye {
            code: 1001,
            reason: "the server is shutting down".into(),
            reconnect: true,
            after_ms: Some(3_000),
        }),
        ServerFrame::Pong { reference: reference() },
    ];
    let written = frames.map(|frame| server(&frame)).join("\n");
    insta::assert_snapshot!(written, @r#"
    {"type":"welcome","ref":"r1","session":"s1","resume":"secret","username":"ana","server":"chatd 0.1.0","limits":{"message_bytes":131072,"messages_per_second":100,"burst":5000,"rooms":100},"heartbeat_ms":25000}
    {"type":"joined","ref":"r1","room":"lobby","epoch":"000000000000e70c","seq":8,"members":[{"username":"ana","joined_at":"2026-11-24T08:00:00.123Z"},{"username":"bob","joined_at":"2026-11-24T08:00:00.123Z"}],"member_count":2,"messages":[{"seq":7,"id":"m1","from":"ana","body":"*hi*","html":"<em>hi</em>","sent_at":"2026-11-24T08:00:00.123Z"},{"seq":8,"sent_at":"2026-11-24T08:00:00.123Z","erased":true}],"recovered":true}
    {"type":"left","ref":"r1","room":"lobby","reason":"asked"}
    {"type":"message","room":"lobby","seq":7,"id":"m1","from":"ana","body":"*hi*","html":"<em>hi</em>","sent_at":"2026-11-24T08:00:00.123Z"}
    {"type":"presence","room":"lobby","joined":[{"username":"bob","joined_at":"2026-11-24T08:00:00.123Z"}],"left":["cid"],"member_count":900,"partial":true}
    {"type":"typing","room":"lobby","username":"bob"}
    {"type":"ack","ref":"r1","room":"lobby","seq":7,"id":"m1","sent_at":"2026-11-24T08:00:00.123Z","stored":false}
    {"type":"history","ref":"r1","room":"lobby","epoch":"000000000000e70c","messages":[{"seq":7,"id":"m1","from":"ana","body":"*hi*","html":"<em>hi</em>","sent_at":"2026-11-24T08:00:00.123Z"},{"seq":8,"sent_at":"2026-11-24T08:00:00.123Z","erased":true}],"more":true}
    {"type":"members","ref":"r1","room":"lobby","members":[{"username":"ana","joined_at":"2026-11-24T08:00:00.123Z"}],"member_count":2,"more":true}
    {"type":"notice","room":"lobby","level":"warning","body":"tea at four"}
    {"type":"error","ref":"r1","code":"rate_limited","message":"too fast","retry_after_ms":500}
    {"type":"bye","code":1001,"reason":"the server is shutting down","reconnect":true,"after_ms":3000}
    {"type":"pong","ref":"r1"}
    "#);
}

#[test]
fn server_frames_with_only_required_fields_are_written() {
    let frames = [
        ServerFrame::Welcome(Welcome {
            reference: None,
            session: "s1".into(),
            resume: "secret".into(),
            username: name("ana"),
            server: "chatd 0.1.0".into(),
            limits: WelcomeLimits { message_bytes: 1, messages_per_second: 0, burst: 0, rooms: 1 },
            heartbeat_ms: 25_000,
        }),
        ServerFrame::Joined(Joined {
            reference: None,
            room: room(),
            epoch: epoch(),
            seq: 0,
            members: vec![],
            member_count: 0,
            messages: vec![],
            recovered: false,
        }),
        ServerFrame::Left(Left { reference: None, room: room(), reason: LeftReason::RoomClosed }),
        ServerFrame::Message(MessageFrame {
            room: room(),
            seq: 7,
            id: id(),
            from: name("ana"),
            body: "*hi*".into(),
            html: None,
            sent_at: MOMENT,
        }),
        ServerFrame::Presence(Presence {
            room: room(),
            joined: vec![],
            left: vec![],
            member_count: 1,
            partial: false,
        }),
        ServerFrame::Ack(Ack {
            reference: None,
            room: room(),
            seq: 7,
            id: id(),
            sent_at: MOMENT,
            stored: true,
        }),
        ServerFrame::History(HistoryPage {
            reference: None,
            room: room(),
            epoch: epoch(),
            messages: vec![said(None)],
            more: false,
        }),
        ServerFrame::Members(MembersPage {
            reference: None,
            room: room(),
            members: vec![],
            member_count: 0,
            more: false,
        }),
        ServerFrame::Notice(Notice { room: None, level: NoticeLevel::Info, body: "".into() }),
        ServerFrame::Error(Error {
            reference: None,
            code: ErrorCode::Internal,
            message: "a fault of the server".into(),
            retry_after_ms: None,
        }),
        ServerFrame::Bye(Bye {
            code: 4409,
            reason: "your session was taken over".into(),
            reconnect: false,
            after_ms: None,
        }),
        ServerFrame::Pong { reference: None },
    ];
    let written = frames.map(|frame| server(&frame)).join("\n");
    insta::assert_snapshot!(written, @r#"
    {"type":"welcome","session":"s1","resume":"secret","username":"ana","server":"chatd 0.1.0","limits":{"message_bytes":1,"messages_per_second":0,"burst":0,"rooms":1},"heartbeat_ms":25000}
    {"type":"joined","room":"lobby","epoch":"000000000000e70c","seq":0,"members":[],"member_count":0,"messages":[],"recovered":false}
    {"type":"left","room":"lobby","reason":"room_closed"}
    {"type":"message","room":"lobby","seq":7,"id":"m1","from":"ana","body":"*hi*","sent_at":"2026-11-24T08:00:00.123Z"}
    {"type":"presence","room":"lobby","joined":[],"left":[],"member_count":1}
    {"type":"ack","room":"lobby","seq":7,"id":"m1","sent_at":"2026-11-24T08:00:00.123Z"}
    {"type":"history","room":"lobby","epoch":"000000000000e70c","messages":[{"seq":7,"id":"m1","from":"ana","body":"*hi*","sent_at":"2026-11-24T08:00:00.123Z"}],"more":false}
    {"type":"members","room":"lobby","members":[],"member_count":0,"more":false}
    {"type":"notice","level":"info","body":""}
    {"type":"error","code":"internal","message":"a fault of the server"}
    {"type":"bye","code":4409,"reason":"your session was taken over","reconnect":false}
    {"type":"pong"}
    "#);
}

#[test]
fn reasons_and_error_codes_have_names() {
    let reasons = [LeftReason::Asked, LeftReason::Kicked, LeftReason::RoomClosed];
    insta::assert_snapshot!(serde_json::to_string(&reasons).unwrap(), @r#"["asked","kicked","room_closed"]"#);
    insta::assert_snapshot!(serde_json::to_string(&ErrorCode::ALL).unwrap(), @r#"["bad_json","unknown_type","missing_field","hello_first","invalid_room","invalid_username","username_taken","not_in_room","already_in_room","too_many_rooms","message_too_large","id_reused","rate_limited","unauthorized","forbidden","store_unavailable","internal"]"#);
}

fn member(username: &str) -> Arc<Member> {
    Arc::new(Member {
        id: MemberId::new(7),
        room: room(),
        username: name(username),
        channel: ChannelName::new(1),
        joined_at: MOMENT,
    })
}

fn list(members: &[&Arc<Member>]) -> Arc<MemberList> {
    Arc::new(MemberList::new(members.iter().map(|m| Arc::clone(m)).collect(), members.len()))
}

fn message(content: Content) -> Event {
    let message = Message { room: room(), seq: 7, sent_at: MOMENT, content };
    Event::Message { message: Arc::new(message), from: None, members: list(&[]) }
}

#[test]
fn events_of_a_room_are_written() {
    let ana = member("ana");
    let members = list(&[&ana]);
    let say = |body: &str| message(Content::Said { id: id(), from: name("ana"), body: body.into() });
    let events = [
        say("\0\u{1}\r\n\t\"\\ <b>&amp;</b> é 😀"),
        Event::Notice {
            room: Some(room()),
            level: NoticeLevel::Info,
            body: "tea".into(),
            members: members.clone(),
        },
        Event::Refused {
            code: ErrorCode::IdReused,
            reason: "no".into(),
            reference: reference(),
            members: members.clone(),
        },
        Event::Refused {
            code: ErrorCode::StoreUnavailable,
            reason: "no".into(),
            reference: None,
            members: members.clone(),
        },
        Event::Typing { room: room(), username: name("ana") },
    ];
    let texts = events.each_ref().map(written).join("\n");
    insta::assert_snapshot!(texts, @r#"
    {"type":"message","room":"lobby","seq":7,"id":"m1","from":"ana","body":"\u0000\u0001\r\n\t\"\\ <b>&amp;</b> é 😀","sent_at":"2026-11-24T08:00:00.123Z"}
    {"type":"notice","room":"lobby","level":"info","body":"tea"}
    {"type":"error","ref":"r1","code":"id_reused","message":"no"}
    {"type":"error","code":"store_unavailable","message":"no"}
    {"type":"typing","room":"lobby","username":"ana"}
    "#);
}

#[test]
fn an_event_without_a_frame_writes_nothing() {
    let ana = member("ana");
    for event in [
        Event::Entered { group: ana.clone().into(), members: list(&[&ana]) },
        Event::Left { group: ana.into(), members: list(&[]) },
        message(Content::Erased),
    ] {
        assert_eq!(written(&event), "", "{event:?}");
    }
}

#[test]
fn the_size_hint_is_close_to_the_size() {
    let long = "x".repeat(50_000);
    let stored = |content| Arc::new(Message { room: room(), seq: 1, sent_at: MOMENT, content });
    let said = |body: &str| stored(Content::Said { id: id(), from: name("ana"), body: body.into() });
    let many: Vec<_> = (0..200).map(|n| info(&format!("{}{n}", "世".repeat(40)))).collect();
    let page = |messages| {
        let page = MessagePage { reference: None, room: room(), epoch: epoch(), messages, more: false };
        Event::History(Box::new(page))
    };
    for event in [
        message(Content::Said { id: id(), from: name("ana"), body: long.as_str().into() }),
        Event::Notice {
            room: None,
            level: NoticeLevel::Info,
            body: long.as_str().into(),
            members: list(&[]),
        },
        page(vec![said(&long), said(&long)]),
        page((0..200).map(|_| said("hi")).collect()),
        page((0..200).map(|_| stored(Content::Erased)).collect()),
        Event::Members(Box::new(MemberPage {
            reference: None,
            room: room(),
            members: many.clone(),
            member_count: 200,
            more: false,
        })),
        Event::PresenceChanged(Box::new(PresenceChange {
            room: room(),
            left: many.iter().map(|member| member.username.clone()).collect(),
            joined: many,
            member_count: 1,
            partial: false,
        })),
    ] {
        let (hint, size) = (v2::size_hint(&event), written(&event).len());
        assert!(size <= hint && hint < 2 * size + 200, "{hint} for {size}");
    }
}

#[test]
fn other_fields_of_a_command_are_ignored() {
    let say = Command::Send(Send { room: room(), body: "hi".into(), id: None });
    let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
    let deep_unknown = format!(r#"{{"type":"send","x":{deep},"room":"lobby","body":"hi"}}"#);
    let deep_unused = format!(r#"{{"type":"send","limit":{deep},"room":"lobby","body":"hi"}}"#);
    for frame in [
        r#"{"type":"send","room":"lobby","body":"hi"}"#,
        r#"{"body":"hi","room":"lobby","x":[1,{"y":null}],"type":"send"}"#,
        r#"{"__proto__":{"type":"ping"},"constructor":0,"type":"send","room":"lobby","body":"hi"}"#,
        " \r\n\t{\"t\\u0079pe\":\"s\\u0065nd\",\"room\":\"lobby\",\"body\":\"\\u0068i\"}\n",
        // null counts as absent
        r#"{"type":"send","room":"lobby","body":"hi","id":null,"ref":null,"since":null,"limit":null}"#,
        // fields that the type does not have may have any value
        r#"{"type":"send","room":"lobby","body":"hi","username":5,"resume":[],"render":"x","since":7,"after":{},"limit":-1}"#,
        r#"{"type":"send","room":"lobby","body":"hi","x":1e999,"x":2,"y":"\ud800"}"#,
        &deep_unknown,
        &deep_unused,
    ] {
        assert_eq!(v2::read(frame), Ok(ClientFrame { reference: None, command: say.clone() }), "{frame:.80}");
    }
}

#[test]
fn names_are_normalised() {
    let Command::Join(join) = read(r#"{"type":"join","room":"cafe\u0301"}"#) else { unreachable!() };
    assert_eq!(join.room.as_str(), "café");
    let Command::Hello(hello) = read(r#"{"type":"hello","username":"jose\u0301"}"#) else { unreachable!() };
    assert_eq!(hello.username.as_str(), "josé");
}

#[test]
fn after_is_a_number_in_history_and_a_name_in_members() {
    let Command::History(history) = read(r#"{"type":"history","room":"lobby","after":5}"#) else {
        unreachable!()
    };
    assert_eq!(history.after, Some(5));
    let Command::Members(members) = read(r#"{"type":"members","room":"lobby","after":"5"}"#) else {
        unreachable!()
    };
    assert_eq!(members.after.as_deref(), Some("5"));
    for frame in [
        json!({"type": "history", "room": "lobby", "after": "5"}),
        json!({"type": "members", "room": "lobby", "after": 5}),
    ] {
        assert_eq!(rejected(&frame.to_string()).code, ErrorCode::MissingField, "{frame}");
    }
}

#[test]
fn the_largest_numbers_are_accepted() {
    let frame = format!(
        r#"{{"type":"join","room":"lobby","since":{{"epoch":"","seq":{0},"x":[]}},"history":{0}}}"#,
        u64::MAX
    );
    let since = Since { epoch: Epoch::new(""), seq: u64::MAX };
    assert_eq!(
        read(&frame),
        Command::Join(Join { room: room(), since: Some(since), history: u64::MAX }),
        "the parser does not limit positions"
    );
}

#[test]
fn ids_have_1_to_64_characters_and_refs_at_most_64() {
    let send = |id: String, reference: String| {
        v2::read(
            &json!({"type": "send", "room": "lobby", "body": "", "id": id, "ref": reference}).to_string(),
        )
    };
    let (min, max, too_long) = ("é".to_owned(), "é".repeat(64), "é".repeat(65));
    for (id, reference) in [(&min, ""), (&max, &*min), (&max, &*max)] {
        let frame = send(id.clone(), reference.into()).unwrap();
        assert_eq!(frame.reference.unwrap().as_str(), reference);
        assert!(matches!(frame.command, Command::Send(Send { id: Some(read), .. }) if read.as_str() == id));
    }
    for invalid in ["", &too_long] {
        let rejected = send(invalid.into(), "r1".into()).unwrap_err();
        assert_eq!((rejected.reference, rejected.code), (reference(), ErrorCode::MissingField));
        insta::allow_duplicates! {
            insta::assert_snapshot!(rejected.message, @r#"the field "id" is invalid: it must have 1 to 64 characters"#);
        }
    }
    let rejected = send(min, too_long).unwrap_err();
    assert_eq!((rejected.reference, rejected.code), (None, ErrorCode::MissingField));
    insta::assert_snapshot!(rejected.message, @r#"the field "ref" is invalid: it must have at most 64 characters"#);
}

#[test]
fn an_invalid_frame_is_rejected_with_a_reason() {
    let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
    let deep_objects = "{\"a\":".repeat(10_000);
    let deep_type = format!(r#"{{"ref":"r1","type":{deep}}}"#);
    let deep_body = format!(r#"{{"ref":"r1","type":"send","room":"lobby","body":{deep}}}"#);
    let deep_since =
        format!(r#"{{"ref":"r1","type":"join","room":"lobby","since":{}"#, r#"{"epoch":"#.repeat(10_000));
    let replies: Vec<String> = [
        // not a JSON object
        "",
        " ",
        "hello",
        "{",
        "null",
        "7",
        r#""ping""#,
        r#"["ping"]"#,
        r#"[{"type":"ping"}]"#,
        "\u{feff}{\"type\":\"ping\"}",
        r#"{"ref":"r1","type":"ping"} x"#,
        r#"{"ref":"r1","type":"ping","#,
        r#"{"type":"ping" "ref":"r1"}"#,
        r#"{'ref':'r1','type':'ping'}"#,
        r#"{"ref":"r1","type":"send","room":"lobby","body":"\ud800"}"#,
        r#"{"type":"send","room":"lobby","body":"\udc00\ud800","ref":"r1"}"#,
        r#"{"type":"send","room":"lobby","body":"hi","ref":"\ud800"}"#,
        "{\"ref\":\"r1\",\"type\":\"send\",\"room\":\"lobby\",\"body\":\"a\nb\"}",
        r#"{"ref":"r1","type":"history","room":"lobby","before":1e999}"#,
        r#"{"ref":"r1","type":"history","room":"lobby","before":01}"#,
        // numbers out of range, in every numeric field
        r#"{"ref":"r1","type":"join","room":"lobby","history":-1}"#,
        r#"{"ref":"r1","type":"join","room":"lobby","since":{"epoch":"e","seq":-5}}"#,
        r#"{"ref":"r1","type":"join","room":"lobby","since":{"epoch":"e","seq":1e20}}"#,
        r#"{"ref":"r1","type":"history","room":"lobby","limit":18446744073709551616}"#,
        r#"{"ref":"r1","type":"history","room":"lobby","before":-9223372036854775809}"#,
        r#"{"ref":"r1","type":"history","room":"lobby","after":-1}"#,
        r#"{"ref":"r1","type":"members","room":"lobby","limit":-1}"#,
        &deep,
        &deep_objects,
        &deep_since,
        // the type
        "{}",
        r#"{"ref":"r1"}"#,
        r#"{"ref":"r1","type":null}"#,
        r#"{"ref":"r1","type":7}"#,
        r#"{"type":["ping"],"ref":"r1"}"#,
        &deep_type,
        r#"{"ref":"r1","type":"Ping"}"#,
        r#"{"ref":"r1","type":""}"#,
        r#"{"ref":"r1","type":"welcome"}"#,
        // the ref
        r#"{"type":"ping","ref":5}"#,
        r#"{"type":"ping","ref":["r1"]}"#,
        r#"{"type":"ping","ref":{"epoch":"r1"}}"#,
        r#"{"type":"ping","ref":"r1","ref":"r2"}"#,
        // missing fields, and fields of the wrong type
        r#"{"ref":"r1","type":"hello"}"#,
        r#"{"ref":"r1","type":"hello","username":5}"#,
        r#"{"ref":"r1","type":"hello","username":"ana","resume":5}"#,
        r#"{"ref":"r1","type":"hello","username":"ana","token":true}"#,
        r#"{"ref":"r1","type":"hello","username":"ana","client":{"name":"page"}}"#,
        r#"{"ref":"r1","type":"hello","username":"ana","render":"true"}"#,
        r#"{"ref":"r1","type":"hello","username":"ana","render":1}"#,
        r#"{"ref":"r1","type":"join"}"#,
        r#"{"type":"join","room":["lobby"],"ref":"r1"}"#,
        r#"{"ref":"r1","type":"join","room":"lobby","since":5}"#,
        r#"{"ref":"r1","type":"join","room":"lobby","since":"5"}"#,
        r#"{"ref":"r1","type":"join","room":"lobby","since":["e",5]}"#,
        r#"{"ref":"r1","type":"join","room":"lobby","since":{}}"#,
        r#"{"ref":"r1","type":"join","room":"lobby","since":{"epoch":"e"}}"#,
        r#"{"ref":"r1","type":"join","room":"lobby","since":{"epoch":"e","seq":"5"}}"#,
        r#"{"ref":"r1","type":"join","room":"lobby","since":{"epoch":7,"seq":5}}"#,
        r#"{"type":"join","room":"lobby","since":{"seq":5,"seq":6},"ref":"r1"}"#,
        r#"{"ref":"r1","type":"join","room":"lobby","history":true}"#,
        r#"{"ref":"r1","type":"join","room":"lobby","history":1.0}"#,
        r#"{"ref":"r1","type":"leave"}"#,
        r#"{"ref":"r1","type":"send","body":"hi"}"#,
        r#"{"ref":"r1","type":"send","room":"lobby"}"#,
        r#"{"ref":"r1","type":"send","room":"lobby","body":null}"#,
        r#"{"ref":"r1","type":"send","room":"lobby","body":5}"#,
        &deep_body,
        r#"{"ref":"r1","type":"send","room":"lobby","body":"hi","id":5}"#,
        r#"{"type":"send","room":"lobby","body":"a","body":"b","ref":"r1"}"#,
        r#"{"ref":"r1","type":"history"}"#,
        r#"{"ref":"r1","type":"history","room":"lobby","before":"5"}"#,
        r#"{"ref":"r1","type":"history","room":"lobby","after":"5"}"#,
        r#"{"ref":"r1","type":"members"}"#,
        r#"{"ref":"r1","type":"members","room":"lobby","after":5}"#,
        r#"{"ref":"r1","type":"members","room":"lobby","prefix":5}"#,
        r#"{"ref":"r1","type":"members","room":"lobby","limit":0.5}"#,
        r#"{"ref":"r1","type":"typing"}"#,
        // names
        r#"{"ref":"r1","type":"join","room":""}"#,
        r#"{"ref":"r1","type":"leave","room":"a b"}"#,
        r#"{"ref":"r1","type":"typing","room":"\u0000"}"#,
        r#"{"ref":"r1","type":"hello","username":""}"#,
        r#"{"ref":"r1","type":"hello","username":"*chatd*"}"#,
    ]
    .iter()
    .map(|frame| {
        let Rejected { reference, code, message } = rejected(frame);
        let code = serde_json::to_value(code).unwrap();
        let frame: String = frame.chars().take(90).collect();
        let reference = reference.map_or("-".into(), |reference| reference.to_string());
        format!(
            "{}\n    {reference} {}: {message}",
            frame.replace('\n', "\\n").replace('\u{feff}', "U+FEFF "),
            code.as_str().unwrap()
        )
    })
    .collect();
    insta::assert_snapshot!(replies.join("\n"));
}

#[test]
fn names_that_are_too_long_are_rejected() {
    let frame = json!({"type": "join", "room": "é".repeat(65)}).to_string();
    assert_eq!(rejected(&frame).code, ErrorCode::InvalidRoom);
    let frame = json!({"type": "hello", "username": "é".repeat(51)}).to_string();
    assert_eq!(rejected(&frame).code, ErrorCode::InvalidUsername);
}

#[test]
fn the_reason_is_short_however_long_the_frame_is() {
    let long = "é".repeat(100_000);
    for field in ["type", "ref", "room", "id", "username", "render", "since", "limit", "after"] {
        for kind in ["hello", "join", "send", "history"] {
            let mut frame = json!({"type": kind, "room": "lobby", "username": "ana", "body": "hi"});
            frame[field] = long.as_str().into();
            if let Err(rejected) = v2::read(&frame.to_string()) {
                assert!(rejected.message.chars().count() < 100, "{}", rejected.message);
            }
        }
    }
    let rejected = rejected(&json!({ "type": long }).to_string());
    assert_eq!(rejected.code, ErrorCode::UnknownType);
    assert_eq!(rejected.message, format!("unknown type \"{}\"", "é".repeat(64)));
}

#[test]
fn a_prefix_of_a_name_is_normalised() {
    let read = |prefix: &str| {
        v2::read(&format!(r#"{{"type":"members","room":"r","prefix":"{prefix}"}}"#)).unwrap().command
    };
    assert_eq!(read("jose\u{301}"), read("josé"));
}
