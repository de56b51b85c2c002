//! Usage statistics, and the messages of a user: export and erasure.

use std::time::Duration;

use chat_testkit::{Client, v2};
use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use rustix::process::Signal;
use serde_json::{Value, json};

use super::{TOKEN, run_admin, start_server};
use crate::process::{Running, chatd};

#[tokio::test(flavor = "multi_thread")]
async fn usage_outlives_the_rooms_and_the_server() {
    let folder = tempfile::tempdir().unwrap();
    let (mut running, admin) = start_server(folder.path());
    let (mut ana, _) = v2::Session::enter(running.address, "café", "ana").await;
    let mut bob = Client::enter(running.address, "caf%C3%A9", "bob").await;
    ana.send_message("café", "héllo").await;
    ana.send_message("café", "again").await;
    bob.close(None).await;
    ana.join("tea").await;
    let rows = async |admin, arguments: &[&str]| {
        let (ok, output) = run_admin(folder.path(), admin, &[&["usage", "--json"], arguments].concat()).await;
        assert!(ok, "{output}");
        let output: Value = serde_json::from_str(&output).unwrap();
        let row = |row: &Value| {
            format!("{} {} {} {}", row["room"], row["peak_members"], row["messages"], row["bytes"])
        };
        output["usage"].as_array().unwrap().iter().map(row).collect::<Vec<_>>()
    };
    // there are no messages in the other room
    assert_eq!(rows(admin, &[]).await, ["\"café\" 2 2 11"]);
    assert_eq!(rows(admin, &["--room", "tea"]).await, [""; 0]);
    assert_eq!(rows(admin, &["--to", "2020-01-01"]).await, [""; 0]);
    ana.send_message("tea", "counted at the end").await;
    running.signal(Signal::TERM);
    assert!(running.end_within(Duration::from_secs(10)).await.success());

    let (_again, admin) = start_server(folder.path());
    let (_, table) = run_admin(folder.path(), admin, &["usage", "--from", "2020-01-01"]).await;
    let words: Vec<_> =
        table.lines().map(|line| line.split_whitespace().skip(1).collect::<Vec<_>>()).collect();
    assert_eq!(words[1..], [vec!["café", "2", "2", "11"], vec!["tea", "1", "1", "18"]]);
    let (ok, output) = run_admin(folder.path(), admin, &["usage", "--from", "yesterday"]).await;
    let expected =
        format!("chatd: http://{admin}: \"yesterday\" is not a valid day; write it like 2026-11-28");
    assert_eq!((ok, output.as_str()), (false, expected.as_str()));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_messages_of_a_user_are_exported_and_erased() {
    let folder = tempfile::tempdir().unwrap();
    let (running, admin) = start_server(folder.path());
    let (mut ana, _) = v2::Session::enter(running.address, "lobby", "ana").await;
    let (mut bob, _) = v2::Session::enter(running.address, "lobby", "bob").await;
    ana.join("tea").await;
    ana.send_message("lobby", "one").await;
    bob.send_message("lobby", "two").await;
    ana.send_message("tea", "three").await;
    let react = json!({ "type": "react", "room": "lobby", "target": 2, "emoji": "🎉", "on": true });
    assert_eq!(ana.ask(react).await["type"], "ack");
    let user = ana.user().to_owned();
    let (_, output) = run_admin(folder.path(), admin, &["export", &user]).await;
    let output: Vec<Value> = output.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let brief = |m: &Value| format!("{} {} {} {}", m["room"], m["seq"], m["username"], m["body"]);
    let expected = ["\"lobby\" 1 \"ana\" \"one\"", "\"tea\" 1 \"ana\" \"three\""];
    assert_eq!(output[..2].iter().map(brief).collect::<Vec<_>>(), expected);
    let reaction = json!({ "room": "lobby", "seq": 2, "username": "ana", "emoji": "🎉" });
    assert_eq!(output[2..], [reaction]);
    assert!(output[0]["id"].is_string() && output[0]["sent_at"].as_str().unwrap().ends_with('Z'));
    // a name is not the id of a user
    for nobody in ["nobody", "ana"] {
        assert_eq!(run_admin(folder.path(), admin, &["export", nobody]).await, (true, String::new()));
    }
    let under = async |name: &str| {
        let (ok, output) = run_admin(folder.path(), admin, &["export", &user, "--username", name]).await;
        assert!(ok, "{output}");
        output.lines().count()
    };
    assert_eq!((under("ana").await, under("bob").await), (3, 0));

    let refused = run_admin(folder.path(), admin, &["erase", &user]).await;
    let how = format!(
        "add --yes to erase 2 messages and 1 reaction of {user:?} in 2 rooms, or --dry-run to see what would be done"
    );
    assert_eq!(refused, (false, format!("chatd: nobody can be asked here: {how}")));
    let dry = run_admin(folder.path(), admin, &["erase", &user, "--dry-run"]).await;
    assert_eq!(dry, (true, format!("would erase 2 messages and 1 reaction of {user:?} in 2 rooms")));
    let (_, dry) = run_admin(folder.path(), admin, &["erase", &user, "--dry-run", "--json"]).await;
    assert_eq!(dry, r#"{"messages":2,"reactions":1,"reports":0,"rooms":["lobby","tea"]}"#);
    assert_eq!(
        run_admin(folder.path(), admin, &["erase", &user, "--username", "bob", "--yes"]).await,
        (true, format!("erased 0 messages and 0 reactions of {user:?} under the name \"bob\""))
    );
    assert_eq!(
        run_admin(folder.path(), admin, &["erase", &user, "--yes"]).await,
        (true, format!("erased 2 messages and 1 reaction of {user:?}"))
    );
    assert_eq!(run_admin(folder.path(), admin, &["export", &user]).await, (true, String::new()));
    assert_eq!(bob.next("reactions").await["changes"][0]["count"], 1);
    assert_eq!(bob.next("reactions").await["changes"][0]["count"], 0);
    // a new member does not get it, neither from the store nor from the memory of the room
    let bodies = |joined: &Value| {
        let messages = joined["messages"].as_array().unwrap().iter();
        messages.map(|m| (m["seq"].clone(), m["body"].clone(), m["deleted"].clone())).collect::<Vec<_>>()
    };
    let expected = [(json!(1), json!(null), json!(true)), (json!(2), json!("two"), json!(null))];
    let mut eve = v2::Session::hello(running.address, "eve").await;
    let joined = eve.ask(json!({ "type": "join", "room": "lobby", "history": 50 })).await;
    assert_eq!(bodies(&joined), expected);
    let since = json!({ "epoch": joined["epoch"], "seq": 0 });
    let mut mia = v2::Session::hello(running.address, "mia").await;
    let joined = mia.ask(json!({ "type": "join", "room": "lobby", "since": since, "history": 50 })).await;
    assert_eq!(bodies(&joined), expected);
    ana.send_message("lobby", "more").await;
    assert_eq!(
        run_admin(folder.path(), admin, &["erase", &user, "--yes", "--json"]).await,
        (true, r#"{"messages":1,"reactions":0,"reports":0}"#.into())
    );
}

/// What the operator erases is recorded first, and the copies in reports are erased with it.
#[tokio::test(flavor = "multi_thread")]
async fn an_erasure_is_recorded_and_reaches_the_texts_of_reports() {
    let folder = tempfile::tempdir().unwrap();
    let (mut running, admin) = start_server(folder.path());
    let (mut eve, _) = v2::Session::enter(running.address, "lobby", "eve").await;
    let (mut bob, _) = v2::Session::enter(running.address, "lobby", "bob").await;
    bob.join("tea").await;
    eve.join("tea").await;
    eve.send_message("lobby", "a secret that eve regrets").await;
    eve.send_message("tea", "another secret that eve regrets").await;
    bob.send_message("lobby", "bob stands by this").await;
    let done = async |session: &mut v2::Session, command: Value| {
        let answer = session.ask(command.clone()).await;
        assert!(["ack", "done"].contains(&answer["type"].as_str().unwrap()), "{command}: {answer}");
    };
    done(&mut bob, json!({ "type": "report", "room": "lobby", "target": 1, "reason": "rude" })).await;
    done(&mut bob, json!({ "type": "report", "room": "tea", "target": 1 })).await;
    done(&mut eve, json!({ "type": "report", "room": "lobby", "target": 2 })).await;
    done(&mut eve, json!({ "type": "react", "room": "lobby", "target": 2, "emoji": "🎉", "on": true })).await;
    // what its author deletes stays for the moderators
    done(&mut eve, json!({ "type": "delete", "room": "tea", "target": 1 })).await;
    let json_of = async |arguments: &[&str]| {
        let (ok, output) = run_admin(folder.path(), admin, &[arguments, &["--json"]].concat()).await;
        assert!(ok, "{output}");
        serde_json::from_str::<Value>(&output).unwrap()
    };
    let bodies = async || {
        let reports = json_of(&["reports"]).await["reports"].take();
        reports.as_array().unwrap().iter().map(|report| report.get("body").cloned()).collect::<Vec<_>>()
    };
    let text = |text: &str| Some(json!(text));
    let kept = text("bob stands by this");
    let (first, second) = (text("a secret that eve regrets"), text("another secret that eve regrets"));
    assert_eq!(bodies().await, [kept.clone(), second, first]);
    assert_eq!(json_of(&["audit"]).await["records"], json!([]));

    let user = eve.user().to_owned();
    let (_, dry) = run_admin(folder.path(), admin, &["erase", &user, "--dry-run"]).await;
    let what = format!("erase 1 message and 1 reaction of {user:?} in 1 room, and the text of 2 reports");
    assert_eq!(dry, format!("would {what}"));
    let (_, erased) = run_admin(folder.path(), admin, &["erase", &user, "--yes"]).await;
    assert_eq!(erased, format!("erased 1 message and 1 reaction of {user:?}, and the text of 2 reports"));
    assert_eq!(bodies().await, [kept, None, None]);
    let (_, table) = run_admin(folder.path(), admin, &["reports"]).await;
    assert_eq!(table.matches("(erased)").count(), 2, "{table}");
    assert!(table.contains("rude"), "the report stays: {table}");

    let log = json_of(&["audit"]).await["records"].take();
    let brief = |record: &Value| {
        assert_eq!((record.get("by"), &record["target"]["user"]), (None, &json!(user)), "{record}");
        format!("{} {} {}", record["act"], record["room"], record["message"])
    };
    assert_eq!(
        log.as_array().unwrap().iter().rev().map(brief).collect::<Vec<_>>(),
        [
            r#""erase_messages" "lobby" null"#,
            r#""erase_report" "lobby" 1"#,
            r#""erase_report" "tea" 2"#,
            r#""erase_reactions" "lobby" null"#,
        ]
    );
    // nothing is left to erase, and nothing is recorded
    run_admin(folder.path(), admin, &["erase", &user, "--yes"]).await;
    assert_eq!(json_of(&["audit"]).await["records"], log);

    running.signal(Signal::TERM);
    assert!(running.end_within(Duration::from_secs(10)).await.success());
    let mut holds_kept = false;
    for file in std::fs::read_dir(folder.path()).unwrap() {
        let path = file.unwrap().path();
        let bytes = std::fs::read(&path).unwrap();
        let holds = |text: &str| bytes.windows(text.len()).any(|window| window == text.as_bytes());
        assert!(!holds("secret that eve regrets"), "{}", path.display());
        holds_kept |= holds("bob stands by this");
    }
    assert!(holds_kept);
}

/// The messages from before users had ids are exported and erased by name.
#[tokio::test(flavor = "multi_thread")]
async fn messages_of_an_unknown_user_are_erased_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let (mut running, admin) = start_server(folder.path());
    let (mut ana, _) = v2::Session::enter(running.address, "lobby", "ana").await;
    let (mut bob, _) = v2::Session::enter(running.address, "lobby", "bob").await;
    ana.send_message("lobby", "one").await;
    bob.send_message("lobby", "two").await;
    let refused = run_admin(folder.path(), admin, &["erase", "g_0", "--yes"]).await;
    let expected = format!("chatd: http://{admin}: \"g_0\" stands for several senders; add username");
    assert_eq!(refused, (false, expected));
    running.signal(Signal::TERM);
    assert!(running.end_within(Duration::from_secs(10)).await.success());

    // as the migration leaves messages that are older than it
    let database = folder.path().join("chatd.sqlite3");
    let mut connection = SqliteConnection::establish(database.to_str().unwrap()).unwrap();
    connection.batch_execute("UPDATE messages SET user = 'g_0'").unwrap();
    drop(connection);
    let (_again, admin) = start_server(folder.path());
    let names = async || {
        let (_, output) = run_admin(folder.path(), admin, &["export", "g_0"]).await;
        let name = |line: &str| serde_json::from_str::<Value>(line).unwrap()["username"].clone();
        output.lines().map(name).collect::<Vec<_>>()
    };
    assert_eq!(names().await, ["ana", "bob"]);
    assert_eq!(
        run_admin(folder.path(), admin, &["erase", "g_0", "--username", "ana", "--yes"]).await,
        (true, "erased 1 message and 0 reactions of \"g_0\" under the name \"ana\"".into())
    );
    assert_eq!(names().await, ["bob"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_database_file_usage_and_messages_are_refused() {
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
        let output = run_admin(folder.path(), admin, arguments).await;
        assert_eq!(output, (false, format!("chatd: http://{admin}: this server does not store {what}")));
    }
}
