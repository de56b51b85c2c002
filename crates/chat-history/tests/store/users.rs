//! What one user said, to be given to that user or erased.

use chat_history::users::{Cursor, Step, UserMessages};
use chat_protocol::{Content, Username};
use proptest::prelude::*;

use super::support::{File, all_after, append, body, say, say_once, seq_of, seqs};

fn user(name: &str) -> Username {
    Username::parse(name).unwrap()
}

/// All that somebody said, as `room:seq:text`, and in how many steps.
async fn exported(messages: &UserMessages, name: &str) -> (Vec<String>, usize) {
    let (mut all, mut after, mut steps) = (Vec::new(), None, 0);
    loop {
        let Step { found, next } = messages.page(user(name), after).await.unwrap();
        all.extend(found.iter().map(|m| format!("{}:{}:{}", m.room, m.seq, body(m).unwrap())));
        steps += 1;
        match next {
            // as it comes back from whoever was given it
            Some(cursor) => after = Some(cursor.to_string().parse().unwrap()),
            None => return (all, steps),
        }
    }
}

async fn erased(messages: &UserMessages, name: &str) -> Vec<String> {
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        let Step { found, next } = messages.erase(user(name), after).await.unwrap();
        all.extend(found.iter().map(|(room, seq)| format!("{room}:{seq}")));
        match next {
            Some(_) => after = next,
            None => return all,
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn somebodys_messages_are_found_in_every_room_and_erased_there() {
    let file = File::new();
    let (database, store) = file.open().await;
    let messages = UserMessages::new(database.clone());
    assert_eq!(exported(&messages, "ana").await, (vec![], 1), "nothing was ever said");
    // longer than a page of the file
    let long = "a secret of mine ".repeat(1_000);
    for (name, from, text) in [
        ("r", "ana", "one"),
        ("r", "bob", "two"),
        ("世界", "ana", "three"),
        ("r", "ana", &long),
        ("s", "anab", "four"),
    ] {
        append(&store, say_once(name, from, text, &format!("id{}", text.len()))).await.unwrap();
    }
    let expected = ["r:1:one", &format!("r:3:{long}"), "世界:1:three"];
    assert_eq!(exported(&messages, "ana").await.0, expected);
    let before = all_after(&store, "r", 9).await;

    assert_eq!(erased(&messages, "ana").await, ["r:1", "r:3", "世界:1"]);
    assert_eq!(exported(&messages, "ana").await.0, [""; 0]);
    assert_eq!(erased(&messages, "ana").await, [""; 0], "once is enough");
    let after = all_after(&store, "r", 9).await;
    assert_eq!(seqs(&after), [1, 2, 3]);
    assert_eq!(after[1], before[1]);
    assert_eq!((&after[0].content, after[0].sent_at), (&Content::Erased, before[0].sent_at));
    assert_eq!(exported(&messages, "anab").await.0, ["s:1:four"]);

    // sent again by a client that does not know: it is not said anew
    let again = append(&store, say_once("r", "ana", "one", "id3")).await.unwrap();
    assert!(again.again);
    assert_eq!(again.message.content, Content::Erased);
    assert_eq!(seq_of(&store, say("r", "ana", "next")).await, 4);
    drop(store);
    database.close().await;
    let bytes = std::fs::read(file.path()).unwrap();
    let holds = |text: &str| bytes.windows(text.len()).any(|window| window == text.as_bytes());
    assert!(holds("two") && !holds("a secret of mine"), "it is overwritten");
    assert!(!file.beside("-wal").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_history_is_walked_in_steps() {
    const COUNT: u64 = 45_000;
    let file = File::new();
    let (database, store) = file.open().await;
    seq_of(&store, say("r", "ana", "first")).await;
    file.meddle(&format!(
        "WITH RECURSIVE n (n) AS (SELECT 2 UNION ALL SELECT n + 1 FROM n WHERE n < {COUNT})
         INSERT INTO messages SELECT (1 << 40) + n, iif(n % 100 = 0, 'ana', 'bob'), 'id', 'text', 0 FROM n"
    ));
    let messages = UserMessages::new(database.clone());
    let (all, steps) = exported(&messages, "ana").await;
    assert_eq!((all.len(), steps), (451, 3));
    assert_eq!(all.last().unwrap(), "r:45000:text");
    assert_eq!(exported(&messages, "nobody").await, (vec![], 3));
    assert_eq!(erased(&messages, "ana").await.len(), 451);
    assert_eq!(file.number("(SELECT count(*) FROM messages WHERE body IS NULL)"), 451);
    let others = "(SELECT count(*) FROM messages WHERE username = 'bob' AND body = 'text')";
    assert_eq!(file.number(others), 44_549);
    database.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_end_before_they_are_too_large() {
    let file = File::new();
    let (database, store) = file.open().await;
    let text = "x".repeat(300_000);
    for _ in 0..7 {
        seq_of(&store, say("r", "ana", &text)).await;
    }
    let messages = UserMessages::new(database.clone());
    let (all, steps) = exported(&messages, "ana").await;
    assert_eq!((all.len(), steps), (7, 3));
    database.close().await;
}

proptest! {
    #[test]
    fn a_cursor_is_its_text_and_nothing_else_is_one(text in ".{0,20}") {
        if let Ok(cursor) = text.parse::<Cursor>() {
            prop_assert_eq!(cursor.to_string().parse::<Cursor>(), Ok(cursor));
        }
    }
}

#[test]
fn a_cursor_is_a_number_from_nought_on() {
    assert!("-1".parse::<Cursor>().is_err() && "".parse::<Cursor>().is_err());
    assert_eq!("10000000003".parse::<Cursor>().unwrap().to_string(), "10000000003");
}
