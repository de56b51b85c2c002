//! Commands, as a client writes them.

use chat_protocol::v2::{
    self, Audit, ClientFrame, Command, ConfigureRoom, CreateRoom, Directory, Hello, History, InviteLink,
    Join, Members, Moderate, React, Removable, Report, Reports, Roles, Send, SetRole, Since,
};
use chat_protocol::{InviteCode, MayJoin, MayPost, MentionRoom, Moderation, Reference, RoomRole, Visibility};

use crate::{emoji, epoch, guest_token, id, name, reference, room, user};

/// Serializes a command, and checks that the server reads it back.
fn client(reference: Option<Reference>, command: Command) -> String {
    let frame = ClientFrame { reference, command };
    let text = serde_json::to_string(&frame).unwrap();
    assert_eq!(v2::read(&text), Ok(frame), "{text}");
    text
}

#[test]
fn commands_with_all_fields_are_written() {
    let commands = [
        Command::Hello(Hello {
            username: Some(name("ana")),
            token: Some("t".into()),
            guest_token: Some(guest_token()),
            replaces: Some("s0".into()),
            client: Some("page 1.0".into()),
            render: true,
        }),
        Command::Join(Join {
            room: room(),
            invite: Some(InviteCode::from_random(7)),
            since: Some(Since { epoch: epoch(), seq: 41 }),
            history: 50,
        }),
        Command::Leave { room: room() },
        Command::Send(Send { room: room(), body: "*hi*".into(), reply_to: Some(5), id: Some(id()) }),
        Command::React(React { room: room(), target: 7, emoji: emoji(), on: true }),
        Command::History(History { room: room(), before: Some(9), after: Some(3), limit: Some(20) }),
        Command::Members(Members {
            room: room(),
            after: Some("ana".into()),
            prefix: Some("b".into()),
            limit: Some(20),
        }),
        Command::Typing { room: room() },
        Command::CreateRoom(CreateRoom {
            room: Some(room()),
            title: Some("The lobby".parse().unwrap()),
            topic: Some("*hi*".parse().unwrap()),
            visibility: Some(Visibility::Public),
            join: Some(MayJoin::Members),
            post: Some(MayPost::Accounts),
            slow_mode_s: Some(10),
            mention_room: Some(MentionRoom::Everyone),
        }),
        Command::ConfigureRoom(ConfigureRoom {
            room: room(),
            title: Some(Removable(None)),
            topic: Some(Removable(Some("*hi*".parse().unwrap()))),
            visibility: Some(Visibility::Private),
            join: Some(MayJoin::Accounts),
            post: Some(MayPost::Members),
            slow_mode_s: Some(0),
            mention_room: Some(MentionRoom::Moderators),
        }),
        Command::SetRole(SetRole { room: room(), user: user("bob"), role: Some(RoomRole::Moderator) }),
        Command::Roles(Roles { room: room(), after: Some(user("bob")), limit: Some(20) }),
        Command::Moderate(Moderate {
            room: Some(room()),
            action: Moderation::Ban,
            user: Some(user("bob")),
            target: Some(7),
            reason: Some("spam".parse().unwrap()),
            for_s: Some(3_600),
        }),
        Command::Invite { room: room(), username: name("bob") },
        Command::InviteLink(InviteLink { room: room(), uses: Some(3), for_s: Some(60) }),
        Command::Block { user: user("bob"), on: true },
        Command::Report(Report { room: room(), target: 7, reason: Some("spam".parse().unwrap()) }),
        Command::Reports(Reports { room: Some(room()), before: Some(9), limit: Some(20) }),
        Command::CloseReport { room: room(), number: 8 },
        Command::Audit(Audit { room: Some(room()), before: Some(9), limit: Some(20) }),
        Command::Directory(Directory { query: Some("tea".into()), after: 50, limit: Some(20) }),
        Command::Direct { username: name("bob") },
        Command::Ping,
    ];
    let written = commands.map(|command| client(reference(), command)).join("\n");
    insta::assert_snapshot!(written, @r#"
    {"ref":"r1","type":"hello","username":"ana","token":"t","guest_token":"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8","replaces":"s0","client":"page 1.0","render":true}
    {"ref":"r1","type":"join","room":"lobby","invite":"AAAAAAAAAAAAAAAAAAAABw","since":{"epoch":"000000000000e70c","seq":41},"history":50}
    {"ref":"r1","type":"leave","room":"lobby"}
    {"ref":"r1","type":"send","room":"lobby","body":"*hi*","reply_to":5,"id":"m1"}
    {"ref":"r1","type":"react","room":"lobby","target":7,"emoji":"👍","on":true}
    {"ref":"r1","type":"history","room":"lobby","before":9,"after":3,"limit":20}
    {"ref":"r1","type":"members","room":"lobby","after":"ana","prefix":"b","limit":20}
    {"ref":"r1","type":"typing","room":"lobby"}
    {"ref":"r1","type":"create_room","room":"lobby","title":"The lobby","topic":"*hi*","visibility":"public","join":"members","post":"accounts","slow_mode_s":10,"mention_room":"everyone"}
    {"ref":"r1","type":"configure_room","room":"lobby","title":"","topic":"*hi*","visibility":"private","join":"accounts","post":"members","slow_mode_s":0,"mention_room":"moderators"}
    {"ref":"r1","type":"set_role","room":"lobby","user":"u_bob","role":"moderator"}
    {"ref":"r1","type":"roles","room":"lobby","after":"u_bob","limit":20}
    {"ref":"r1","type":"moderate","room":"lobby","action":"ban","user":"u_bob","target":7,"reason":"spam","for_s":3600}
    {"ref":"r1","type":"invite","room":"lobby","username":"bob"}
    {"ref":"r1","type":"invite_link","room":"lobby","uses":3,"for_s":60}
    {"ref":"r1","type":"block","user":"u_bob","on":true}
    {"ref":"r1","type":"report","room":"lobby","target":7,"reason":"spam"}
    {"ref":"r1","type":"reports","room":"lobby","before":9,"limit":20}
    {"ref":"r1","type":"close_report","room":"lobby","number":8}
    {"ref":"r1","type":"audit","room":"lobby","before":9,"limit":20}
    {"ref":"r1","type":"directory","query":"tea","after":50,"limit":20}
    {"ref":"r1","type":"direct","username":"bob"}
    {"ref":"r1","type":"ping"}
    "#);
}

#[test]
fn commands_with_only_required_fields_are_written() {
    let commands = [
        Command::Hello(Hello {
            username: None,
            token: None,
            guest_token: None,
            replaces: None,
            client: None,
            render: false,
        }),
        Command::Join(Join { room: room(), invite: None, since: None, history: 0 }),
        Command::Leave { room: room() },
        Command::Send(Send { room: room(), body: "".into(), reply_to: None, id: None }),
        Command::History(History { room: room(), before: None, after: None, limit: None }),
        Command::Members(Members { room: room(), after: None, prefix: None, limit: None }),
        Command::Typing { room: room() },
        Command::CreateRoom(CreateRoom {
            room: None,
            title: None,
            topic: None,
            visibility: None,
            join: None,
            post: None,
            slow_mode_s: None,
            mention_room: None,
        }),
        Command::ConfigureRoom(ConfigureRoom {
            room: room(),
            title: None,
            topic: None,
            visibility: None,
            join: None,
            post: None,
            slow_mode_s: None,
            mention_room: None,
        }),
        Command::SetRole(SetRole { room: room(), user: user("bob"), role: None }),
        Command::Roles(Roles { room: room(), after: None, limit: None }),
        Command::Moderate(Moderate {
            room: Some(room()),
            action: Moderation::Unmute,
            user: None,
            target: None,
            reason: None,
            for_s: None,
        }),
        Command::InviteLink(InviteLink { room: room(), uses: None, for_s: None }),
        Command::Report(Report { room: room(), target: 7, reason: None }),
        Command::Reports(Reports { room: None, before: None, limit: None }),
        Command::Audit(Audit { room: None, before: None, limit: None }),
        Command::Directory(Directory { query: None, after: 0, limit: None }),
        Command::Ping,
    ];
    let written = commands.map(|command| client(None, command)).join("\n");
    insta::assert_snapshot!(written, @r#"
    {"type":"hello"}
    {"type":"join","room":"lobby"}
    {"type":"leave","room":"lobby"}
    {"type":"send","room":"lobby","body":""}
    {"type":"history","room":"lobby"}
    {"type":"members","room":"lobby"}
    {"type":"typing","room":"lobby"}
    {"type":"create_room"}
    {"type":"configure_room","room":"lobby"}
    {"type":"set_role","room":"lobby","user":"u_bob"}
    {"type":"roles","room":"lobby"}
    {"type":"moderate","room":"lobby","action":"unmute"}
    {"type":"invite_link","room":"lobby"}
    {"type":"report","room":"lobby","target":7}
    {"type":"reports"}
    {"type":"audit"}
    {"type":"directory"}
    {"type":"ping"}
    "#);
}
