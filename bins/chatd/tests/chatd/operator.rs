//! What the operator asks and does: over HTTP with the token, and on the command line.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use chat_testkit::http::{Answer, request};
use chat_testkit::{Client, v2};
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::process::{self, Running, chatd, refused};

const TOKEN: &str = "0123456789abcdef-of-the-operator";

/// A server with a token in a file.
fn start(folder: &Path) -> (Running, SocketAddr) {
    std::fs::write(folder.join("token"), format!("{TOKEN}\n")).unwrap();
    let arguments = ["--admin-listen", "127.0.0.1:0", "--admin-token-file", "token"];
    let running = Running::start(chatd(folder).args(arguments));
    let admin = running.admin.unwrap();
    (running, admin)
}

async fn asked(admin: SocketAddr, method: &str, path: &str) -> Answer {
    request(admin, method, path, &[&format!("Authorization: Bearer {TOKEN}")]).await
}

/// What `chatd admin` says, and whether it is content.
async fn told(folder: &Path, admin: SocketAddr, arguments: &[&str]) -> (bool, String) {
    let mut command = chatd(folder);
    command.arg("admin").args(arguments);
    command.args(["--url", &format!("http://{admin}"), "--token-file", "token"]);
    process::told(command).await
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_gets_anywhere_without_the_token() {
    let folder = tempfile::tempdir().unwrap();
    let (_running, admin) = start(folder.path());
    for headers in [
        &[][..],
        &["Authorization: Bearer 0123456789abcdef-of-the-operatoR"],
        &["Authorization: Bearer "],
        &["Authorization: Basic 0123456789abcdef-of-the-operator"],
    ] {
        for (method, path) in
            [("GET", "/v1/rooms"), ("DELETE", "/v1/rooms/r"), ("POST", "/v1/notice"), ("GET", "/v1/nothing")]
        {
            let answer = request(admin, method, path, headers).await;
            assert_eq!(answer.status, 401, "{method} {path} {headers:?}");
            assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
        }
    }
    assert_eq!(asked(admin, "GET", "/v1/rooms").await.json(), json!({ "rooms": [] }));
    assert_eq!(asked(admin, "GET", "/v1/nothing").await.status, 404);
    for wrong in
        ["/v1/usage?form=2026-11-28", "/v1/rooms/r/members?after=x", "/v1/users/ana/messages?after=x"]
    {
        let answer = asked(admin, "GET", wrong).await;
        assert!(answer.status == 400 && answer.json()["error"].is_string(), "{wrong}: {answer:?}");
    }
    // whatever is wrong with a path is said as everything else is
    for (method, path, status) in [
        ("PUT", "/v1/rooms", 405),
        ("GET", "/v1/rooms/%FF/members", 400),
        ("DELETE", "/v1/rooms/%FF", 400),
        ("DELETE", "/v1/rooms/r/members/%C3", 400),
        ("POST", "/v1/rooms/%FF/notice", 400),
        ("DELETE", "/v1/sessions/%FF", 400),
        ("GET", "/v1/users/%FF/messages", 400),
        ("GET", "/v1/rooms//members", 400),
    ] {
        let answer = asked(admin, method, path).await;
        assert_eq!(answer.status, status, "{method} {path}: {answer:?}");
        assert!(answer.json()["error"].is_string(), "{method} {path}: {answer:?}");
    }

    let other = tempfile::tempdir().unwrap();
    let without = Running::start(chatd(other.path()).args(["--admin-listen", "127.0.0.1:0"]));
    let answer = asked(without.admin.unwrap(), "GET", "/v1/rooms").await;
    assert_eq!(
        (answer.status, &answer.json()["error"]),
        (403, &json!("this server has no admin token: start it with --admin-token-file"))
    );
}

#[test]
fn a_token_that_is_none_is_told_and_never_shown() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = ["--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"];
    let what = "a token needs at least 16 characters, without spaces and without characters outside ASCII";
    let said = refused(chatd(folder.path()).args(arguments).env("CHATD_ADMIN_TOKEN", "hunter2"));
    assert_eq!(said, format!("chatd: the admin token can't be used: {what}\n"));
    std::fs::write(folder.path().join("token"), "two words are none\n").unwrap();
    let said = refused(chatd(folder.path()).args(arguments).args(["--admin-token-file", "token"]));
    assert_eq!(said, format!("chatd: the token file token can't be used: {what}\n"));
    let said = refused(chatd(folder.path()).args(arguments).args(["--admin-token-file", "nowhere"]));
    assert_eq!(said, "chatd: the token file nowhere can't be read: No such file or directory (os error 2)\n");

    let shown =
        chatd(folder.path()).env("CHATD_ADMIN_TOKEN", TOKEN).args(["config", "show"]).output().unwrap();
    let shown = String::from_utf8(shown.stdout).unwrap();
    assert!(shown.contains("(hidden)") && !shown.contains(TOKEN), "{shown}");
}

