use chat_server::Config;
use chat_testkit::http::look_up;
use chat_testkit::v2::Session;
use chat_testkit::{Client, handshake, path};
use serde_json::json;

use super::{User, end, refused};
use crate::support::{config, start_with_accounts};

/// Names that look like "ana", and how the look-up's path has them.
const LIKE_ANA: [&str; 5] = ["ana", "Ana", "ANA", "аna", "ａｎａ"];

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_can_have_no_registered_name_and_none_that_looks_like_it() {
    let server = start_with_accounts(config()).await;
    let ana = User::register(server.address, "ana").await;
    for name in LIKE_ANA {
        let (answer, mut session) = refused(server.address, json!({"username": name})).await;
        assert_eq!(answer["code"], "name_reserved", "{name}");
        // the connection stays open for another name, and for the owner
        session.send(&json!({"type": "join", "room": "lobby"})).await;
        assert_eq!(session.frame().await["code"], "hello_first");
        session.send(&json!({"type": "hello", "token": ana.token})).await;
        assert_eq!(session.frame().await["type"], "welcome");

        let refused = Client::open(server.address, &handshake(&path("lobby", name))).await.unwrap_err();
        assert_eq!(refused.status, 403, "{name}");
        let encoded: String = name.bytes().map(|byte| format!("%{byte:02X}")).collect();
        assert!(look_up(server.address, "lobby", &encoded).await, "{name}");
    }
    Session::hello(server.address, "anna").await;
    Client::enter(server.address, "lobby", "anna").await;
    assert!(!look_up(server.address, "lobby", "bob").await);
    server.stop().await.unwrap();
}

/// A guest whose name was free when it was checked, and is taken before it is welcome.
#[tokio::test(flavor = "multi_thread")]
async fn a_guest_that_slips_in_while_its_name_is_registered_is_ended() {
    let server = start_with_accounts(config()).await;
    for round in 0..20 {
        let name = format!("user{round}");
        let new = chat_accounts::NewAccount::new(name.parse().unwrap(), chat_protocol::Timestamp::now());
        let creating = server.control.create_account(new);
        let joining = async {
            let mut session = Session::without_hello(server.address).await;
            session.send(&json!({"type": "hello", "username": name})).await;
            let answer = session.frame().await;
            match answer["type"].as_str() {
                Some("welcome") => assert_eq!(end(&mut session).await, (true, 4401)),
                _ => assert_eq!(answer["code"], "name_reserved"),
            }
        };
        let (created, ()) = tokio::join!(creating, joining);
        created.unwrap();
    }
    server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_may_admit_no_guests() {
    let server = start_with_accounts(Config { guests: false, ..config() }).await;
    let (answer, mut session) = refused(server.address, json!({"username": "bob"})).await;
    assert_eq!(answer["code"], "unauthorized");
    assert_eq!(end(&mut session).await, (false, 4401));
    let refused = Client::open(server.address, &handshake(&path("lobby", "bob"))).await.unwrap_err();
    assert_eq!(refused.status, 403);
    let ana = User::register(server.address, "ana").await;
    ana.hello(server.address).await.join("lobby").await;
    server.stop().await.unwrap();
}
