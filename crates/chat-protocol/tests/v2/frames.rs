//! Frames of the server, as a client receives them.

use std::sync::Arc;

use chat_protocol::v2::{
    self, Ack, Announcement, AnnouncementFrame, Bye, Deleted, DeletedBy, DenialReason, Done, Edited, Error,
    ErrorCode, HistoryPage, Joined, Left, LeftReason, MembersPage, MessageFrame, Notice, NoticeLevel,
    Presence, ReactionChange, Reactions, RoleInfo, RolesPage, RoomChanged, RoomInfo, ServerFrame, SyncFrame,
    Typing, User, Warned, Welcome, WelcomeLimits, You,
};
use chat_protocol::{
    AnnouncementId, CloseCode, Identity, MayJoin, MayPost, Role, RoomRole, RoomSettings, Standing, UserKind,
};

use crate::{
    MOMENT, deleted, emoji, epoch, guest_token, id, info, mentions, name, reactor, reference, reply,
    reply_to, room, text, user,
};

/// Serializes a frame of the server, and checks that a client reads it back.
fn server(frame: &ServerFrame) -> String {
    let mut out = Vec::new();
    v2::write_frame(frame, &mut out);
    let text = String::from_utf8(out).unwrap();
    assert_eq!(&serde_json::from_str::<ServerFrame>(&text).unwrap(), frame, "{text}");
    text
}

fn smallest_limits() -> WelcomeLimits {
    WelcomeLimits {
        message_bytes: 1,
        messages_per_second: 0,
        burst: 0,
        rooms: 1,
        sessions: 1,
        edit_window_s: 0,
    }
}

fn announcement() -> Announcement {
    Announcement {
        id: AnnouncementId::from_random(0xa1),
        level: NoticeLevel::Warning,
        body: "*down* at six".into(),
        html: Some("<em>down</em> at six".into()),
    }
}

