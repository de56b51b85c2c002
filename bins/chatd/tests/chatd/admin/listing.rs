//! Lists of rooms, members and clients.

use chat_testkit::{Client, v2};
use serde_json::{Value, json};

use super::{TOKEN, run_admin, start_server};
use crate::process::{Running, chatd};

#[tokio::test(flavor = "multi_thread")]
async fn rooms_members_and_sessions_are_listed() {
    let folder = tempfile::tempdir().unwrap();
    let (running, admin) = start_server(folder.path());
    let _ana = Client::enter(running.address, "caf%C3%A9", "ana").await;
    let (bob, _) = v2::Session::enter(running.address, "café", "bob").await;
    let (ok, rooms) = run_admin(folder.path(), admin, &["rooms"]).await;
    assert_eq!(
        (ok, rooms.split_whitespace().collect::<Vec<_>>()),
        (true, vec!["room", "members", "café", "2"])
    );
    let (_, members) = run_admin(folder.path(), admin, &["members", "café", "--json"]).await;
    let members: Value = serde_json::from_str(&members).unwrap();
    assert_eq!(members["total"], 2);
    let names: Vec<_> =
        members["members"].as_array().unwrap().iter().map(|member| &member["username"]).collect();
    assert_eq!(names, ["ana", "bob"]);
    let (_, sessions) = run_admin(folder.path(), admin, &["sessions", "--json"]).await;
    let sessions: Value = serde_json::from_str(&sessions).unwrap();
    assert_eq!(sessions["sessions"][0]["username"], "bob");
    assert_eq!(sessions["sessions"][0]["address"], "127.0.0.1");
    let ana = &sessions["classic"][0];
    assert_eq!(
        (&ana["username"], &ana["room"], &ana["address"]),
        (&json!("ana"), &json!("café"), &json!("127.0.0.1"))
    );
    assert_eq!(sessions["sessions"].as_array().unwrap().len(), 1);
    assert_eq!(sessions["sessions"][0]["user"], bob.user());
    assert!(!sessions.to_string().contains(bob.guest_token()));
    let nowhere = run_admin(folder.path(), admin, &["members", "nowhere"]).await;
    assert_eq!(nowhere, (false, format!("chatd: http://{admin}: the room \"nowhere\" has no members")));
}

#[tokio::test(flavor = "multi_thread")]
async fn all_members_of_a_room_are_listed_page_by_page() {
    let folder = tempfile::tempdir().unwrap();
    let (running, admin) = start_server(folder.path());
    let mut sessions = Vec::new();
    for n in 0..205 {
        sessions.push(v2::Session::enter(running.address, "lobby", &format!("p{n}")).await);
    }
    let members = async |arguments: &[&str]| {
        let (_, output) = run_admin(folder.path(), admin, &[&["members", "lobby"], arguments].concat()).await;
        output
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
    let (_, table) = run_admin(folder.path(), admin, &["sessions"]).await;
    let words: Vec<_> = table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>()).collect();
    assert_eq!(words.len(), 2, "{table}");
    assert_eq!(words[1][..3], ["classic", "-", "ana"], "{table}");
    assert!(words[1][3].starts_with("g_"), "{table}");
    assert_eq!(words[1][4], "203.0.113.7", "{table}");
    drop(stream);
    let is_gone = async || run_admin(folder.path(), admin, &["sessions"]).await.1 == "no sessions";
    chat_testkit::until("its client has left", is_gone).await;
    assert_eq!(run_admin(folder.path(), admin, &["rooms"]).await, (true, "no rooms".into()));
    assert_eq!(run_admin(folder.path(), admin, &["rooms", "--json"]).await, (true, r#"{"rooms":[]}"#.into()));
}
