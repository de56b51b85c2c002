//! What server moderators do on the whole server, and bans that concern the network of a guest.

use std::net::SocketAddr;

use chat_server::{Config, Proxies, ProxyHeader};
use chat_testkit::v2::{PROTOCOL, Session};
use chat_testkit::{Client, handshake_with, http, path};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use super::{User, end};
use crate::support::{Running, answered, config, refused, start_with_accounts};

async fn moderator(server: &Running) -> (User, Session) {
    let sam = User::register(server.address, "sam").await;
    server.make_moderator(&sam.id).await;
    let session = sam.hello(server.address).await;
    (sam, session)
}

fn moderate(action: &str, user: &str) -> Value {
    json!({"type": "moderate", "action": action, "user": user, "reason": "spam"})
}

async fn done(session: &mut Session, command: Value) {
    answered(session, command, "done").await;
}

/// A `hello` that is refused, and the end of the connection.
async fn turned_away(server: SocketAddr, hello: Value) -> Value {
    let (error, mut session) = super::refused(server, hello).await;
    assert_eq!(end(&mut session).await, (false, 4403));
    error
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_who_is_banned_from_the_server_is_out_and_stays_out() {
    let server = start_with_accounts(config()).await;
    let (sam, mut moderator) = moderator(&server).await;
    let ana = User::register(server.address, "ana").await;
    let (mut desktop, mut phone) = (ana.hello(server.address).await, ana.hello(server.address).await);
    desktop.join("lobby").await;
    phone.join("tea").await;
    refused(&mut desktop, moderate("ban", &sam.id), "forbidden").await;
    refused(&mut moderator, moderate("ban", &sam.id), "forbidden").await;
    refused(&mut moderator, moderate("ban", "u_nobody"), "not_found").await;
    refused(&mut moderator, json!({"type": "moderate", "action": "ban", "target": 1}), "missing_field").await;
    let mut gus = Session::hello(server.address, "gus").await;
    refused(&mut gus, moderate("ban", &ana.id), "forbidden").await;

    done(&mut moderator, moderate("ban", &ana.id)).await;
    for session in [&mut desktop, &mut phone] {
        assert_eq!(end(session).await, (false, 4403));
    }
    let error = turned_away(server.address, json!({"token": ana.token})).await;
    assert_eq!((&error["code"], error.get("until")), (&json!("forbidden"), None));
    done(&mut moderator, moderate("unban", &ana.id)).await;
    ana.hello(server.address).await.join("lobby").await;
    // with an end
    let mut command = moderate("ban", &ana.id);
    command["for_s"] = 600.into();
    done(&mut moderator, command).await;
    let error = turned_away(server.address, json!({"token": ana.token})).await;
    assert!(error["until"].is_string(), "{error}");
    server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mute_on_the_server_holds_in_all_rooms() {
    let server = start_with_accounts(config()).await;
    let (_, mut moderator) = moderator(&server).await;
    let ana = User::register(server.address, "ana").await;
    let mut session = ana.hello(server.address).await;
    for room in ["lobby", "tea"] {
        session.join(room).await;
        session.send_message(room, "hello").await;
    }
    done(&mut moderator, moderate("mute", &ana.id)).await;
    for room in ["lobby", "tea"] {
        let you = session.next("you").await;
        assert_eq!(you["muted"], true, "{room}: {you}");
    }
    session.join("late").await;
    for room in ["lobby", "tea", "late"] {
        refused(&mut session, json!({"type": "send", "room": room, "body": "x"}), "muted").await;
    }
    done(&mut moderator, moderate("kick", &ana.id)).await;
    for _ in 0..3 {
        assert_eq!(session.next("left").await["reason"], "kicked");
    }
    done(&mut moderator, moderate("warn", &ana.id)).await;
    let warned = session.next("warned").await;
    assert_eq!((warned.get("room"), &warned["reason"]), (None, &json!("spam")));
    done(&mut moderator, moderate("unmute", &ana.id)).await;
    session.join("lobby").await;
    session.send_message("lobby", "thanks").await;

    // it holds after a restart, because the database has it
    done(&mut moderator, moderate("mute", &ana.id)).await;
    let rules = server.engine.access().rules(chat_access::Scope::Server).await.unwrap();
    let now = chat_protocol::Timestamp::now();
    assert_eq!(rules.mute([&ana.id.parse().unwrap()], now), Some(None));
    server.stop().await.unwrap();
}

/// Everything that was acknowledged before the mute is stored, and nothing after it.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_stored_after_a_mute_on_the_server() {
    let server = start_with_accounts(config()).await;
    let (_, mut moderator) = moderator(&server).await;
    let ana = User::register(server.address, "ana").await;
    let mut session = ana.hello(server.address).await;
    session.join("lobby").await;
    let (mut watcher, _) = Session::enter(server.address, "lobby", "wim").await;
    for number in 0..200 {
        session
            .send(&json!({"type": "send", "room": "lobby", "body": format!("{number}"), "ref": "m"}))
            .await;
    }
    done(&mut moderator, moderate("mute", &ana.id)).await;
    // what comes now was refused, or stored before the answer
    let newest = watcher.ask(json!({"type": "history", "room": "lobby", "limit": 1})).await["last"].clone();
    let (mut stored, mut muted) = (0, 0);
    while stored + muted < 200 {
        let answer = session.frame().await;
        match (answer["type"].as_str().unwrap(), &answer["ref"]) {
            ("ack", _) => {
                stored += 1;
                assert!(answer["seq"].as_u64() <= newest.as_u64(), "{answer} after {newest}");
            }
            ("error", reference) if reference == "m" => {
                assert_eq!(answer["code"], "muted");
                muted += 1;
            }
            _ => {}
        }
    }
    let last = watcher.ask(json!({"type": "history", "room": "lobby", "limit": 1})).await["last"].clone();
    assert_eq!(last, newest);
    server.stop().await.unwrap();
}

/// A `chat.v2` connection of a guest from this address.
async fn guest_from(server: SocketAddr, address: &str) -> Client {
    let mut stream = TcpStream::connect(server).await.unwrap();
    let lines = format!("{PROTOCOL}X-Forwarded-For: {address}\r\n");
    stream.write_all(handshake_with("/ws", &lines).as_bytes()).await.unwrap();
    Client::shake_hands(stream).await.unwrap()
}

async fn classic_from(server: SocketAddr, name: &str, address: &str) -> Result<Client, http::Answer> {
    let mut stream = TcpStream::connect(server).await.unwrap();
    let handshake = handshake_with(&path("lobby", name), &format!("X-Forwarded-For: {address}\r\n"));
    stream.write_all(handshake.as_bytes()).await.unwrap();
    Client::shake_hands(stream).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_banned_guest_does_not_come_back_as_another_guest_from_there() {
    let proxies = Proxies { trusted: "127.0.0.1".parse().unwrap(), header: ProxyHeader::ForwardedFor };
    let server = start_with_accounts(Config { proxies, ..config() }).await;
    let ana = User::register(server.address, "ana").await;
    let mut owner = ana.hello(server.address).await;
    owner.join("lobby").await;
    owner.ask(json!({"type": "create_room", "room": "lobby"})).await;
    let (there, elsewhere) = ("2001:db8::1", "2001:db8:0:1::1");
    let hello = |name: &str| json!({"username": name});
    let mut gus = Session::hello_on(guest_from(server.address, there).await, hello("gus")).await;
    gus.join("lobby").await;
    let mut ban = moderate("ban", gus.user());
    ban["room"] = "lobby".into();
    done(&mut owner, ban.clone()).await;
    assert_eq!(gus.next("left").await["reason"], "banned");

    // another guest from the same network, in both protocols
    let neighbour = guest_from(server.address, "2001:db8::2").await;
    let mut neighbour = Session::hello_on(neighbour, hello("eve")).await;
    refused(&mut neighbour, json!({"type": "join", "room": "lobby"}), "forbidden").await;
    neighbour.join("tea").await;
    let answer = classic_from(server.address, "cleo", "2001:db8::3").await.map(drop).unwrap_err();
    assert_eq!(answer.status, 403);
    assert!(String::from_utf8_lossy(&answer.body).contains("banned"), "{answer:?}");
    // guests from elsewhere, and users with an account from there, are not concerned
    drop(classic_from(server.address, "zoe", elsewhere).await.unwrap());
    let bob = User::register(server.address, "bob").await;
    let bob = json!({"token": bob.token});
    Session::hello_on(guest_from(server.address, there).await, bob).await.join("lobby").await;

    ban["action"] = "unban".into();
    done(&mut owner, ban).await;
    neighbour.join("lobby").await;

    // on the whole server
    let (_, mut moderator) = moderator(&server).await;
    done(&mut moderator, moderate("ban", neighbour.user())).await;
    assert_eq!(end(&mut neighbour).await, (false, 4403));
    let mut session = Session::without_hello_on(guest_from(server.address, "2001:db8::9").await);
    session.send(&json!({"type": "hello", "username": "ida"})).await;
    assert_eq!(session.frame().await["code"], "forbidden");
    assert_eq!(end(&mut session).await, (false, 4403));
    assert_eq!(classic_from(server.address, "cleo", there).await.map(drop).unwrap_err().status, 403);
    server.stop().await.unwrap();
}

/// A classic client that is muted reads on, and learns why it may not write.
#[tokio::test(flavor = "multi_thread")]
async fn a_muted_classic_client_gets_an_error() {
    let server = start_with_accounts(config()).await;
    let ana = User::register(server.address, "ana").await;
    let mut owner = ana.hello(server.address).await;
    owner.join("lobby").await;
    owner.ask(json!({"type": "create_room", "room": "lobby"})).await;
    let mut cleo = Client::enter(server.address, "lobby", "cleo").await;
    cleo.send_message("hello").await;
    let message = owner.next("message").await;
    let mut mute = moderate("mute", message["user"].as_str().unwrap());
    mute["room"] = "lobby".into();
    done(&mut owner, mute).await;
    cleo.send_message("more").await;
    let error = loop {
        let event = cleo.event().await;
        if event["type"] == "chat_error" {
            break event;
        }
    };
    assert!(error["message"].as_str().unwrap().contains("muted"), "{error}");
    owner.send_message("lobby", "quiet now").await;
    while cleo.event().await["message"] != "quiet now" {}
    let page = owner.ask(json!({"type": "history", "room": "lobby"})).await;
    let bodies: Vec<_> =
        page["messages"].as_array().unwrap().iter().map(|message| &message["body"]).collect();
    assert_eq!(bodies, ["hello", "quiet now"]);

    // a room for accounts is closed to it, and so is one from which it is banned
    let settings = json!({"type": "configure_room", "room": "lobby", "join": "accounts"});
    owner.ask(settings).await;
    assert_eq!(cleo.closed().await, Some(4403));
    let refused = Client::try_enter(server.address, "lobby", "cleo").await.map(drop).unwrap_err();
    assert_eq!(refused.status, 403);
    server.stop().await.unwrap();
}
