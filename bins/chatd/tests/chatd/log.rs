//! What stands in the log, and what never does.

use chat_testkit::{Client, v2};
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::process::{Running, chatd};

/// Nothing of what people say has this in it, but for what they say here.
const CANARY: &str = "canary-7d1f";

#[tokio::test(flavor = "multi_thread")]
async fn elsewhere_than_on_a_terminal_a_line_is_json_with_who_where_and_why() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = chatd(folder.path());
    let mut chatd =
        Running::start(command.env_remove("CHATD_LOG_FORMAT").args(["--log", "chat_server=debug"]));
    let mut ana = Client::enter(chatd.address, "lobby", "ana").await;
    ana.close(Some(1000)).await;
    ana.closed().await;
    let (mut bob, _) = v2::Session::enter(chatd.address, "lobby", "bob").await;
    bob.send(&json!({ "type": "hello", "username": "bob" })).await;
    drop(bob);
    let log = chatd.log_up_to("1006");
    let lines: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).expect(line)).collect();
    let closed = |username: &str| {
        let is = |line: &&Value| line["username"] == username && line["message"] == "closed";
        lines.iter().find(is).unwrap_or_else(|| panic!("{username} has not closed in {log}")).clone()
    };
    let ana = closed("ana");
    assert_eq!((&ana["room"], &ana["code"], &ana["by"]), (&json!("lobby"), &json!(1000), &json!("client")));
    assert!(ana["connection"].as_str().is_some_and(|id| !id.is_empty()));
    assert_eq!(
        (&ana["level"], &ana["target"]),
        (&json!("DEBUG"), &json!("chat_server::connection::classic"))
    );
    let bob = closed("bob");
    assert_eq!((&bob["rooms"], &bob["code"]), (&json!(1), &json!(1006)));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_people_say_and_what_lets_them_in_is_in_no_line() {
    for format in ["text", "json"] {
        let folder = tempfile::tempdir().unwrap();
        let arguments = ["--log", "trace", "--log-format", format, "--admin-listen", "127.0.0.1:0"];
        let mut chatd = Running::start(chatd(folder.path()).args(arguments));
        let mut ana = Client::enter(chatd.address, "lobby", "ana").await;
        ana.say(CANARY).await;
        ana.messages(1).await;
        ana.send(&format!("{{\"type\": \"{CANARY}\", {CANARY}")).await;
        let (mut bob, _) = v2::Session::enter(chatd.address, "lobby", "bob").await;
        bob.say("lobby", CANARY).await;
        bob.send(&json!({ "type": CANARY })).await;
        bob.send(&json!({ "type": "send", "room": "lobby", "body": [CANARY] })).await;
        let secret = bob.secret().to_owned();
        let mut again =
            v2::Session::hello_with(chatd.address, json!({ "username": "bob", "resume": secret })).await;
        again.ask(json!({ "type": "history", "room": "lobby" })).await;
        let secrets = [secret, again.secret().to_owned()];
        drop((ana, bob, again));
        chatd.signal(Signal::TERM);
        let log = chatd.log_up_to("ended");
        assert!(log.contains("closed"), "{log}");
        for what in [CANARY, &secrets[0], &secrets[1]] {
            let line = log.lines().find(|line| line.contains(what));
            assert_eq!(line, None, "the log has {what}");
        }
    }
}
