//! A database of an older version.

use chat_testkit::v2::Session;
use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use serde_json::json;

use crate::process::{Running, chatd};

/// Written by the version before messages had the id of their author: see the README beside it.
const BEFORE: &str = include_str!("../../../../crates/chat-history/tests/fixtures/before_identity.sql");
const EPOCH: &str = "25925c421e3ca4c3";

/// The numbers and the epoch are those of before, so a client that was connected to the old version
/// goes on where it was.
#[tokio::test(flavor = "multi_thread")]
async fn a_client_keeps_its_cursor_over_the_upgrade() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("chatd.sqlite3");
    let mut file = SqliteConnection::establish(path.to_str().unwrap()).unwrap();
    file.batch_execute(BEFORE).unwrap();
    let seal: String =
        diesel::select(diesel::dsl::sql::<diesel::sql_types::Text>("(SELECT seal FROM database_seal)"))
            .get_result(&mut file)
            .unwrap();
    drop(file);
    std::fs::write(folder.path().join("chatd.sqlite3.lock"), seal).unwrap();

    let server = Running::start(&mut chatd(folder.path()));
    let mut ana = Session::hello(server.address, "ana").await;
    let join = json!({"type": "join", "room": "lobby", "since": {"epoch": EPOCH, "seq": 2}});
    let joined = ana.ask(join).await;
    assert_eq!(
        (&joined["epoch"], &joined["recovered"], &joined["seq"]),
        (&json!(EPOCH), &json!(true), &json!(4))
    );
    let [erased, newest] = &joined["messages"].as_array().unwrap()[..] else { panic!("{joined}") };
    let expected =
        json!({"seq": 3, "sent_at": erased["sent_at"], "deleted": true, "by": "operator", "changed_seq": 3});
    assert_eq!(*erased, expected);
    assert_eq!((&newest["seq"], &newest["from"], &newest["user"]), (&json!(4), &json!("ana"), &json!("g_0")));
    assert_eq!(joined["changed"], json!([]));
    // and the numbers go on
    assert_eq!(ana.send_message("lobby", "next").await, 5);
}
