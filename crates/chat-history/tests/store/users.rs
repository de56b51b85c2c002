//! What the access to one user's messages promises beyond the suite.

use chat_history::conformance::helpers::{
    all_after, append, duplicate, idempotent_message, message, seq_of, seqs, user,
};
use chat_history::conformance::{delete_all, export};
use chat_history::{Cursor, SqliteUserMessages};
use chat_protocol::{Content, DeletedBy};
use proptest::prelude::*;

use super::support::File;

#[tokio::test(flavor = "multi_thread")]
async fn erased_text_is_overwritten_in_the_file() {
    let file = File::new();
    let (database, store) = file.open().await;
    let users = SqliteUserMessages::new(database.clone());
    assert_eq!(export(&users, user("ana")).await, (vec![], 1), "the store is empty");
    // longer than a page of the database file
    let long = "a secret of mine ".repeat(1_000);
    for (name, from, text) in [
        ("r", "ana", "one"),
        ("r", "bob", "two"),
        ("世界", "ana", "three"),
        ("r", "ana", &long),
        ("s", "anab", "four"),
    ] {
        append(&store, idempotent_message(name, from, text, &format!("id{}", text.len()))).await.unwrap();
    }
    let expected = ["r:1:one", &format!("r:3:{long}"), "世界:1:three"];
    assert_eq!(export(&users, user("ana")).await.0, expected);
    let before = all_after(&store, "r", 9).await;

    assert_eq!(delete_all(&store, &users, user("ana")).await, ["r:1", "r:3", "世界:1"]);
    assert_eq!(export(&users, user("ana")).await.0, [""; 0]);
    assert_eq!(delete_all(&store, &users, user("ana")).await, [""; 0], "they are deleted already");
    let after = all_after(&store, "r", 9).await;
    assert_eq!(seqs(&after), [1, 2, 3]);
    assert_eq!(after[1], before[1]);
    assert_eq!(
        (&after[0].content, after[0].sent_at),
        (&Content::Deleted { by: DeletedBy::Operator }, before[0].sent_at)
    );
    assert_eq!(export(&users, user("anab")).await.0, ["s:1:four"]);

    // repeated by a client that does not know of the deletion
    let repeated = duplicate(&store, idempotent_message("r", "ana", "one", "id3")).await;
    assert_eq!(repeated.content, Content::Deleted { by: DeletedBy::Operator });
    // one deletion for each room
    assert_eq!(seq_of(&store, message("r", "ana", "next")).await, 5);
    drop(store);
    database.close().await;
    let bytes = std::fs::read(file.path()).unwrap();
    let holds = |text: &str| bytes.windows(text.len()).any(|window| window == text.as_bytes());
    assert!(holds("two") && !holds("a secret of mine"), "it is overwritten");
    assert!(!file.sibling("-wal").exists());
}

/// SQLite moves rows between pages, and does not clear where they were. A backup has the rows only.
#[tokio::test(flavor = "multi_thread")]
async fn a_backup_has_no_fragment_of_an_erased_text() {
    let file = File::new();
    let (database, store) = file.open().await;
    let users = SqliteUserMessages::new(database.clone());
    for round in 0..300_usize {
        let (from, word) = if round % 2 == 0 { ("ana", "erased") } else { ("bob", "kept") };
        // texts of many sizes, up to some pages of the file
        let text = format!("the {word} secret ").repeat(round * 7 % 600 + 1);
        let room = ["r", "s", "t"][round % 3];
        append(&store, idempotent_message(room, from, &text, &format!("id{round}"))).await.unwrap();
    }
    assert_eq!(delete_all(&store, &users, user("ana")).await.len(), 150);
    drop(store);
    database.close().await;
    let copy = file.sibling(".copy");
    chat_db::sqlite::backup::back_up(file.path(), &copy).unwrap();
    let bytes = std::fs::read(&copy).unwrap();
    let count = |text: &str| bytes.windows(text.len()).filter(|window| *window == text.as_bytes()).count();
    assert!(count("the kept secret") > 1_000);
    assert_eq!(count("the erased secret"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_history_is_scanned_in_steps() {
    const COUNT: u64 = 45_000;
    let file = File::new();
    let (database, store) = file.open().await;
    seq_of(&store, message("r", "ana", "first")).await;
    file.execute(&format!(
        "WITH RECURSIVE n (n) AS (SELECT 2 UNION ALL SELECT n + 1 FROM n WHERE n < {COUNT})
         INSERT INTO messages (place, user, username, id, body, sent_at)
         SELECT (1 << 40) + n, iif(n % 100 = 0, 'u_ana', 'u_bob'), 'name', 'id', 'text', 0 FROM n;
         UPDATE rooms SET next_seq = {COUNT} + 1, message_count = {COUNT}"
    ));
    database.close().await;
    let (database, store) = file.open().await;
    let users = SqliteUserMessages::new(database.clone());
    let (all, steps) = export(&users, user("ana")).await;
    assert_eq!((all.len(), steps), (451, 3));
    assert_eq!(all.last().unwrap(), "r:45000:text");
    assert_eq!(export(&users, user("nobody")).await, (vec![], 3));
    assert_eq!(delete_all(&store, &users, user("ana")).await.len(), 451);
    assert_eq!(file.number("(SELECT count(*) FROM messages WHERE body IS NULL)"), 451);
    let others = "(SELECT count(*) FROM messages WHERE user = 'u_bob' AND body = 'text')";
    assert_eq!(file.number(others), 44_549);
    database.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_one_room_are_limited_in_bytes() {
    let file = File::new();
    let (database, store) = file.open().await;
    let text = "x".repeat(300_000);
    for _ in 0..7 {
        seq_of(&store, message("r", "ana", &text)).await;
    }
    let users = SqliteUserMessages::new(database.clone());
    let (all, steps) = export(&users, user("ana")).await;
    assert_eq!((all.len(), steps), (7, 3));
    database.close().await;
}

proptest! {
    #[test]
    fn a_cursor_survives_its_text_form(text in ".{0,20}") {
        if let Ok(cursor) = text.parse::<Cursor>() {
            prop_assert_eq!(cursor.to_string().parse::<Cursor>(), Ok(cursor));
        }
    }
}

#[test]
fn a_cursor_is_not_negative() {
    assert!("-1".parse::<Cursor>().is_err() && "".parse::<Cursor>().is_err());
    assert_eq!("10000000003".parse::<Cursor>().unwrap().to_string(), "10000000003");
}
