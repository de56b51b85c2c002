//! Private rooms, invitations, direct rooms, the directory, reports and the audit log, over
//! sockets.

use std::net::SocketAddr;

use chat_server::RoomCreation;
use chat_testkit::Client;
use chat_testkit::http::request;
use chat_testkit::v2::Session;
use serde_json::{Value, json};

use super::{User, post};
use crate::support::{answered, config, refused, start_searching, start_with_accounts};

async fn register(server: SocketAddr, username: &str) -> (User, Session) {
    let user = User::register(server, username).await;
    let session = user.hello(server).await;
    (user, session)
}

/// Creates a private room, enters it, and returns its address.
async fn create(session: &mut Session, title: &str) -> String {
    let created = answered(session, json!({"type": "create_room", "title": title}), "ack").await;
    let room = created["room"].as_str().unwrap().to_owned();
    session.join(&room).await;
    room
}

fn rooms(list: &Value) -> Vec<(&str, &str)> {
    let entries = list["entries"].as_array().unwrap().iter();
    entries.map(|entry| (entry["room"].as_str().unwrap(), entry["kind"].as_str().unwrap())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_private_room_is_for_those_who_were_invited() {
    let server = start_with_accounts(config()).await;
    let (ana, mut owner) = register(server.address, "ana").await;
    refused(&mut owner, json!({"type": "create_room"}), "missing_field").await;
    let public = json!({"type": "create_room", "title": "x", "visibility": "public"});
    refused(&mut owner, public, "forbidden").await;
    let create =
        json!({"type": "create_room", "title": "The club", "topic": "*us*", "post": "members", "ref": "c"});
    owner.send(&create).await;
    let kept = owner.next("kept").await["entry"].clone();
    assert_eq!(
        (&kept["kind"], &kept["title"], &kept["role"]),
        (&json!("private"), &json!("The club"), &json!("owner"))
    );
    let created = owner.next("ack").await;
    assert_eq!((&created["ref"], &created["room"]), (&json!("c"), &kept["room"]));
    let club = created["room"].as_str().unwrap().to_owned();
    assert!(club.len() == 27 && club.starts_with('~'), "{club}");
    let info = &owner.join(&club).await["info"];
    assert_eq!(
        (&info["visibility"], &info["topic"], &info["role"]),
        (&json!("private"), &json!("*us*"), &json!("owner"))
    );

    let (bob, mut guest_of_honour) = register(server.address, "bob").await;
    let mut phone = bob.hello(server.address).await;
    let join = json!({"type": "join", "room": club});
    refused(&mut guest_of_honour, join.clone(), "not_found").await;
    let invite = |name: &str| json!({"type": "invite", "room": club, "username": name});
    refused(&mut owner, invite("nobody"), "not_found").await;
    answered(&mut owner, invite("bob"), "done").await;
    for session in [&mut guest_of_honour, &mut phone] {
        let invited = session.next("invited").await;
        assert_eq!(
            (&invited["room"], &invited["title"], &invited["by"]),
            (&json!(club), &json!("The club"), &json!("ana"))
        );
    }
    // it is in the list until it is accepted, and says nothing of what was written
    owner.send_message(&club, "hello").await;
    let list = bob.hello(server.address).await.next("rooms").await;
    let entry = &list["entries"][0];
    assert_eq!(
        (&entry["kind"], &entry["by"], &entry["newest"]),
        (&json!("invitation"), &json!("ana"), &json!(0))
    );
    guest_of_honour.send(&join).await;
    for session in [&mut guest_of_honour, &mut phone] {
        let entry = session.next("kept").await["entry"].clone();
        assert_eq!((&entry["kind"], &entry["role"]), (&json!("private"), &json!("member")));
    }
    guest_of_honour.next("joined").await;
    guest_of_honour.send_message(&club, "hi").await;

    // a member invites nobody, and nobody gets a role who has not accepted
    let (cid, mut outsider) = register(server.address, "cid").await;
    refused(&mut guest_of_honour, invite("cid"), "forbidden").await;
    let role = json!({"type": "set_role", "room": club, "user": cid.id, "role": "member"});
    refused(&mut owner, role, "not_found").await;
    refused(&mut outsider, join.clone(), "not_found").await;

    // an invitation can be declined
    answered(&mut owner, invite("cid"), "done").await;
    outsider.next("invited").await;
    answered(&mut outsider, json!({"type": "keep", "room": club, "favourite": false}), "dropped").await;
    refused(&mut outsider, join.clone(), "not_found").await;

    // who loses the role loses the room, on all devices
    let role = json!({"type": "set_role", "room": club, "user": bob.id});
    answered(&mut owner, role, "done").await;
    assert_eq!(guest_of_honour.next("left").await["reason"], "not_allowed");
    for session in [&mut guest_of_honour, &mut phone] {
        assert_eq!(session.next("dropped").await["room"], json!(club));
    }
    refused(&mut phone, join, "not_found").await;
    let list = bob.hello(server.address).await.next("rooms").await;
    assert_eq!(list["entries"], json!([]));
    let list = ana.hello(server.address).await.next("rooms").await;
    assert_eq!(rooms(&list), [(&*club, "private")]);
    server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_lets_in_as_many_as_it_says() {
    let server = start_with_accounts(config()).await;
    let (_, mut owner) = register(server.address, "ana").await;
    let club = create(&mut owner, "The club").await;
    let link =
        answered(&mut owner, json!({"type": "invite_link", "room": club, "uses": 2}), "invite_link").await;
    let code = link["invite"].as_str().unwrap();
    let join = |code: &str| json!({"type": "join", "room": club, "invite": code});
    let (_, mut bob) = register(server.address, "bob").await;
    refused(&mut bob, join("AAAAAAAAAAAAAAAAAAAAAA"), "not_found").await;
    refused(&mut bob, join("short"), "missing_field").await;
    answered(&mut bob, join(code), "joined").await;
    refused(&mut bob, json!({"type": "invite_link", "room": club}), "forbidden").await;
    // coming again is no use of it
    answered(&mut bob, json!({"type": "leave", "room": club}), "left").await;
    answered(&mut bob, join(code), "joined").await;
    // it is for accounts
    let mut gus = Session::hello(server.address, "gus").await;
    refused(&mut gus, join(code), "not_found").await;
    let (_, mut cid) = register(server.address, "cid").await;
    answered(&mut cid, join(code), "joined").await;
    let (_, mut dan) = register(server.address, "dan").await;
    refused(&mut dan, join(code), "not_found").await;

    let link =
        answered(&mut owner, json!({"type": "invite_link", "room": club, "uses": 9}), "invite_link").await;
    let ended =
        answered(&mut owner, json!({"type": "invite_link", "room": club, "uses": 0}), "invite_link").await;
    assert_eq!(ended.get("invite"), None);
    refused(&mut dan, join(link["invite"].as_str().unwrap()), "not_found").await;
    for wrong in [json!({"uses": 1_001}), json!({"for_s": 0}), json!({"for_s": 2_592_001})] {
        let mut command = wrong;
        (command["type"], command["room"]) = ("invite_link".into(), club.clone().into());
        refused(&mut owner, command, "missing_field").await;
    }
    server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invitation_into_a_room_for_everyone_makes_a_member() {
    let server = start_with_accounts(config()).await;
    let (_, mut owner) = register(server.address, "ana").await;
    owner.join("tea").await;
    answered(&mut owner, json!({"type": "create_room", "room": "tea"}), "ack").await;
    let (bob, mut invited) = register(server.address, "bob").await;
    let (_, mut linked) = register(server.address, "cid").await;
    answered(&mut owner, json!({"type": "invite", "room": "tea", "username": "bob"}), "done").await;
    let link = answered(&mut owner, json!({"type": "invite_link", "room": "tea"}), "invite_link").await;

    assert_eq!(invited.join("tea").await["info"]["role"], "member");
    assert_eq!(rooms(&bob.hello(server.address).await.next("rooms").await), []);
    let join = json!({"type": "join", "room": "tea", "invite": link["invite"]});
    let joined = answered(&mut linked, join.clone(), "joined").await;
    assert_eq!(joined["info"]["role"], "member");
    // it was for one, and everyone may still join
    let (_, mut late) = register(server.address, "dan").await;
    let joined = answered(&mut late, join, "joined").await;
    assert_eq!(joined["info"].get("role"), None);
    server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn two_users_have_a_direct_room() {
    let server = start_with_accounts(config()).await;
    let (_, mut ana) = register(server.address, "ana").await;
    let bob = User::register(server.address, "bob").await;
    let direct = |name: &str| json!({"type": "direct", "username": name});
    refused(&mut ana, direct("nobody"), "not_found").await;
    refused(&mut ana, direct("ana"), "forbidden").await;
    let opened = answered(&mut ana, direct("bob"), "room").await;
    assert_eq!((&opened["with"], &opened["user"]), (&json!("bob"), &json!(bob.id)));
    let room = opened["room"].as_str().unwrap().to_owned();
    ana.join(&room).await;
    ana.send_message(&room, "hello bob").await;

    // bob, who was not there, has it in his list, with the message
    let mut session = bob.hello(server.address).await;
    let list = session.next("rooms").await;
    let entry = &list["entries"][0];
    assert_eq!(
        (&entry["kind"], &entry["with"], &entry["unread"]),
        (&json!("direct"), &json!("ana"), &json!(1))
    );
    assert_eq!(answered(&mut session, direct("ana"), "room").await["room"], json!(room));
    let joined = session.join(&room).await;
    assert_eq!(joined["info"]["visibility"], "direct");
    session.send_message(&room, "hello ana").await;

    // nobody changes anything there
    for command in [
        json!({"type": "configure_room", "room": room, "title": "x"}),
        json!({"type": "create_room", "room": room}),
        json!({"type": "invite", "room": room, "username": "ana"}),
        json!({"type": "invite_link", "room": room}),
        json!({"type": "set_role", "room": room, "user": bob.id, "role": "owner"}),
        json!({"type": "moderate", "room": room, "action": "ban", "user": bob.id}),
        json!({"type": "audit", "room": room}),
        json!({"type": "reports", "room": room}),
    ] {
        refused(&mut ana, command, "forbidden").await;
    }
    let deletion = json!({"type": "delete", "room": room, "target": 3});
    refused(&mut ana, deletion, "forbidden").await;

    // a moderator of the server, who is one of two in another one, has no more rights there
    let (sam, _) = register(server.address, "sam").await;
    server.make_moderator(&sam.id).await;
    let mut sam = sam.hello(server.address).await;
    refused(&mut sam, json!({"type": "join", "room": room}), "not_found").await;
    let other = answered(&mut sam, direct("bob"), "room").await;
    let other = other["room"].as_str().unwrap().to_owned();
    sam.join(&other).await;
    refused(
        &mut sam,
        json!({"type": "moderate", "room": other, "action": "ban", "user": bob.id}),
        "forbidden",
    )
    .await;
    refused(&mut sam, json!({"type": "configure_room", "room": other, "title": "x"}), "forbidden").await;
    server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_other_user_of_a_direct_room_sees_how_far_its_messages_were_read() {
    let server = start_with_accounts(config()).await;
    let (ana, _) = register(server.address, "ana").await;
    let (bob, _) = register(server.address, "bob").await;
    let (mut ana_session, mut bob_session) =
        (ana.hello(server.address).await, bob.hello(server.address).await);
    for session in [&mut ana_session, &mut bob_session] {
        session.next("rooms").await;
    }
    let opened = answered(&mut ana_session, json!({"type": "direct", "username": "bob"}), "room").await;
    let room = opened["room"].as_str().unwrap().to_owned();
    let entry = bob_session.next("kept").await["entry"].clone();
    assert_eq!(entry.get("seen_up_to"), None);
    ana_session.join(&room).await;
    for text in ["one", "two", "three"] {
        ana_session.send_message(&room, text).await;
    }
    let mark =
        |up_to: u64| json!({"type": "mark_read", "room": room, "epoch": entry["epoch"], "up_to": up_to});
    answered(&mut bob_session, mark(2), "read").await;
    let seen = ana_session.next("read").await;
    let expected =
        json!({"type": "read", "room": room, "epoch": entry["epoch"], "up_to": 2, "username": "bob"});
    assert_eq!(seen, expected);
    // a mark that does not move is nothing new, and a room with others shows nobody's marks
    answered(&mut bob_session, mark(1), "read").await;
    for session in [&mut ana_session, &mut bob_session] {
        answered(session, json!({"type": "keep", "room": "lobby"}), "kept").await;
    }
    ana_session.join("lobby").await;
    let sent = ana_session.send_message("lobby", "for all").await;
    let mark_lobby = json!({"type": "mark_read", "room": "lobby", "epoch": entry["epoch"], "up_to": sent});
    answered(&mut bob_session, mark_lobby, "read").await;
    answered(&mut bob_session, mark(3), "read").await;
    let seen = ana_session.next("read").await;
    assert_eq!((&seen["room"], &seen["up_to"]), (&json!(room), &json!(3)));

    // a session that comes later has it in the list
    let mut later = ana.hello(server.address).await;
    let list = later.next("rooms").await;
    let entries = list["entries"].as_array().unwrap();
    let direct = entries.iter().find(|entry| entry["room"] == room).unwrap();
    let lobby = entries.iter().find(|entry| entry["room"] == "lobby").unwrap();
    assert_eq!((&direct["seen_up_to"], lobby.get("seen_up_to")), (&json!(3), None));

    // nothing comes of a user who is blocked
    let block = |on: bool| json!({"type": "block", "user": bob.id, "on": on});
    answered(&mut ana_session, block(true), "done").await;
    ana_session.send_message(&room, "four").await;
    answered(&mut bob_session, mark(4), "read").await;
    answered(&mut ana_session, block(false), "done").await;
    ana_session.send_message(&room, "five").await;
    answered(&mut bob_session, mark(5), "read").await;
    assert_eq!(ana_session.next("read").await["up_to"], 5, "not 4");
    server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_moderator_who_enters_a_private_room_is_recorded() {
    let server = start_with_accounts(config()).await;
    let (_, mut owner) = register(server.address, "ana").await;
    let club = create(&mut owner, "The club").await;
    let (sam, _) = register(server.address, "sam").await;
    server.make_moderator(&sam.id).await;
    let mut moderator = sam.hello(server.address).await;
    let other = chat_protocol::RoomName::address_from_random(1);
    refused(&mut moderator, json!({"type": "join", "room": other}), "not_found").await;
    moderator.join(&club).await;
    let log = answered(&mut owner, json!({"type": "audit", "room": club}), "audit").await;
    let acts: Vec<_> =
        log["records"].as_array().unwrap().iter().map(|record| (&record["act"], &record["by"])).collect();
    assert_eq!(acts, [(&json!("enter"), &json!("sam")), (&json!("register"), &json!("ana"))]);
    server.stop().await.unwrap();
}

/// Nobody without a role can tell a private or direct room from an address that does not exist:
/// every command, look-up and list has the same answer, byte by byte.
#[tokio::test(flavor = "multi_thread")]
async fn an_outsider_learns_nothing_about_private_rooms() {
    let server = start_searching().await;
    let (ana, mut owner) = register(server.address, "ana").await;
    let (bob, mut member) = register(server.address, "bob").await;
    let club = create(&mut owner, "The club").await;
    answered(&mut owner, json!({"type": "invite", "room": club, "username": "bob"}), "done").await;
    member.join(&club).await;
    let direct = answered(&mut owner, json!({"type": "direct", "username": "bob"}), "room").await;
    let direct = direct["room"].as_str().unwrap().to_owned();
    owner.join(&direct).await;
    for room in [&club, &direct] {
        let seq = owner.send_message(room, "a secret @bob").await;
        owner.ask(json!({"type": "react", "room": room, "target": seq, "emoji": ":+1:", "on": true})).await;
    }
    let report = json!({"type": "report", "room": club, "target": 1});
    owner.ask(report).await;
    let search = json!({"type": "search", "query": "secret"});
    while owner.ask(search.clone()).await["messages"].as_array().unwrap().len() < 2 {}

    // those who had a role, and have none any more, are outsiders, too
    let (dan, mut former) = register(server.address, "dan").await;
    answered(&mut owner, json!({"type": "invite", "room": club, "username": "dan"}), "done").await;
    former.join(&club).await;
    answered(&mut owner, json!({"type": "set_role", "room": club, "user": dan.id}), "done").await;
    former.next("dropped").await;
    let (_, mut account) = register(server.address, "cid").await;
    account.next("rooms").await;
    let mut guest = Session::hello(server.address, "gus").await;
    let absent = chat_protocol::RoomName::address_from_random(7).to_string();

    let commands = |room: &str| {
        let epoch = server.engine.epoch();
        let mut commands = vec![
            json!({"type": "join", "room": room}),
            json!({"type": "join", "room": room, "history": 50}),
            json!({"type": "join", "room": room, "since": {"epoch": epoch, "seq": 1}}),
            json!({"type": "join", "room": room, "invite": "AAAAAAAAAAAAAAAAAAAAAA"}),
            json!({"type": "leave", "room": room}),
            json!({"type": "send", "room": room, "body": "x", "id": "m1"}),
            json!({"type": "edit", "room": room, "target": 1, "body": "x"}),
            json!({"type": "delete", "room": room, "target": 1}),
            json!({"type": "react", "room": room, "target": 1, "emoji": ":+1:", "on": true}),
            json!({"type": "history", "room": room}),
            json!({"type": "members", "room": room}),
            json!({"type": "search", "room": room, "query": "secret"}),
            json!({"type": "typing", "room": room}),
            json!({"type": "create_room", "room": room}),
            json!({"type": "configure_room", "room": room, "title": "x"}),
            json!({"type": "set_role", "room": room, "user": bob.id, "role": "member"}),
            json!({"type": "roles", "room": room}),
            json!({"type": "invite", "room": room, "username": "cid"}),
            json!({"type": "invite_link", "room": room}),
            json!({"type": "report", "room": room, "target": 1}),
            json!({"type": "reports", "room": room}),
            json!({"type": "close_report", "room": room, "number": 1}),
            json!({"type": "audit", "room": room}),
            json!({"type": "keep", "room": room}),
            json!({"type": "keep", "room": room, "favourite": true}),
            json!({"type": "keep", "room": room, "favourite": false}),
            json!({"type": "mark_read", "room": room, "epoch": epoch, "up_to": 9}),
        ];
        for action in ["kick", "ban", "unban", "mute", "unmute", "warn"] {
            for target in [json!({"user": ana.id}), json!({"target": 1})] {
                let mut command = target;
                (command["type"], command["room"], command["action"]) =
                    ("moderate".into(), room.into(), action.into());
                commands.push(command);
            }
        }
        commands
    };
    for session in [&mut former, &mut account, &mut guest] {
        for room in [&club, &direct] {
            for (there, nowhere) in commands(room).into_iter().zip(commands(&absent)) {
                let answers =
                    [(&there, room), (&nowhere, &absent)].map(|(command, room)| (command.clone(), room));
                let mut texts = Vec::new();
                for (command, room) in answers {
                    texts.push(session.ask_bytes(command).await.replace(room.as_str(), "~"));
                }
                assert_eq!(texts[0], texts[1], "{there}");
                assert!(!texts[0].contains("joined"), "{}", texts[0]);
            }
        }
        let found = session.ask(search.clone()).await;
        assert_eq!(found["messages"], json!([]), "{found}");
        let found = session.ask(json!({"type": "directory"})).await;
        assert_eq!(found["rooms"], json!([]), "{found}");
        for everywhere in ["reports", "audit"] {
            refused(session, json!({"type": everywhere}), "forbidden").await;
        }
    }

    // look-ups and classic clients, under names that are and are not there
    for room in [&club, &direct] {
        for name in ["ana", "bob", "zoe"] {
            let mut answers = Vec::new();
            for room in [room, &absent] {
                let path = format!("/chat/get_signed_user/{room}/{name}");
                let look_up = request(server.address, "GET", &path, &[]).await;
                let headers: Vec<_> =
                    look_up.headers.iter().filter(|(name, _)| name != "date").cloned().collect();
                let body = String::from_utf8_lossy(&look_up.body).into_owned();
                answers.push((look_up.status, headers, body));
                let classic = Client::try_enter(server.address, room, name).await.expect_err("refused");
                answers.push((
                    classic.status,
                    Vec::new(),
                    String::from_utf8_lossy(&classic.body).into_owned(),
                ));
            }
            assert_eq!(answers[..2], answers[2..], "{name}");
            assert_eq!(answers[1].0, 404);
        }
    }

    // what others see of the members says nothing of their rooms
    let profile = request(server.address, "GET", "/api/v1/users/bob", &[]).await;
    assert!(!String::from_utf8_lossy(&profile.body).contains('~'), "{profile:?}");
    let anonymous = post(server.address, "login", None, &json!({"username": "x", "password": "y"})).await;
    assert_eq!(anonymous.status, 401);
    server.stop().await.unwrap();
}

/// An act on a user who has nothing to do with a private room does not tell the user of it.
#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_does_not_learn_of_a_private_room_by_an_act() {
    let server = start_with_accounts(config()).await;
    let (_, mut owner) = register(server.address, "ana").await;
    let club = create(&mut owner, "The club").await;
    let (bob, mut stranger) = register(server.address, "bob").await;
    let act = |action: &str| json!({"type": "moderate", "room": club, "action": action, "user": bob.id});
    for action in ["mute", "unmute", "kick", "ban", "unban"] {
        answered(&mut owner, act(action), "done").await;
    }
    refused(&mut owner, act("warn"), "not_found").await;
    stranger.send(&json!({"type": "ping"})).await;
    loop {
        let frame = stranger.frame().await;
        assert!(!frame.to_string().contains('~'), "{frame}");
        if frame["type"] == "pong" {
            break;
        }
    }
    // who is invited learns that the invitation has ended
    answered(&mut owner, json!({"type": "invite", "room": club, "username": "bob"}), "done").await;
    answered(&mut owner, act("ban"), "done").await;
    assert_eq!(stranger.next("dropped").await["room"], json!(club));
    server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_directory_lists_public_rooms() {
    let server = start_with_accounts(config()).await;
    let (_, mut ana) = register(server.address, "ana").await;
    for (room, title, topic) in [("tea", "Tea and cake", "all about *tea*"), ("code", "Programming", "Rust")]
    {
        ana.join(room).await;
        let create = json!({"type": "create_room", "room": room, "title": title, "topic": topic, "visibility": "public"});
        answered(&mut ana, create, "ack").await;
    }
    ana.join("hidden").await;
    answered(&mut ana, json!({"type": "create_room", "room": "hidden"}), "ack").await;
    ana.send_message("tea", "hello").await;
    let mut gus = Session::hello(server.address, "gus").await;
    let names = |page: &Value| -> Vec<String> {
        let rooms = page["rooms"].as_array().unwrap().iter();
        rooms.map(|room| room["room"].as_str().unwrap().to_owned()).collect()
    };
    let page = loop {
        let page = answered(&mut gus, json!({"type": "directory"}), "directory").await;
        if page["rooms"][0].get("last_message_at").is_some() {
            break page;
        }
    };
    assert_eq!(names(&page), ["tea", "code"], "those with the newest messages first");
    let tea = &page["rooms"][0];
    assert_eq!((&tea["title"], &tea["members"]), (&json!("Tea and cake"), &json!(1)));
    assert_eq!(page["rooms"][1].get("last_message_at"), None);
    for (query, expected) in
        [("CAKE", vec!["tea"]), ("rust", vec!["code"]), ("cod", vec!["code"]), ("hid", vec![])]
    {
        let found = answered(&mut gus, json!({"type": "directory", "query": query}), "directory").await;
        assert_eq!(names(&found), expected, "{query}");
    }
    let first = answered(&mut gus, json!({"type": "directory", "limit": 1}), "directory").await;
    assert_eq!((names(&first), &first["more"]), (vec!["tea".to_owned()], &json!(true)));
    let rest = answered(&mut gus, json!({"type": "directory", "after": 1}), "directory").await;
    assert_eq!((names(&rest), &rest["more"]), (vec!["code".to_owned()], &json!(false)));
    refused(&mut gus, json!({"type": "directory", "query": "x".repeat(201)}), "missing_field").await;

    // a room that is private now is not in it, and says so only to those who knew it
    answered(&mut ana, json!({"type": "configure_room", "room": "tea", "visibility": "private"}), "ack")
        .await;
    let page = answered(&mut gus, json!({"type": "directory"}), "directory").await;
    assert_eq!(names(&page), ["code"]);
    refused(&mut gus, json!({"type": "join", "room": "tea"}), "forbidden").await;
    server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn moderators_see_reports_and_what_was_done() {
    let server = start_with_accounts(config()).await;
    let (_, mut owner) = register(server.address, "ana").await;
    owner.join("lobby").await;
    answered(&mut owner, json!({"type": "create_room", "room": "lobby"}), "ack").await;
    let (mut gus, _) = Session::enter(server.address, "lobby", "gus").await;
    let (mut eve, _) = Session::enter(server.address, "lobby", "eve").await;
    let seq = eve.send_message("lobby", "buy *this*").await;
    let report = json!({"type": "report", "room": "lobby", "target": seq, "reason": "spam"});
    for _ in 0..2 {
        answered(&mut gus, report.clone(), "done").await;
    }
    refused(&mut gus, json!({"type": "report", "room": "lobby", "target": 99}), "not_found").await;
    for command in ["reports", "audit"] {
        refused(&mut gus, json!({"type": command, "room": "lobby"}), "forbidden").await;
    }
    // the copy stays
    answered(&mut eve, json!({"type": "delete", "room": "lobby", "target": seq}), "ack").await;
    let page = answered(&mut owner, json!({"type": "reports", "room": "lobby"}), "reports").await;
    let report = &page["reports"][0];
    assert_eq!((page["reports"].as_array().unwrap().len(), &page["more"]), (1, &json!(false)));
    assert_eq!(
        (&report["from"], &report["body"], &report["by"]),
        (&json!("eve"), &json!("buy *this*"), &json!("gus"))
    );
    assert_eq!((&report["reason"], &report["target"]), (&json!("spam"), &json!(seq)));
    let close = json!({"type": "close_report", "room": "lobby", "number": report["number"]});
    refused(&mut gus, close.clone(), "forbidden").await;
    answered(&mut owner, close.clone(), "done").await;
    refused(&mut owner, close, "not_found").await;

    // what the author deletes is the author's; what others delete is recorded
    let seq = eve.send_message("lobby", "buy that").await;
    answered(&mut owner, json!({"type": "delete", "room": "lobby", "target": seq}), "ack").await;
    let own = owner.send_message("lobby", "oops").await;
    answered(&mut owner, json!({"type": "delete", "room": "lobby", "target": own}), "ack").await;
    answered(&mut owner, json!({"type": "configure_room", "room": "lobby", "slow_mode_s": 5}), "ack").await;
    answered(&mut owner, json!({"type": "configure_room", "room": "lobby", "slow_mode_s": 5}), "ack").await;
    let log = answered(&mut owner, json!({"type": "audit", "room": "lobby"}), "audit").await;
    let acts: Vec<_> =
        log["records"].as_array().unwrap().iter().map(|record| record["act"].as_str().unwrap()).collect();
    assert_eq!(acts, ["configure", "delete", "close_report", "register"]);
    let deleted = &log["records"][1];
    assert_eq!((&deleted["target"], &deleted["username"]), (&json!(seq), &json!("eve")));
    let page = answered(&mut owner, json!({"type": "audit", "room": "lobby", "limit": 1}), "audit").await;
    assert_eq!(page["more"], true);
    let before = page["records"][0]["number"].clone();
    let page =
        answered(&mut owner, json!({"type": "audit", "room": "lobby", "before": before}), "audit").await;
    assert_eq!((&page["records"][0]["act"], &page["more"]), (&json!("delete"), &json!(false)));
    server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn moderators_of_the_server_see_reports_and_acts_everywhere() {
    let server = start_with_accounts(config()).await;
    let (_, mut owner) = register(server.address, "ana").await;
    let (bob, mut other) = register(server.address, "bob").await;
    let club = create(&mut owner, "The club").await;
    let direct = answered(&mut other, json!({"type": "direct", "username": "ana"}), "room").await;
    let direct = direct["room"].as_str().unwrap().to_owned();
    for session in [&mut owner, &mut other] {
        session.join(&direct).await;
        session.join("lobby").await;
    }
    for room in [&direct, "lobby"] {
        let seq = other.send_message(room, "buy this").await;
        answered(&mut owner, json!({"type": "report", "room": room, "target": seq}), "done").await;
    }
    let (sam, _) = register(server.address, "sam").await;
    server.make_moderator(&sam.id).await;
    let mut sam = sam.hello(server.address).await;
    let everywhere = json!({"type": "reports"});
    for command in [everywhere.clone(), json!({"type": "audit"})] {
        // the owner of a room is no moderator of the server
        refused(&mut owner, command.clone(), "forbidden").await;
        let (mut gus, _) = Session::enter(server.address, "lobby", "gus").await;
        refused(&mut gus, command, "forbidden").await;
    }
    let page = answered(&mut sam, everywhere.clone(), "reports").await;
    let reports = page["reports"].as_array().unwrap();
    let places: Vec<_> = reports.iter().map(|report| report["room"].as_str().unwrap()).collect();
    assert_eq!((places, page.get("room")), (vec!["lobby", &direct], None));
    for report in reports {
        let close = json!({"type": "close_report", "room": report["room"], "number": report["number"]});
        // bob is in both rooms, and moderates neither
        refused(&mut other, close.clone(), "forbidden").await;
        answered(&mut sam, close, "done").await;
    }
    assert_eq!(answered(&mut sam, everywhere, "reports").await["reports"], json!([]));

    let mute = json!({"type": "moderate", "action": "mute", "user": bob.id, "reason": "spam"});
    answered(&mut sam, mute, "done").await;
    let log = answered(&mut sam, json!({"type": "audit"}), "audit").await;
    let records = log["records"].as_array().unwrap();
    let acts: Vec<_> =
        records.iter().map(|record| (record["act"].as_str().unwrap(), record.get("room"))).collect();
    let (club, direct, lobby) = (json!(club), json!(direct), json!("lobby"));
    let expected = [
        ("mute", None),
        ("close_report", Some(&direct)),
        ("close_report", Some(&lobby)),
        ("register", Some(&club)),
    ];
    assert_eq!(acts, expected);
    let second =
        answered(&mut sam, json!({"type": "audit", "before": records[0]["number"], "limit": 1}), "audit")
            .await;
    assert_eq!((&second["records"][0], &second["more"]), (&records[1], &json!(true)));
    // a page of one room does not repeat the room
    let of_club = answered(&mut owner, json!({"type": "audit", "room": club}), "audit").await;
    assert_eq!(of_club["records"][0].get("room"), None);
    server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_can_leave_the_creation_of_rooms_to_its_moderators() {
    let room_creation = RoomCreation::Moderators;
    let server = start_with_accounts(chat_server::Config { room_creation, ..config() }).await;
    let (_, mut ana) = register(server.address, "ana").await;
    // the default room is there
    ana.join("lobby").await;
    refused(&mut ana, json!({"type": "join", "room": "tea"}), "not_found").await;
    for command in
        [json!({"type": "create_room", "room": "lobby"}), json!({"type": "create_room", "title": "The club"})]
    {
        refused(&mut ana, command, "forbidden").await;
    }
    let (sam, _) = register(server.address, "sam").await;
    server.make_moderator(&sam.id).await;
    let mut sam = sam.hello(server.address).await;
    create(&mut sam, "The team").await;
    // direct rooms are not created by a command for that
    answered(&mut ana, json!({"type": "direct", "username": "sam"}), "room").await;
    sam.join("tea").await;
    ana.join("tea").await;
    server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn guests_may_be_kept_from_creating_rooms() {
    let room_creation = RoomCreation::Accounts;
    let server = start_with_accounts(chat_server::Config { room_creation, ..config() }).await;
    let (_, mut ana) = register(server.address, "ana").await;
    let (mut gus, _) = Session::enter(server.address, "lobby", "gus").await;
    let join = |room: &str| json!({"type": "join", "room": room});
    let refusal = refused(&mut gus, join("tea"), "not_found").await;
    let of_an_address = chat_protocol::RoomName::address_from_random(1);
    assert_eq!(
        refused(&mut gus, join(of_an_address.as_str()), "not_found").await["message"],
        refusal["message"]
    );
    assert_eq!(Client::try_enter(server.address, "tea", "old").await.unwrap_err().status, 403);
    // a room exists as long as somebody is in it
    ana.join("tea").await;
    gus.join("tea").await;
    for session in [&mut ana, &mut gus] {
        answered(session, json!({"type": "leave", "room": "tea"}), "left").await;
    }
    refused(&mut gus, join("tea"), "not_found").await;
    // and for good once something is written there, or it has an owner
    ana.join("tea").await;
    ana.send_message("tea", "hello").await;
    ana.join("owned").await;
    answered(&mut ana, json!({"type": "create_room", "room": "owned"}), "ack").await;
    for room in ["tea", "owned"] {
        answered(&mut ana, json!({"type": "leave", "room": room}), "left").await;
        gus.join(room).await;
    }
    server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_is_rendered_for_those_who_asked_for_html() {
    let server = start_with_accounts(config()).await;
    let (_, mut ana) = register(server.address, "ana").await;
    ana.join("tea").await;
    let create =
        json!({"type": "create_room", "room": "tea", "topic": "*one* <script>", "visibility": "public"});
    answered(&mut ana, create, "ack").await;
    let plain = answered(
        &mut Session::hello(server.address, "gus").await,
        json!({"type": "join", "room": "tea"}),
        "joined",
    )
    .await;
    assert_eq!((&plain["info"]["topic"], plain["info"].get("topic_html")), (&json!("*one* <script>"), None));
    let mut session = Session::without_hello(server.address).await;
    session.send(&json!({"type": "hello", "username": "eve", "render": true})).await;
    session.next("welcome").await;
    let joined = session.join("tea").await;
    assert_eq!(joined["info"]["topic_html"], "<p dir=\"auto\"><em>one</em> &lt;script&gt;</p>\n");
    let page = answered(&mut session, json!({"type": "directory"}), "directory").await;
    assert_eq!(page["rooms"][0]["topic_html"], joined["info"]["topic_html"]);
    answered(&mut ana, json!({"type": "configure_room", "room": "tea", "topic": "two"}), "ack").await;
    let changed = session.next("room_changed").await;
    assert_eq!(changed["info"]["topic_html"], "<p dir=\"auto\">two</p>\n");
    server.stop().await.unwrap();
}

/// A user who is blocked is not heard, and does not learn of it.
#[tokio::test(flavor = "multi_thread")]
async fn a_blocked_user_is_silent() {
    let server = start_with_accounts(config()).await;
    let (ana, mut session) = register(server.address, "ana").await;
    let mut phone = ana.hello(server.address).await;
    let (bob, mut other) = register(server.address, "bob").await;
    let room = answered(&mut other, json!({"type": "direct", "username": "ana"}), "room").await;
    let room = room["room"].as_str().unwrap().to_owned();
    other.join(&room).await;
    assert_eq!(session.next("kept").await["entry"]["with"], "bob");
    answered(&mut session, json!({"type": "keep", "room": "tea"}), "kept").await;
    other.join("tea").await;
    other.send_message("tea", "hello @ana").await;

    let block = |on: bool| json!({"type": "block", "user": bob.id, "on": on});
    session.send(&block(true)).await;
    for device in [&mut session, &mut phone] {
        let blocked = device.next("blocked").await;
        let expected = json!({"type": "blocked", "user": bob.id, "username": "bob", "on": true});
        assert_eq!(blocked, expected);
        assert_eq!(device.next("dropped").await["room"], json!(room));
    }
    session.next("done").await;
    other.send_message(&room, "hello ana").await;
    other.send_message("tea", "hello again @ana").await;
    let club = create(&mut other, "The club").await;
    answered(&mut other, json!({"type": "invite", "room": club, "username": "ana"}), "done").await;
    let list = ana.hello(server.address).await.next("rooms").await;
    assert_eq!(
        (&list["blocked"], rooms(&list)),
        (&json!([{"user": bob.id, "username": "bob"}]), vec![("tea", "room")])
    );
    let tea = &list["entries"][0];
    assert_eq!((&tea["unread"], &tea["mentions"]), (&json!(0), &json!(0)), "{tea}");

    // what others write is news, and nothing of the blocked one is
    let (_, mut cid) = register(server.address, "cid").await;
    cid.join("tea").await;
    cid.send_message("tea", "hello").await;
    let inbox = loop {
        let frame = phone.frame().await;
        let kind = frame["type"].as_str().unwrap();
        assert!(!["invited", "kept"].contains(&kind), "{frame}");
        if kind == "inbox" {
            break frame;
        }
    };
    assert_eq!((&inbox["room"], &inbox["unread"], &inbox["mentions"]), (&json!("tea"), &json!(1), &json!(0)));

    answered(&mut session, block(false), "done").await;
    assert_eq!(phone.next("kept").await["entry"]["unread"], 1);
    let list = ana.hello(server.address).await.next("rooms").await;
    assert_eq!(list.get("blocked"), None);
    let mut all: Vec<_> = rooms(&list).into_iter().map(|(_, kind)| kind).collect();
    all.sort_unstable();
    assert_eq!(all, ["direct", "invitation", "room"]);
    let tea = list["entries"].as_array().unwrap().iter().find(|entry| entry["room"] == "tea").unwrap();
    assert_eq!((&tea["unread"], &tea["mentions"]), (&json!(3), &json!(2)), "{tea}");

    let own = json!({"type": "block", "user": ana.id, "on": true});
    refused(&mut session, own, "forbidden").await;
    let unknown = json!({"type": "block", "user": "u_unknown", "on": true});
    refused(&mut session, unknown, "not_found").await;
    let mut guest = Session::hello(server.address, "gus").await;
    refused(&mut guest, block(true), "forbidden").await;
    server.stop().await.unwrap();
}