#[test]
fn an_announcement_is_read_back_and_a_withdrawal_has_none() {
    let frame = AnnouncementFrame::from(announcement());
    assert_eq!(frame.announcement(), Some(announcement()));
    let withdrawal = AnnouncementFrame::withdrawal(announcement().id);
    assert_eq!(withdrawal.announcement(), None);
    // a later version may say more about it
    let read: AnnouncementFrame =
        serde_json::from_str(r#"{"id":"a","level":"of_tomorrow","body":"tea","until":1}"#).unwrap();
    assert_eq!(read.announcement().unwrap().level, NoticeLevel::Unknown);
}

#[test]
fn server_frames_with_all_fields_are_written() {
    let frames = [
        ServerFrame::Welcome(Welcome {
            reference: reference(),
            session: "s1".into(),
            user: User {
                was: vec![user("g_1")],
                ..User::from(&Identity::guest(&guest_token(), name("ana")))
            },
            guest_token: Some(guest_token()),
            expires_at: Some(MOMENT),
            server: "chatd 0.1.0".into(),
            limits: WelcomeLimits {
                message_bytes: 131_072,
                messages_per_second: 100,
                burst: 5_000,
                rooms: 100,
                sessions: 20,
                edit_window_s: 900,
            },
            heartbeat_ms: 25_000,
            announcement: Some(announcement()),
        }),
        ServerFrame::Joined(Joined {
            reference: reference(),
            room: room(),
            epoch: epoch(),
            seq: 9,
            oldest: 3,
            info: RoomInfo {
                settings: RoomSettings::default().post(MayPost::Moderators),
                topic_html: None,
                standing: Standing::new(Some(RoomRole::Owner), None),
            },
            members: vec![info("ana"), info("bob")],
            member_count: 2,
            first: 7,
            last: 9,
            messages: vec![text(Some("<em>hi</em>")), deleted()],
            changed: Some(vec![reply()]),
            recovered: true,
        }),
        ServerFrame::Left(Left {
            reference: reference(),
            room: room(),
            reason: LeftReason::Banned,
            until: Some(MOMENT),
        }),
        ServerFrame::Message(MessageFrame {
            room: room(),
            seq: 7,
            id: id(),
            from: name("ana"),
            user: user("ana"),
            body: "*hi*".into(),
            html: Some("<em>hi</em>".into()),
            reply_to: Some(Arc::new(reply_to())),
            mentions: Some(mentions()),
            sent_at: MOMENT,
        }),
        ServerFrame::Edited(Edited {
            room: room(),
            seq: 9,
            target: 7,
            body: "*hi*".into(),
            html: Some("<em>hi</em>".into()),
            mentions: Some(mentions()),
            edited_at: MOMENT,
        }),
        ServerFrame::Deleted(Deleted { room: room(), seq: 9, targets: vec![7, 8], by: DeletedBy::Operator }),
        ServerFrame::Reactions(Reactions {
            room: room(),
            first_seq: Some(9),
            seq: 11,
            target: 7,
            changes: vec![ReactionChange {
                emoji: emoji(),
                count: 3,
                added: vec![reactor("ana")],
                removed: vec![reactor("bob")],
            }],
        }),
        ServerFrame::RoomChanged(RoomChanged {
            room: room(),
            seq: 9,
            by: Some(name("ana")),
            info: RoomSettings::default().join(MayJoin::Accounts).into(),
        }),
        ServerFrame::You(You {
            room: room(),
            standing: Standing::new(Some(RoomRole::Member), Some(Some(MOMENT))),
        }),
        ServerFrame::Warned(Warned {
            room: Some(room()),
            by: Some(name("bob")),
            reason: Some("be nice".parse().unwrap()),
            at: MOMENT,
        }),
        ServerFrame::Roles(RolesPage {
            reference: reference(),
            room: room(),
            roles: vec![RoleInfo { username: name("ana"), user: user("ana"), role: RoomRole::Moderator }],
            more: true,
        }),
        ServerFrame::Done(Done { reference: reference() }),
        ServerFrame::Sync(SyncFrame {
            room: room(),
            first_seq: 8,
            seq: 10,
            recovered: true,
            messages: Some(vec![deleted()]),
            changed: Some(vec![]),
            info: Some(RoomInfo { topic_html: Some(Arc::from("<p>x</p>")), ..RoomInfo::default() }),
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
            seq: Some(7),
            id: Some(id()),
            sent_at: Some(MOMENT),
            stored: false,
        }),
        ServerFrame::History(HistoryPage {
            reference: reference(),
            room: room(),
            epoch: epoch(),
            first: 7,
            last: 8,
            messages: vec![text(Some("<em>hi</em>")), deleted()],
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
        ServerFrame::Announcement(announcement().into()),
        ServerFrame::Error(Error {
            reference: reference(),
            code: ErrorCode::RateLimited,
            message: "too fast".into(),
            retry_after_ms: Some(500),
            denied: Some(DenialReason::NeedsAccount),
            until: None,
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
    {"type":"welcome","ref":"r1","session":"s1","user":{"id":"g_5OthID-2se9c45nby1W8mg","username":"ana","kind":"guest","role":"user","was":["u_g_1"]},"guest_token":"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8","expires_at":"2026-11-24T08:00:00.123Z","server":"chatd 0.1.0","limits":{"message_bytes":131072,"messages_per_second":100,"burst":5000,"rooms":100,"sessions":20,"edit_window_s":900},"heartbeat_ms":25000,"announcement":{"id":"00000000000000a1","level":"warning","body":"*down* at six","html":"<em>down</em> at six"}}
    {"type":"joined","ref":"r1","room":"lobby","epoch":"000000000000e70c","seq":9,"oldest":3,"info":{"visibility":"unlisted","join":"everyone","post":"moderators","slow_mode_s":0,"mention_room":"moderators","role":"owner"},"members":[{"username":"ana","user":"u_ana","joined_at":"2026-11-24T08:00:00.123Z"},{"username":"bob","user":"u_bob","joined_at":"2026-11-24T08:00:00.123Z"}],"member_count":2,"first":7,"last":9,"messages":[{"seq":7,"id":"m1","from":"ana","user":"u_ana","body":"*hi*","html":"<em>hi</em>","sent_at":"2026-11-24T08:00:00.123Z"},{"seq":8,"sent_at":"2026-11-24T08:00:00.123Z","deleted":true,"by":"operator","changed_seq":9}],"changed":[{"seq":7,"id":"m1","from":"ana","user":"u_ana","body":"*hi*","reply_to":{"seq":5,"from":"bob","user":"u_bob"},"mentions":["u_bob","room"],"sent_at":"2026-11-24T08:00:00.123Z","changed_seq":9,"reactions":[{"emoji":"👍","count":12,"users":["bob"],"mine":true}]}],"recovered":true}
    {"type":"left","ref":"r1","room":"lobby","reason":"banned","until":"2026-11-24T08:00:00.123Z"}
    {"type":"message","room":"lobby","seq":7,"id":"m1","from":"ana","user":"u_ana","body":"*hi*","html":"<em>hi</em>","reply_to":{"seq":5,"from":"bob","user":"u_bob"},"mentions":["u_bob","room"],"sent_at":"2026-11-24T08:00:00.123Z"}
    {"type":"edited","room":"lobby","seq":9,"target":7,"body":"*hi*","html":"<em>hi</em>","mentions":["u_bob","room"],"edited_at":"2026-11-24T08:00:00.123Z"}
    {"type":"deleted","room":"lobby","seq":9,"targets":[7,8],"by":"operator"}
    {"type":"reactions","room":"lobby","first_seq":9,"seq":11,"target":7,"changes":[{"emoji":"👍","count":3,"added":[{"username":"ana","user":"u_ana"}],"removed":[{"username":"bob","user":"u_bob"}]}]}
    {"type":"room_changed","room":"lobby","seq":9,"by":"ana","info":{"visibility":"unlisted","join":"accounts","post":"everyone","slow_mode_s":0,"mention_room":"moderators"}}
    {"type":"you","room":"lobby","role":"member","muted":true,"muted_until":"2026-11-24T08:00:00.123Z"}
    {"type":"warned","room":"lobby","by":"bob","reason":"be nice","at":"2026-11-24T08:00:00.123Z"}
    {"type":"roles","ref":"r1","room":"lobby","roles":[{"username":"ana","user":"u_ana","role":"moderator"}],"more":true}
    {"type":"done","ref":"r1"}
    {"type":"sync","room":"lobby","first_seq":8,"seq":10,"recovered":true,"messages":[{"seq":8,"sent_at":"2026-11-24T08:00:00.123Z","deleted":true,"by":"operator","changed_seq":9}],"changed":[],"info":{"visibility":"unlisted","join":"everyone","post":"everyone","slow_mode_s":0,"mention_room":"moderators","topic_html":"<p>x</p>"}}
    {"type":"presence","room":"lobby","joined":[{"username":"bob","user":"u_bob","joined_at":"2026-11-24T08:00:00.123Z"}],"left":["cid"],"member_count":900,"partial":true}
    {"type":"typing","room":"lobby","username":"bob"}
    {"type":"ack","ref":"r1","room":"lobby","seq":7,"id":"m1","sent_at":"2026-11-24T08:00:00.123Z","stored":false}
    {"type":"history","ref":"r1","room":"lobby","epoch":"000000000000e70c","first":7,"last":8,"messages":[{"seq":7,"id":"m1","from":"ana","user":"u_ana","body":"*hi*","html":"<em>hi</em>","sent_at":"2026-11-24T08:00:00.123Z"},{"seq":8,"sent_at":"2026-11-24T08:00:00.123Z","deleted":true,"by":"operator","changed_seq":9}],"more":true}
    {"type":"members","ref":"r1","room":"lobby","members":[{"username":"ana","user":"u_ana","joined_at":"2026-11-24T08:00:00.123Z"}],"member_count":2,"more":true}
    {"type":"notice","room":"lobby","level":"warning","body":"tea at four"}
    {"type":"announcement","id":"00000000000000a1","level":"warning","body":"*down* at six","html":"<em>down</em> at six"}
    {"type":"error","ref":"r1","code":"rate_limited","message":"too fast","retry_after_ms":500,"denied":"needs_account"}
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
            user: User {
                id: user("ana"),
                username: name("ana"),
                kind: UserKind::Account,
                role: Role::User,
                was: Vec::new(),
            },
            guest_token: None,
            expires_at: None,
            server: "chatd 0.1.0".into(),
            limits: smallest_limits(),
            heartbeat_ms: 25_000,
            announcement: None,
        }),
        ServerFrame::Joined(Joined {
            reference: None,
            room: room(),
            epoch: epoch(),
            seq: 0,
            oldest: 1,
            info: RoomInfo::default(),
            members: vec![],
            member_count: 0,
            first: 1,
            last: 0,
            messages: vec![],
            changed: None,
            recovered: false,
        }),
        ServerFrame::Left(Left {
            reference: None,
            room: room(),
            reason: LeftReason::RoomClosed,
            until: None,
        }),
        ServerFrame::Message(MessageFrame {
            room: room(),
            seq: 7,
            id: id(),
            from: name("ana"),
            user: user("ana"),
            body: "*hi*".into(),
            html: None,
            reply_to: None,
            mentions: None,
            sent_at: MOMENT,
        }),
        ServerFrame::Reactions(Reactions {
            room: room(),
            first_seq: None,
            seq: 9,
            target: 7,
            changes: vec![ReactionChange { emoji: emoji(), count: 0, added: vec![], removed: vec![] }],
        }),
        ServerFrame::Sync(SyncFrame {
            room: room(),
            first_seq: 8,
            seq: 2_000,
            recovered: false,
            messages: None,
            changed: None,
            info: None,
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
            seq: None,
            id: None,
            sent_at: None,
            stored: true,
        }),
        ServerFrame::History(HistoryPage {
            reference: None,
            room: room(),
            epoch: epoch(),
            first: 7,
            last: 7,
            messages: vec![text(None)],
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
        ServerFrame::Announcement(Announcement { html: None, ..announcement() }.into()),
        ServerFrame::Announcement(AnnouncementFrame::withdrawal(announcement().id)),
        ServerFrame::Error(Error {
            reference: None,
            code: ErrorCode::Internal,
            message: "a fault of the server".into(),
            retry_after_ms: None,
            denied: None,
            until: None,
        }),
        ServerFrame::Bye(Bye {
            code: CloseCode::Replaced.code(),
            reason: CloseCode::Replaced.reason().into(),
            reconnect: CloseCode::Replaced.reconnect(),
            after_ms: None,
        }),
        ServerFrame::Pong { reference: None },
    ];
    let written = frames.map(|frame| server(&frame)).join("\n");
    insta::assert_snapshot!(written, @r#"
    {"type":"welcome","session":"s1","user":{"id":"u_ana","username":"ana","kind":"account","role":"user"},"server":"chatd 0.1.0","limits":{"message_bytes":1,"messages_per_second":0,"burst":0,"rooms":1,"sessions":1,"edit_window_s":0},"heartbeat_ms":25000}
    {"type":"joined","room":"lobby","epoch":"000000000000e70c","seq":0,"oldest":1,"info":{"visibility":"unlisted","join":"everyone","post":"everyone","slow_mode_s":0,"mention_room":"moderators"},"members":[],"member_count":0,"first":1,"last":0,"messages":[],"recovered":false}
    {"type":"left","room":"lobby","reason":"room_closed"}
    {"type":"message","room":"lobby","seq":7,"id":"m1","from":"ana","user":"u_ana","body":"*hi*","sent_at":"2026-11-24T08:00:00.123Z"}
    {"type":"reactions","room":"lobby","seq":9,"target":7,"changes":[{"emoji":"👍","count":0,"added":[],"removed":[]}]}
    {"type":"sync","room":"lobby","first_seq":8,"seq":2000,"recovered":false}
    {"type":"presence","room":"lobby","joined":[],"left":[],"member_count":1}
    {"type":"ack","room":"lobby"}
    {"type":"history","room":"lobby","epoch":"000000000000e70c","first":7,"last":7,"messages":[{"seq":7,"id":"m1","from":"ana","user":"u_ana","body":"*hi*","sent_at":"2026-11-24T08:00:00.123Z"}],"more":false}
    {"type":"members","room":"lobby","members":[],"member_count":0,"more":false}
    {"type":"notice","level":"info","body":""}
    {"type":"announcement","id":"00000000000000a1","level":"warning","body":"*down* at six"}
    {"type":"announcement","id":"00000000000000a1","withdrawn":true}
    {"type":"error","code":"internal","message":"a fault of the server"}
    {"type":"bye","code":4409,"reason":"another session replaces this one","reconnect":false}
    {"type":"pong"}
    "#);
}

#[test]
fn reasons_and_error_codes_have_names() {
    let reasons = [
        LeftReason::Asked,
        LeftReason::Kicked,
        LeftReason::Banned,
        LeftReason::RoomClosed,
        LeftReason::NotAllowed,
    ];
    insta::assert_snapshot!(serde_json::to_string(&reasons).unwrap(), @r#"["asked","kicked","banned","room_closed","not_allowed"]"#);
    insta::assert_snapshot!(serde_json::to_string(&ErrorCode::ALL).unwrap(), @r#"["bad_json","unknown_type","missing_field","hello_first","invalid_room","invalid_username","username_taken","name_reserved","not_in_room","already_in_room","too_many_rooms","not_found","limit_reached","message_too_large","id_reused","rate_limited","unauthorized","expired","forbidden","muted","slow_mode","filtered","store_unavailable","internal"]"#);
}

#[test]
fn kinds_and_roles_have_names() {
    let kinds = [UserKind::Guest, UserKind::Account, UserKind::Service];
    insta::assert_snapshot!(serde_json::to_string(&kinds).unwrap(), @r#"["guest","account","service"]"#);
    let roles = [Role::User, Role::Moderator, Role::Admin];
    insta::assert_snapshot!(serde_json::to_string(&roles).unwrap(), @r#"["user","moderator","admin"]"#);
    assert!(roles.is_sorted(), "a role includes those before it");
}

#[test]
fn debug_omits_the_guest_token_of_a_welcome() {
    let welcome = Welcome {
        reference: None,
        session: "s1".into(),
        user: User::from(&Identity::guest(&guest_token(), name("ana"))),
        guest_token: Some(guest_token()),
        expires_at: None,
        server: "chatd 0.1.0".into(),
        limits: smallest_limits(),
        heartbeat_ms: 25_000,
        announcement: None,
    };
    assert!(!format!("{welcome:?}").contains(&guest_token().to_text()));
}
