//! Events of a room, as frames of the server.

use std::sync::Arc;
use std::time::Duration;

use chat_protocol::v2::{self, ErrorCode, NoticeLevel};
use chat_protocol::{
    ChannelName, Content, DeletedBy, Deletion, Edit, Event, EventRange, Identity, MayJoin, MayPost, Member,
    MemberId, MemberInfo, MemberList, MemberPage, Message, MessagePage, Outcome, OwnReactions,
    PresenceChange, Reacted, ReactionChange, RoomChange, RoomRole, RoomSettings, Standing, Text,
};

use crate::{MOMENT, emoji, epoch, guest_token, id, name, reactor, reference, room, user};

fn written(event: &Event) -> String {
    let mut out = Vec::new();
    v2::write(event, &mut out);
    String::from_utf8(out).unwrap()
}

fn member(username: &str) -> Arc<Member> {
    Arc::new(Member {
        id: MemberId::new(7),
        room: room(),
        user: user(username),
        username: name(username),
        channel: ChannelName::new(1),
        joined_at: MOMENT,
    })
}

fn list(members: &[&Arc<Member>]) -> Arc<MemberList> {
    Arc::new(MemberList::new(members.iter().map(|m| Arc::clone(m)).collect(), members.len()))
}

/// A text of ana.
fn text(body: &str) -> Content {
    Content::Text(Text::new(id(), user("ana"), name("ana"), body))
}

fn deleted() -> Content {
    Content::Deleted { by: DeletedBy::Operator }
}

fn deleted_message() -> Arc<Message> {
    Arc::new(Message::new(room(), 7, MOMENT, text("hi")).deleted(DeletedBy::Operator, 9))
}

/// The message 7 after the event 9 has replaced its text.
fn edited_message() -> Arc<Message> {
    Arc::new(Message::new(room(), 7, MOMENT, text("old")).edited("new".into(), None, MOMENT, 9).unwrap())
}

/// The message 7 was deleted by the event 9.
fn outcome() -> Outcome {
    Outcome::new(vec![], vec![deleted_message()])
}

fn message(content: Content) -> Event {
    let message = Message::new(room(), 7, MOMENT, content);
    Event::Message { message: Arc::new(message), from: None, members: list(&[]) }
}

