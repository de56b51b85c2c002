use chat_testkit::http::request;
use chat_testkit::v2::Session;
use futures::future::{join, join_all};
use serde_json::json;

use super::{PASSWORD, User, credentials, end, post, refused};
use crate::support::{config, start_with_accounts};

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_account_is_gone_and_its_name_is_kept() {
    let server = start_with_accounts(config()).await;
    let ana = User::register(server.address, "ana").await;
    let mut session = ana.hello(server.address).await;
    session.join("lobby").await;
    session.send_message("lobby", "stays").await;
    let (mut bob, _) = Session::enter(server.address, "lobby", "bob").await;
    for body in [json!({}), json!({"password": "wrong horse"})] {
        assert_eq!(ana.send(server.address, "DELETE", "me", &body).await.status, 401, "{body}");
    }
    let deleted = ana.send(server.address, "DELETE", "me", &json!({"password": PASSWORD})).await;
    assert_eq!(deleted.status, 204);
    assert_eq!(end(&mut session).await, (false, 4401));
    assert_eq!(ana.get(server.address, "me").await.status, 401);
    assert_eq!(request(server.address, "GET", "/api/v1/users/ana", &[]).await.status, 404);
    let again = post(server.address, "accounts", None, &credentials("ana", PASSWORD)).await;
    assert_eq!((again.status, again.json()["code"].as_str()), (409, Some("name_reserved")));
    assert_eq!(refused(server.address, json!({"username": "Ana"})).await.0["code"], "name_reserved");
    let page = bob.ask(json!({"type": "history", "room": "lobby"})).await;
    assert_eq!(page["messages"][0]["body"], "stays");
    server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_messages_of_a_deleted_account_are_erased_if_asked_for() {
    let server = start_with_accounts(config()).await;
    let secret = chat_testkit::v2::guest_token();
    let mut guest = Session::hello_as(server.address, "ana", &secret).await;
    guest.join("lobby").await;
    guest.send_message("lobby", "as a guest").await;
    let mut body = credentials("ana", PASSWORD);
    body["guest_token"] = secret.into();
    let ana = User::of(&post(server.address, "accounts", None, &body).await);
    let mut session = ana.hello(server.address).await;
    session.join("lobby").await;
    session.send_message("lobby", "as a user").await;
    let (mut bob, _) = Session::enter(server.address, "lobby", "bob").await;
    bob.send_message("lobby", "bob's").await;
    let body = json!({"password": PASSWORD, "erase_messages": true});
    assert_eq!(ana.send(server.address, "DELETE", "me", &body).await.status, 204);
    let mut targets = Vec::new();
    while targets.len() < 2 {
        let deleted = bob.next("deleted").await;
        assert_eq!(deleted["by"], "author");
        targets.extend(deleted["targets"].as_array().unwrap().iter().map(|seq| seq.as_u64().unwrap()));
    }
    targets.sort_unstable();
    assert_eq!(targets, [1, 2]);
    let page = bob.ask(json!({"type": "history", "room": "lobby"})).await;
    let kept: Vec<_> =
        page["messages"].as_array().unwrap().iter().filter_map(|m| m["body"].as_str()).collect();
    assert_eq!(kept, ["bob's"]);
    server.stop().await.unwrap();
}

/// A report keeps its copy of the text, unless the author leaves with all that it wrote.
#[tokio::test(flavor = "multi_thread")]
async fn the_texts_of_reports_are_erased_with_the_messages_of_a_deleted_account() {
    let server = start_with_accounts(config()).await;
    let [owner, ana, bob] = ["owner", "ana", "bob"].map(|name| User::register(server.address, name));
    let (owner, ana, bob) = (owner.await, ana.await, bob.await);
    let mut moderator = owner.hello(server.address).await;
    moderator.join("lobby").await;
    moderator.ask(json!({"type": "create_room", "room": "lobby"})).await;
    for user in [&ana, &bob] {
        let mut session = user.hello(server.address).await;
        session.join("lobby").await;
        for _ in 0..2 {
            let target = session.send_message("lobby", "buy this").await;
            let report = json!({"type": "report", "room": "lobby", "target": target});
            assert_eq!(moderator.ask(report).await["type"], "done");
        }
        // one of them is deleted
        let delete = json!({"type": "delete", "room": "lobby", "target": 1});
        session.ask(delete).await;
    }
    for (user, erases) in [(&ana, true), (&bob, false)] {
        let body = json!({"password": PASSWORD, "erase_messages": erases});
        assert_eq!(user.send(server.address, "DELETE", "me", &body).await.status, 204);
    }
    let page = moderator.ask(json!({"type": "reports", "room": "lobby"})).await;
    let texts: Vec<_> = page["reports"].as_array().unwrap().iter().rev().map(|r| r.get("body")).collect();
    let kept = json!("buy this");
    assert_eq!(texts, [None, None, Some(&kept), Some(&kept)]);
    let log = moderator.ask(json!({"type": "audit", "room": "lobby"})).await;
    let records = log["records"].as_array().unwrap().iter().rev();
    let records: Vec<_> = records.map(|r| format!("{} {} {}", r["by"], r["act"], r["target"])).collect();
    assert_eq!(
        records,
        [r#""owner" "register" null"#, r#""ana" "erase_report" 1"#, r#""ana" "erase_report" 2"#,]
    );
    server.stop().await.unwrap();
}

/// Reports that are made while messages are erased have no text afterwards.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_report_keeps_a_text_that_is_erased_meanwhile() {
    const MESSAGES: u64 = 20;
    let server = start_with_accounts(config()).await;
    let owner = User::register(server.address, "owner").await;
    let mut moderator = owner.hello(server.address).await;
    moderator.join("lobby").await;
    moderator.ask(json!({"type": "create_room", "room": "lobby"})).await;
    let ana = User::register(server.address, "ana").await;
    let mut session = ana.hello(server.address).await;
    session.join("lobby").await;
    for _ in 0..MESSAGES {
        session.send_message("lobby", "buy this").await;
    }
    let reporters = (0..10).map(|number| async move {
        let (mut gus, _) = Session::enter(server.address, "lobby", &format!("gus{number}")).await;
        for target in 1..=MESSAGES {
            // a password is verified first, so most of them are made before the erasure
            gus.ask(json!({"type": "report", "room": "lobby", "target": target})).await;
        }
    });
    let body = json!({"password": PASSWORD, "erase_messages": true});
    let (deleted, _) = join(ana.send(server.address, "DELETE", "me", &body), join_all(reporters)).await;
    assert_eq!(deleted.status, 204);
    let mut reports = json!({"type": "reports", "room": "lobby", "limit": 100});
    loop {
        let page = moderator.ask(reports.clone()).await;
        for report in page["reports"].as_array().unwrap() {
            assert_eq!(report.get("body"), None, "{report}");
            reports["before"] = report["number"].clone();
        }
        if page["more"] == false {
            break;
        }
    }
    server.stop().await.unwrap();
}