#[tokio::test(flavor = "multi_thread")]
async fn rooms_members_and_sessions_are_listed() {
    let folder = tempfile::tempdir().unwrap();
    let (running, admin) = start(folder.path());
    let _ana = Client::enter(running.address, "caf%C3%A9", "ana").await;
    let (bob, _) = v2::Session::enter(running.address, "café", "bob").await;
    let (ok, rooms) = told(folder.path(), admin, &["rooms"]).await;
    assert_eq!(
        (ok, rooms.split_whitespace().collect::<Vec<_>>()),
        (true, vec!["room", "members", "café", "2"])
    );
    let (_, members) = told(folder.path(), admin, &["members", "café", "--json"]).await;
    let members: Value = serde_json::from_str(&members).unwrap();
    assert_eq!(members["total"], 2);
    let names: Vec<_> =
        members["members"].as_array().unwrap().iter().map(|member| &member["username"]).collect();
    assert_eq!(names, ["ana", "bob"]);
    let (_, sessions) = told(folder.path(), admin, &["sessions", "--json"]).await;
    let sessions: Value = serde_json::from_str(&sessions).unwrap();
    assert_eq!(sessions["sessions"][0]["username"], "bob");
    assert_eq!(sessions["sessions"][0]["address"], "127.0.0.1");
    let ana = &sessions["classic"][0];
    assert_eq!(
        (&ana["username"], &ana["room"], &ana["address"]),
        (&json!("ana"), &json!("café"), &json!("127.0.0.1"))
    );
    assert_eq!(sessions["sessions"].as_array().unwrap().len(), 1);
    assert!(!sessions.to_string().contains(bob.secret()));
    let nowhere = told(folder.path(), admin, &["members", "nowhere"]).await;
    assert_eq!(nowhere, (false, format!("chatd: http://{admin}: the room \"nowhere\" has no members")));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_kicked_is_told_and_may_come_again() {
    let folder = tempfile::tempdir().unwrap();
    let (running, admin) = start(folder.path());
    let server = running.address;
    let (mut eve, _) = v2::Session::enter(server, "lobby", "eve").await;
    eve.join("tea").await;
    let mut ana = Client::enter(server, "lobby", "ana").await;
    let (mut bob, _) = v2::Session::enter(server, "lobby", "bob").await;

    let said = told(folder.path(), admin, &["kick", "lobby", "bob"]).await;
    assert_eq!(said, (true, "removed \"bob\" from the room \"lobby\"".into()));
    let left = bob.next("left").await;
    assert_eq!((&left["room"], &left["reason"]), (&json!("lobby"), &json!("kicked")));
    // the session goes on: it is told that it is not in, and may join again
    bob.send(&json!({ "type": "send", "room": "lobby", "body": "hello?", "ref": "1" })).await;
    assert_eq!(bob.next_error().await["code"], "not_in_room");
    bob.join("lobby").await;
    bob.say("lobby", "I am back").await;

    // a classic member has only that room, and is shown out
    assert!(told(folder.path(), admin, &["kick", "lobby", "ana"]).await.0);
    assert_eq!(ana.closed().await, Some(4403));
    let mut ana = Client::enter(server, "lobby", "ana").await;
    ana.say("and me").await;
    eve.next("message").await;
    assert_eq!(eve.next("message").await["body"], "and me");

    let said = told(folder.path(), admin, &["kick", "lobby", "nobody"]).await;
    assert_eq!(
        said,
        (false, format!("chatd: http://{admin}: there is no member \"nobody\" in the room \"lobby\""))
    );

    let refused = told(folder.path(), admin, &["close-room", "lobby"]).await;
    let how = "add --yes to remove 3 members from the room \"lobby\", or --dry-run to see what would be done";
    assert_eq!(refused, (false, format!("chatd: nobody can be asked here: {how}")));
    let dry = told(folder.path(), admin, &["close-room", "lobby", "--dry-run"]).await;
    assert_eq!(dry, (true, "would remove 3 members from the room \"lobby\"".into()));
    assert_eq!(asked(admin, "GET", "/v1/rooms/lobby/members").await.json()["total"], 3);
    let said = told(folder.path(), admin, &["close-room", "lobby", "--yes"]).await;
    assert_eq!(said, (true, "closed the room \"lobby\": removed 3 members".into()));
    assert_eq!(eve.next("left").await["reason"], "room_closed");
    assert_eq!(ana.closed().await, Some(4403));
    eve.say("tea", "still here").await;
    assert_eq!(eve.join("lobby").await["member_count"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_said_before_a_kick_is_heard() {
    let folder = tempfile::tempdir().unwrap();
    let (running, admin) = start(folder.path());
    let (mut bob, _) = v2::Session::enter(running.address, "lobby", "bob").await;
    let mut ana = Client::enter(running.address, "lobby", "ana").await;
    for number in 0..200 {
        bob.send(&json!({ "type": "send", "room": "lobby", "body": format!("{number}") })).await;
    }
    // some of it is stored by now, some is on its way, some not yet read
    assert!(told(folder.path(), admin, &["kick", "lobby", "bob"]).await.0);
    let mut acked = 0;
    loop {
        let frame = bob.frame().await;
        match frame["type"].as_str() {
            Some("ack") => acked += 1,
            Some("left") => break,
            _ => {}
        }
    }
    let heard = ana.messages(acked).await;
    assert_eq!(heard.len(), acked);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closed_session_is_out_everywhere_and_cannot_be_resumed() {
    let folder = tempfile::tempdir().unwrap();
    let (running, admin) = start(folder.path());
    let (mut bob, _) = v2::Session::enter(running.address, "lobby", "bob").await;
    let secret = bob.secret().to_owned();
    let (_, sessions) = told(folder.path(), admin, &["sessions", "--json"]).await;
    let sessions: Value = serde_json::from_str(&sessions).unwrap();
    let id = sessions["sessions"][0]["session"].as_str().unwrap();
    assert_eq!(
        told(folder.path(), admin, &["close-session", id]).await,
        (true, format!("closed the session \"{id}\""))
    );
    let (bye, code) = bob.closed().await;
    assert_eq!((code, bye.unwrap()["reconnect"].clone()), (Some(4403), json!(false)));
    let said = told(folder.path(), admin, &["close-session", id]).await;
    assert_eq!(said, (false, format!("chatd: http://{admin}: there is no session \"{id}\"")));
    // the secret opens nothing any more: it is a new session, in no room
    let mut again =
        v2::Session::hello_with(running.address, json!({ "username": "bob", "resume": secret })).await;
    assert_eq!(again.join("lobby").await["member_count"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_notice_reaches_a_room_or_all_in_both_dialects() {
    let folder = tempfile::tempdir().unwrap();
    let (running, admin) = start(folder.path());
    let mut ana = Client::enter(running.address, "lobby", "ana").await;
    let (mut bob, _) = v2::Session::enter(running.address, "tea", "bob").await;
    assert_eq!(
        told(folder.path(), admin, &["notice", "back at ten"]).await,
        (true, "sent to 2 rooms".into())
    );
    let notice = bob.next("notice").await;
    assert_eq!((&notice["body"], &notice["level"]), (&json!("back at ten"), &json!("info")));
    let heard = async |client: &mut Client| loop {
        let event = client.event().await;
        if event["type"] == "chat_notice" {
            break event["message"].clone();
        }
    };
    assert_eq!(heard(&mut ana).await, "back at ten");
    let arguments = ["notice", "--room", "lobby", "--level", "warning", "only here"];
    assert_eq!(told(folder.path(), admin, &arguments).await, (true, "sent to 1 room".into()));
    assert_eq!(heard(&mut ana).await, "only here");
    let (ok, said) = told(folder.path(), admin, &["notice", ""]).await;
    assert_eq!((ok, said), (false, format!("chatd: http://{admin}: a notice must have 1 to 4096 bytes")));
}

#[tokio::test(flavor = "multi_thread")]
async fn all_members_of_a_room_are_listed_page_by_page() {
    let folder = tempfile::tempdir().unwrap();
    let (running, admin) = start(folder.path());
    let mut people = Vec::new();
    for n in 0..205 {
        people.push(v2::Session::enter(running.address, "lobby", &format!("p{n}")).await);
    }
    let members = async |arguments: &[&str]| {
        let (_, said) = told(folder.path(), admin, &[&["members", "lobby"], arguments].concat()).await;
        said
    };
    let first = members(&[]).await;
    assert_eq!(first.lines().count(), 1 + 100 + 1);
    assert!(first.ends_with("and 105 more (--all lists them)"), "{first}");
    let all: Value = serde_json::from_str(&members(&["--all", "--json"]).await).unwrap();
    let names: Vec<_> = all["members"].as_array().unwrap().iter().map(|m| m["username"].clone()).collect();
    assert_eq!(names, (0..205).map(|n| format!("p{n}")).collect::<Vec<_>>());
    assert_eq!(members(&["--all"]).await.lines().count(), 1 + 205);
}

#[tokio::test(flavor = "multi_thread")]
async fn usage_outlives_the_rooms_and_the_server() {
    let folder = tempfile::tempdir().unwrap();
    let (mut running, admin) = start(folder.path());
    let (mut ana, _) = v2::Session::enter(running.address, "café", "ana").await;
    let mut bob = Client::enter(running.address, "caf%C3%A9", "bob").await;
    ana.say("café", "héllo").await;
    ana.say("café", "again").await;
    bob.close(None).await;
    ana.join("tea").await;
    let rows = async |admin, arguments: &[&str]| {
        let (ok, said) = told(folder.path(), admin, &[&["usage", "--json"], arguments].concat()).await;
        assert!(ok, "{said}");
        let said: Value = serde_json::from_str(&said).unwrap();
        let row = |row: &Value| {
            format!("{} {} {} {}", row["room"], row["peak_members"], row["messages"], row["bytes"])
        };
        said["usage"].as_array().unwrap().iter().map(row).collect::<Vec<_>>()
    };
    // nothing was said in the other room
    assert_eq!(rows(admin, &[]).await, ["\"café\" 2 2 11"]);
    assert_eq!(rows(admin, &["--room", "tea"]).await, [""; 0]);
    assert_eq!(rows(admin, &["--to", "2020-01-01"]).await, [""; 0]);
    ana.say("tea", "counted at the end").await;
    running.signal(Signal::TERM);
    assert!(running.end_within(Duration::from_secs(10)).await.success());

    let (_again, admin) = start(folder.path());
    let (_, table) = told(folder.path(), admin, &["usage", "--from", "2020-01-01"]).await;
    let words: Vec<_> =
        table.lines().map(|line| line.split_whitespace().skip(1).collect::<Vec<_>>()).collect();
    assert_eq!(words[1..], [vec!["café", "2", "2", "11"], vec!["tea", "1", "1", "18"]]);
    let (ok, said) = told(folder.path(), admin, &["usage", "--from", "yesterday"]).await;
    let expected =
        format!("chatd: http://{admin}: \"yesterday\" is not a valid day; write it like 2026-11-28");
    assert_eq!((ok, said.as_str()), (false, expected.as_str()));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_somebody_said_is_exported_and_erased() {
    let folder = tempfile::tempdir().unwrap();
    let (running, admin) = start(folder.path());
    let (mut ana, _) = v2::Session::enter(running.address, "lobby", "ana").await;
    let (mut bob, _) = v2::Session::enter(running.address, "lobby", "bob").await;
    ana.join("tea").await;
    ana.say("lobby", "one").await;
    bob.say("lobby", "two").await;
    ana.say("tea", "three").await;
    let (_, said) = told(folder.path(), admin, &["export", "ana"]).await;
    let said: Vec<Value> = said.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let brief = |m: &Value| format!("{} {} {}", m["room"], m["seq"], m["body"]);
    assert_eq!(said.iter().map(brief).collect::<Vec<_>>(), ["\"lobby\" 1 \"one\"", "\"tea\" 1 \"three\""]);
    assert!(said[0]["id"].is_string() && said[0]["sent_at"].as_str().unwrap().ends_with('Z'));
    assert_eq!(told(folder.path(), admin, &["export", "nobody"]).await, (true, String::new()));

    let refused = told(folder.path(), admin, &["erase", "ana"]).await;
    let how = "add --yes to erase 2 messages of \"ana\" in 2 rooms, or --dry-run to see what would be done";
    assert_eq!(refused, (false, format!("chatd: nobody can be asked here: {how}")));
    let dry = told(folder.path(), admin, &["erase", "ana", "--dry-run"]).await;
    assert_eq!(dry, (true, "would erase 2 messages of \"ana\" in 2 rooms".into()));
    let (_, dry) = told(folder.path(), admin, &["erase", "ana", "--dry-run", "--json"]).await;
    assert_eq!(dry, r#"{"messages":2,"rooms":["lobby","tea"]}"#);
    assert_eq!(
        told(folder.path(), admin, &["erase", "ana", "--yes"]).await,
        (true, "2 messages of \"ana\" erased".into())
    );
    assert_eq!(told(folder.path(), admin, &["export", "ana"]).await, (true, String::new()));
    // who comes reads it nowhere, neither from the store nor from the room's own memory
    let bodies = |joined: &Value| {
        let messages = joined["messages"].as_array().unwrap().iter();
        messages.map(|m| (m["seq"].clone(), m["body"].clone(), m["erased"].clone())).collect::<Vec<_>>()
    };
    let expected = [(json!(1), json!(null), json!(true)), (json!(2), json!("two"), json!(null))];
    let mut eve = v2::Session::hello(running.address, "eve").await;
    let joined = eve.ask(json!({ "type": "join", "room": "lobby", "history": 50 })).await;
    assert_eq!(bodies(&joined), expected);
    let since = json!({ "epoch": joined["epoch"], "seq": 0 });
    let mut mia = v2::Session::hello(running.address, "mia").await;
    let joined = mia.ask(json!({ "type": "join", "room": "lobby", "since": since, "history": 50 })).await;
    assert_eq!(bodies(&joined), expected);
    ana.say("lobby", "more").await;
    assert_eq!(
        told(folder.path(), admin, &["erase", "ana", "--yes", "--json"]).await,
        (true, r#"{"messages":1,"next":null}"#.into())
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_database_file_nothing_is_told_that_is_not_kept() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("token"), TOKEN).unwrap();
    let arguments =
        ["--admin-listen", "127.0.0.1:0", "--admin-token-file", "token", "--database", ":memory:"];
    let running = Running::start(chatd(folder.path()).args(arguments));
    let (_ana, _) = v2::Session::enter(running.address, "lobby", "ana").await;
    let messages = "messages: that needs a database file (--database) and --history on";
    for (arguments, what) in [
        (&["usage"][..], "usage statistics: that needs a database file (--database)"),
        (&["export", "ana"], messages),
        (&["erase", "ana", "--yes"], messages),
    ] {
        let admin = running.admin.unwrap();
        let said = told(folder.path(), admin, arguments).await;
        assert_eq!(said, (false, format!("chatd: http://{admin}: this server does not store {what}")));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_not_there_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let (running, admin) = start(folder.path());
    drop(running);
    let (ok, said) = told(folder.path(), admin, &["rooms"]).await;
    assert!(!ok && said.starts_with(&format!("chatd: http://{admin} does not answer: ")), "{said}");
}

#[test]
fn the_description_in_docs_is_what_the_program_says() {
    let folder = tempfile::tempdir().unwrap();
    let said = chatd(folder.path()).args(["admin", "openapi"]).output().unwrap().stdout;
    let described: Value = serde_json::from_slice(&said).unwrap();
    let paths = described["paths"].as_object().unwrap().values();
    let ids: Vec<_> =
        paths.flat_map(|path| path.as_object().unwrap().values()).map(|one| &one["operationId"]).collect();
    let different: std::collections::HashSet<_> = ids.iter().map(|id| id.as_str().unwrap()).collect();
    assert_eq!((ids.len(), different.len()), (11, 11), "{ids:?}");
    let written = include_str!("../../../../docs/admin.openapi.json");
    assert!(
        said == written.as_bytes(),
        "docs/admin.openapi.json is out of date: `just configuration` writes it again"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_are_listed_with_the_address_that_a_trusted_proxy_reports() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = ["--admin-listen", "127.0.0.1:0", "--trusted-proxies", "127.0.0.1"];
    let running = Running::start(chatd(folder.path()).args(arguments).env("CHATD_ADMIN_TOKEN", TOKEN));
    let admin = running.admin.unwrap();
    std::fs::write(folder.path().join("token"), TOKEN).unwrap();
    let stream = tokio::net::TcpStream::connect(running.address).await.unwrap();
    let mut stream = tokio::io::BufStream::new(stream);
    let handshake = "GET /ws/chat/r/ana HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                     Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
                     X-Forwarded-For: 203.0.113.7\r\n\r\n";
    tokio::io::AsyncWriteExt::write_all(&mut stream, handshake.as_bytes()).await.unwrap();
    tokio::io::AsyncWriteExt::flush(&mut stream).await.unwrap();
    let mut status = String::new();
    tokio::io::AsyncBufReadExt::read_line(&mut stream, &mut status).await.unwrap();
    assert!(status.starts_with("HTTP/1.1 101 "), "{status}");
    let (_, table) = told(folder.path(), admin, &["sessions"]).await;
    let words: Vec<_> = table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>()).collect();
    assert_eq!(words.len(), 2, "{table}");
    assert_eq!(words[1][..4], ["classic", "-", "ana", "203.0.113.7"], "{table}");
    drop(stream);
    let is_gone = async || told(folder.path(), admin, &["sessions"]).await.1 == "no sessions";
    chat_testkit::until("its client has left", is_gone).await;
    assert_eq!(told(folder.path(), admin, &["rooms"]).await, (true, "no rooms".into()));
    assert_eq!(told(folder.path(), admin, &["rooms", "--json"]).await, (true, r#"{"rooms":[]}"#.into()));
}

/// What is set for the server counts for the command: it finds its server by itself.
#[tokio::test(flavor = "multi_thread")]
async fn the_command_asks_where_the_server_of_this_configuration_listens() {
    let folder = tempfile::tempdir().unwrap();
    let (_running, admin) = start(folder.path());
    let rooms = async |variables: &[(&str, &str)], arguments: &[&str]| {
        let mut command = chatd(folder.path());
        command.env_remove("CHATD_ADMIN_LISTEN").envs(variables.iter().copied());
        command.args(["admin", "rooms"]).args(arguments);
        process::told(command).await
    };
    let found = (true, "no rooms".to_owned());
    let (at, token) = (admin.to_string(), ("CHATD_ADMIN_TOKEN_FILE", "token"));
    assert_eq!(rooms(&[token, ("CHATD_ADMIN_LISTEN", &at)], &[]).await, found, "the environment");
    assert_eq!(rooms(&[token], &["--admin-listen", &at]).await, found, "the server's own flag");
    let file = format!("admin-listen = '{admin}'\nadmin-token-file = 'token'\nmessage-rate = 5\n");
    std::fs::write(folder.path().join("chatd.toml"), file).unwrap();
    assert_eq!(rooms(&[], &[]).await, found, "the configuration file");
    std::fs::rename(folder.path().join("chatd.toml"), folder.path().join("other.toml")).unwrap();
    assert_eq!(rooms(&[], &["--config", "other.toml"]).await, found, "a configuration file that is named");
    let dotenv = format!("CHATD_ADMIN_LISTEN={admin}\nCHATD_ADMIN_TOKEN_FILE=token\nCHATD_ADMIN_URL=\n");
    std::fs::write(folder.path().join(".env"), dotenv).unwrap();
    assert_eq!(rooms(&[], &[]).await, found, ".env");

    for (arguments, expected) in [
        (&["--admin-listen", "off"][..], "the server has no admin listener".to_owned()),
        (
            &["--token", "another-token-of-16", "--token-file", "off"],
            format!(
                "the server at http://{admin} did not accept the token: name a file with its token by --token-file"
            ),
        ),
        (&["--token-file", "off"], format!("the server at http://{admin} needs a token")),
        (
            &["--url", "ftp://ana:secret@host/x"],
            "ftp://host is not the URL of an admin listener: expected http://HOST:PORT".to_owned(),
        ),
    ] {
        let (ok, said) = rooms(&[], arguments).await;
        assert!(!ok && said.starts_with(&format!("chatd: {expected}")), "{said}");
    }
}

/// On a terminal the person is asked; script(1) makes one.
#[tokio::test(flavor = "multi_thread")]
async fn on_a_terminal_an_act_that_cannot_be_undone_is_confirmed() {
    let folder = tempfile::tempdir().unwrap();
    let (running, admin) = start(folder.path());
    let (mut ana, _) = v2::Session::enter(running.address, "lobby", "ana").await;
    ana.say("lobby", "one").await;
    let erase = async |answer: &str| {
        let program = chatd(folder.path()).get_program().to_string_lossy().into_owned();
        let line = format!("{program} admin erase ana --url http://{admin} --token-file token");
        let mut command = process::chatd_at(Path::new("script"), folder.path());
        command.args(["--quiet", "--return", "--echo", "never", "--command", &line, "/dev/null"]);
        command.stdin(std::process::Stdio::piped());
        let mut child = command.spawn().ok()?;
        std::io::Write::write_all(child.stdin.as_mut().unwrap(), format!("{answer}\n").as_bytes()).unwrap();
        let output = tokio::task::spawn_blocking(move || child.wait_with_output().unwrap()).await.unwrap();
        Some((output.status.success(), String::from_utf8(output.stdout).unwrap()))
    };
    let Some((ok, said)) = erase("n").await else {
        assert!(std::env::var_os("CI").is_none(), "script(1) is not here");
        return println!("script(1) is not here: skipped");
    };
    let question = "This will erase 1 message of \"ana\" in 1 room. It can't be undone. Go on? [y/N] ";
    assert!(!ok && said.contains(question) && said.contains("chatd: nothing was done"), "{said}");
    assert!(told(folder.path(), admin, &["export", "ana"]).await.1.contains("one"));
    let (ok, said) = erase("y").await.unwrap();
    assert!(ok && said.contains("1 message of \"ana\" erased"), "{said}");
    assert_eq!(told(folder.path(), admin, &["export", "ana"]).await, (true, String::new()));
}