#[test]
fn events_of_a_room_are_written() {
    let ana = member("ana");
    let members = list(&[&ana]);
    let events = [
        message(text("\0\u{1}\r\n\t\"\\ <b>&amp;</b> é 😀")),
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
            denied: None,
            until: None,
            retry_after: None,
            members: members.clone(),
        },
        Event::Refused {
            code: ErrorCode::StoreUnavailable,
            reason: "no".into(),
            reference: None,
            denied: None,
            until: None,
            retry_after: None,
            members: members.clone(),
        },
        Event::Refused {
            code: ErrorCode::Muted,
            reason: "no".into(),
            denied: None,
            reference: None,
            until: Some(MOMENT),
            retry_after: Some(Duration::from_micros(1_500)),
            members: members.clone(),
        },
        Event::StandingChanged {
            room: room(),
            standing: Standing::new(Some(RoomRole::Member), Some(Some(MOMENT))),
        },
        Event::StandingChanged { room: room(), standing: Standing::new(None, Some(None)) },
        Event::Typing { room: room(), username: name("ana") },
        Event::Edited(Arc::new(Edit::new(9, edited_message()))),
        Event::Deleted(Arc::new(Deletion::new(room(), 9, DeletedBy::Operator, vec![deleted_message()]))),
        Event::Reacted(Arc::new(Reacted::new(
            room(),
            9,
            7,
            ReactionChange { emoji: emoji(), count: 2, added: vec![reactor("ana")], removed: vec![] },
        ))),
        Event::RoomChanged(Arc::new(RoomChange::new(
            room(),
            9,
            RoomSettings::default().join(MayJoin::Accounts).post(MayPost::Moderators),
        ))),
        Event::Sync(Arc::new(EventRange::new(room(), 8, 9, None))),
        Event::Sync(Arc::new(EventRange::new(room(), 8, 9, Some(outcome())))),
    ];
    let texts = events.each_ref().map(written).join("\n");
    insta::assert_snapshot!(texts, @r#"
    {"type":"message","room":"lobby","seq":7,"id":"m1","from":"ana","user":"u_ana","body":"\u0000\u0001\r\n\t\"\\ <b>&amp;</b> é 😀","sent_at":"2026-11-24T08:00:00.123Z"}
    {"type":"notice","room":"lobby","level":"info","body":"tea"}
    {"type":"error","ref":"r1","code":"id_reused","message":"no"}
    {"type":"error","code":"store_unavailable","message":"no"}
    {"type":"error","code":"muted","message":"no","retry_after_ms":2,"until":"2026-11-24T08:00:00.123Z"}
    {"type":"you","room":"lobby","role":"member","muted":true,"muted_until":"2026-11-24T08:00:00.123Z"}
    {"type":"you","room":"lobby","muted":true}
    {"type":"typing","room":"lobby","username":"ana"}
    {"type":"edited","room":"lobby","seq":9,"target":7,"body":"new","edited_at":"2026-11-24T08:00:00.123Z"}
    {"type":"deleted","room":"lobby","seq":9,"targets":[7],"by":"operator"}
    {"type":"reactions","room":"lobby","seq":9,"target":7,"changes":[{"emoji":"👍","count":2,"added":[{"username":"ana","user":"u_ana"}],"removed":[]}]}
    {"type":"room_changed","room":"lobby","seq":9,"info":{"visibility":"unlisted","join":"accounts","post":"moderators","slow_mode_s":0,"mention_room":"moderators"}}
    {"type":"sync","room":"lobby","first_seq":8,"seq":9,"recovered":false}
    {"type":"sync","room":"lobby","first_seq":8,"seq":9,"recovered":true,"messages":[],"changed":[{"seq":7,"sent_at":"2026-11-24T08:00:00.123Z","deleted":true,"by":"operator","changed_seq":9}]}
    "#);
}

#[test]
fn an_event_without_a_frame_writes_nothing() {
    let ana = member("ana");
    for event in [
        Event::Entered { group: ana.clone().into(), members: list(&[&ana]) },
        Event::Left { group: ana.into(), members: list(&[]) },
        message(deleted()),
    ] {
        assert_eq!(written(&event), "", "{event:?}");
    }
}

#[test]
fn the_size_hint_is_close_to_the_size() {
    let long = "x".repeat(50_000);
    let stored = |content| Arc::new(Message::new(room(), 1, MOMENT, content));
    let guest = |username: String| {
        let identity = Identity::guest(&guest_token(), name(&username));
        MemberInfo::new(identity.username().clone(), identity.id().clone(), MOMENT)
    };
    let many: Vec<_> = (0..200).map(|n| guest(format!("{}{n}", "世".repeat(40)))).collect();
    let page = |messages| {
        let (first, last) = (1, 1);
        let page = MessagePage {
            reference: None,
            room: room(),
            epoch: epoch(),
            first,
            last,
            messages,
            mine: OwnReactions::new(),
            more: false,
        };
        Event::History(Box::new(page))
    };
    for event in [
        message(text(&long)),
        Event::Notice {
            room: None,
            level: NoticeLevel::Info,
            body: long.as_str().into(),
            members: list(&[]),
        },
        page(vec![stored(text(&long)), stored(text(&long))]),
        page((0..200).map(|_| stored(text("hi"))).collect()),
        page((0..200).map(|_| stored(deleted())).collect()),
        Event::Deleted(Arc::new(Deletion::new(
            room(),
            1_000_000,
            DeletedBy::Operator,
            (100_000..100_500).map(|seq| Arc::new(Message::new(room(), seq, MOMENT, deleted()))).collect(),
        ))),
        Event::Sync(Arc::new(EventRange::new(
            room(),
            8,
            9,
            Some(Outcome::new(vec![stored(text(&long))], vec![stored(deleted())])),
        ))),
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
