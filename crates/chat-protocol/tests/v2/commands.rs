//! Commands, as a client writes them.

use chat_protocol::v2::{
    self, ClientFrame, Command, ConfigureRoom, CreateRoom, Hello, History, Join, Members, Moderate, React,
    Roles, Send, SetRole, Since,
};
use chat_protocol::{MayJoin, MayPost, MentionRoom, Moderation, Reference, RoomRole};

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
        Command::Join(Join { room: room(), since: Some(Since { epoch: epoch(), seq: 41 }), history: 50 }),
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
            room: room(),
            join: Some(MayJoin::Members),
            post: Some(MayPost::Accounts),
            slow_mode_s: Some(10),
            mention_room: Some(MentionRoom::Everyone),
        }),
        Command::ConfigureRoom(ConfigureRoom {
            room: room(),
            join: Some(MayJoin::Accounts),
            post: Some(MayPost::Members),
            slow_mode_s: Some(0),
            mention_room: Some(MentionRoom::Moderators),
        }),
        Command::SetRole(SetRole { room: room(), user: user("bob"), role: Some(RoomRole::Moderator) }),
        Command::Roles(Roles { room: room(), after: Some(user("bob")), limit: Some(20) }),
        Command::Moderate(Moderate {
            room: room(),
            action: Moderation::Ban,
            user: Some(user("bob")),
            target: Some(7),
            reason: Some("spam".parse().unwrap()),
            for_s: Some(3_600),
        }),
        Command::Ping,
    ];
    let written = commands.map(|command| client(reference(), command)).join("\n");
    insta::assert_snapshot!(written, @r#"
    {"ref":"r1","type":"hello","username":"ana","token":"t","guest_token":"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8","replaces":"s0","client":"page 1.0","render":true}
    {"ref":"r1","type":"join","room":"lobby","since":{"epoch":"000000000000e70c","seq":41},"history":50}
    {"ref":"r1","type":"leave","room":"lobby"}
    {"ref":"r1","type":"send","room":"lobby","body":"*hi*","reply_to":5,"id":"m1"}
    {"ref":"r1","type":"react","room":"lobby","target":7,"emoji":"👍","on":true}
    {"ref":"r1","type":"history","room":"lobby","before":9,"after":3,"limit":20}
    {"ref":"r1","type":"members","room":"lobby","after":"ana","prefix":"b","limit":20}
    {"ref":"r1","type":"typing","room":"lobby"}
    {"ref":"r1","type":"create_room","room":"lobby","join":"members","post":"accounts","slow_mode_s":10,"mention_room":"everyone"}
    {"ref":"r1","type":"configure_room","room":"lobby","join":"accounts","post":"members","slow_mode_s":0,"mention_room":"moderators"}
    {"ref":"r1","type":"set_role","room":"lobby","user":"u_bob","role":"moderator"}
    {"ref":"r1","type":"roles","room":"lobby","after":"u_bob","limit":20}
    {"ref":"r1","type":"moderate","room":"lobby","action":"ban","user":"u_bob","target":7,"reason":"spam","for_s":3600}
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
        Command::Join(Join { room: room(), since: None, history: 0 }),
        Command::Leave { room: room() },
        Command::Send(Send { room: room(), body: "".into(), reply_to: None, id: None }),
        Command::History(History { room: room(), before: None, after: None, limit: None }),
        Command::Members(Members { room: room(), after: None, prefix: None, limit: None }),
        Command::Typing { room: room() },
        Command::CreateRoom(CreateRoom {
            room: room(),
            join: None,
            post: None,
            slow_mode_s: None,
            mention_room: None,
        }),
        Command::ConfigureRoom(ConfigureRoom {
            room: room(),
            join: None,
            post: None,
            slow_mode_s: None,
            mention_room: None,
        }),
        Command::SetRole(SetRole { room: room(), user: user("bob"), role: None }),
        Command::Roles(Roles { room: room(), after: None, limit: None }),
        Command::Moderate(Moderate {
            room: room(),
            action: Moderation::Unmute,
            user: None,
            target: None,
            reason: None,
            for_s: None,
        }),
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
    {"type":"create_room","room":"lobby"}
    {"type":"configure_room","room":"lobby"}
    {"type":"set_role","room":"lobby","user":"u_bob"}
    {"type":"roles","room":"lobby"}
    {"type":"moderate","room":"lobby","action":"unmute"}
    {"type":"ping"}
    "#);
}
