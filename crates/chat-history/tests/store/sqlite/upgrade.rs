//! Databases of the version before messages had the id of their author.

use chat_db::migrate;
use chat_history::conformance::helpers::{
    all_after, append, body, id, idempotent_message, message, name, room, seq_of, seqs, user,
};
use chat_history::conformance::{erase, export};
use chat_history::{AppendError, HistoryStore, NewMessage, Retention, SqliteUserMessages, UserQuery};
use chat_protocol::{Content, Timestamp, UserId};

use crate::support::File;

/// See `tests/fixtures/README.md`.
const BEFORE: &str = include_str!("../../fixtures/before_identity.sql");
const EPOCH: &str = "25925c421e3ca4c3";
const MIGRATION: &str = "20261129000000";

/// All rows of the old version, one text per table, without those that each start changes.
const TABLES: [&str; 3] = [
    "SELECT group_concat(concat_ws('|', id, name, next_seq, first_seq), char(10)) FROM rooms",
    "SELECT group_concat(concat_ws('|', place, username, id, ifnull(body, 'NULL'), sent_at), char(10))
     FROM messages",
    "SELECT group_concat(concat_ws('|', n, room_id, username, message_id, seq, sent_at), char(10))
     FROM message_ids",
];

/// The database of the old version, whose ids were used just now.
fn old_file() -> File {
    let file = File::new();
    file.execute(BEFORE);
    file.execute(&format!("UPDATE message_ids SET sent_at = {}", Timestamp::now().as_millis()));
    // the marker in the lock file, without which the file counts as a restored backup
    std::fs::write(file.sibling("lock"), file.text("SELECT seal FROM database_seal")).unwrap();
    file
}

fn tables(file: &File) -> [String; 3] {
    TABLES.map(|table| file.text(table))
}

#[tokio::test(flavor = "multi_thread")]
async fn old_messages_have_an_unknown_author() {
    let file = old_file();
    let before = tables(&file);
    let (database, store) = file.open().await;
    assert_eq!(store.epoch().as_str(), EPOCH);
    assert_eq!(tables(&file), before);
    for (name, newest, expected) in [
        (
            "lobby",
            4,
            &[
                "1 ana a-1 hello",
                "2 bob b-1 **welcome**",
                "3",
                "4 ana 00000000000000000000000000000004 the server made the id of this one",
            ][..],
        ),
        ("世界", 2, &["1 ana a-1 Grüße 🦀", "2 bob b-2 two\nlines"]),
        (
            "pruned",
            5,
            &[
                "2 bob b-3 kept",
                "3 bob 00000000000000000000000000000009 kept, too",
                "4 ana a-3 and this",
                "5 ana 0000000000000000000000000000000b the newest",
            ],
        ),
    ] {
        assert_eq!(store.newest(room(name)).await.unwrap(), newest);
        let found = all_after(&store, name, 9).await;
        let brief = found.iter().map(|message| match message.text() {
            None => message.seq.to_string(),
            Some(text) => {
                assert_eq!(text.user, UserId::unknown());
                format!("{} {} {} {}", message.seq, text.from, text.id, text.body)
            }
        });
        assert_eq!(brief.collect::<Vec<_>>(), expected);
    }
    assert_eq!(seq_of(&store, message("lobby", "ana", "next")).await, 5);
    let newest = &all_after(&store, "lobby", 9).await[4];
    assert_eq!(newest.text().unwrap().user, user("ana"));
    database.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_id_from_before_the_upgrade_is_recognised_by_name() {
    let file = old_file();
    let (database, store) = file.open().await;
    for (in_room, from, text, own, seq) in [
        ("lobby", "ana", "hello", "a-1", 1),
        ("世界", "ana", "Grüße 🦀", "a-1", 1),
        ("lobby", "bob", "**welcome**", "b-1", 2),
    ] {
        let repeated = append(&store, idempotent_message(in_room, from, text, own)).await.unwrap();
        assert_eq!((repeated.message.seq, repeated.duplicate), (seq, true));
        assert_eq!(repeated.message.text().unwrap().user, UserId::unknown());
        let other = append(&store, idempotent_message(in_room, from, "other", own)).await;
        assert_eq!(other, Err(AppendError::IdReused));
    }
    // their texts are not known any more
    let erased = append(&store, idempotent_message("lobby", "eve", "anything", "e-1")).await.unwrap();
    assert_eq!((erased.message.seq, &erased.message.content), (3, &Content::Erased));
    assert!(erased.duplicate);
    let pruned = append(&store, idempotent_message("pruned", "ana", "to be pruned", "a-2")).await.unwrap();
    assert_eq!((pruned.message.seq, body(&pruned.message)), (1, Some("to be pruned")));
    assert!(pruned.duplicate);
    assert_eq!(pruned.message.text().unwrap().user, UserId::unknown());

    // another name is another user
    assert_eq!(seq_of(&store, idempotent_message("lobby", "mia", "hello", "a-1")).await, 5);
    // the ids of old messages expire as others do
    file.execute(&format!(
        "UPDATE message_ids SET sent_at = {} WHERE user IS NULL",
        Timestamp::now().as_millis() - 24 * 60 * 60 * 1_000 - 1
    ));
    while store.prune(Retention::default()).await.unwrap() {}
    assert_eq!(file.number("(SELECT count(*) FROM message_ids)"), 1);
    assert_eq!(seq_of(&store, idempotent_message("lobby", "ana", "hello", "a-1")).await, 6);
    let repeated = append(&store, idempotent_message("lobby", "mia", "hello", "a-1")).await.unwrap();
    assert_eq!((repeated.message.seq, repeated.duplicate), (5, true));
    database.close().await;
}

/// Only rows of the old version are found by name, also after a restart.
#[tokio::test(flavor = "multi_thread")]
async fn an_id_from_after_the_upgrade_is_not_recognised_by_name() {
    let file = old_file();
    let by = |author: &str, text: &str| {
        NewMessage::new(room("lobby"), user(author), name("ana"), text, id("new")).idempotent(true)
    };
    let (database, store) = file.open().await;
    assert_eq!(seq_of(&store, by("x", "hello")).await, 5);
    assert_eq!(seq_of(&store, by("y", "hello")).await, 6);
    database.close().await;
    let (database, store) = file.open().await;
    assert_eq!(seq_of(&store, by("z", "hello")).await, 7);
    assert!(append(&store, by("x", "hello")).await.unwrap().duplicate);
    assert!(append(&store, idempotent_message("lobby", "ana", "hello", "a-1")).await.unwrap().duplicate);
    database.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn old_messages_are_exported_and_erased_by_name() {
    let file = old_file();
    let (database, store) = file.open().await;
    seq_of(&store, message("lobby", "bob", "new")).await;
    let users = SqliteUserMessages::new(database.clone());
    let old_bob = || UserQuery::new(UserId::unknown()).with_name(name("bob"));
    let expected = ["lobby:2:**welcome**", "世界:2:two\nlines", "pruned:2:kept", "pruned:3:kept, too"];
    assert_eq!(export(&users, old_bob()).await.0, expected);
    assert_eq!(export(&users, UserId::unknown()).await.0.len(), 9);
    assert_eq!(erase(&users, old_bob()).await, ["lobby:2", "世界:2", "pruned:2", "pruned:3"]);
    assert_eq!(export(&users, UserId::unknown()).await.0.len(), 5);
    assert_eq!(export(&users, user("bob")).await.0, ["lobby:5:new"]);
    database.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_migration_is_reverted_without_losing_a_message() {
    let file = old_file();
    let before = tables(&file);
    let schema = "SELECT group_concat(name || sql, char(10)) FROM
                  (SELECT name, sql FROM sqlite_schema WHERE name IN ('rooms', 'messages', 'message_ids'))";
    let presence = "SELECT group_concat(name) FROM pragma_table_info('presence')";
    let (old_schema, old_presence) = (file.text(schema), file.text(presence));
    let (database, store) = file.open().await;
    let new = append(&store, idempotent_message("lobby", "mia", "new", "m-1")).await.unwrap().message;
    let sent_at = new.sent_at.as_millis();
    database.close().await;

    assert_eq!(migrate::down(file.path()).unwrap(), MIGRATION);
    assert_eq!((file.text(schema), file.text(presence)), (old_schema, old_presence));
    let [rooms, messages, ids] = tables(&file);
    assert_eq!(rooms, before[0].replace("1|lobby|5|1", "1|lobby|6|1"));
    assert_eq!(ids, format!("{}\n9|1|mia|m-1|5|{sent_at}", before[2]));
    let (first, rest) = before[1].split_at(before[1].find("\n2199023255553").unwrap());
    assert_eq!(messages, format!("{first}\n1099511627781|mia|m-1|new|{sent_at}{rest}"));
    assert_eq!(file.text("SELECT epoch FROM history_epoch"), EPOCH);

    // and up again: what the old version has stored is recognised by name
    let (database, store) = file.open().await;
    assert_eq!(store.epoch().as_str(), EPOCH);
    let repeated = append(&store, idempotent_message("lobby", "mia", "new", "m-1")).await.unwrap();
    assert_eq!((repeated.message.seq, repeated.duplicate), (5, true));
    assert_eq!(seqs(&all_after(&store, "lobby", 9).await), [1, 2, 3, 4, 5]);
    database.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn presence_rows_are_dropped_and_their_ids_are_not_reused() {
    let file = old_file();
    let last = || file.number("(SELECT seq FROM sqlite_sequence WHERE name = 'presence')");
    let rows = || file.number("(SELECT count(*) FROM presence)");
    assert_eq!((rows(), last()), (2, 3));
    migrate::up(file.path()).unwrap();
    assert_eq!((rows(), last()), (0, 3));
    file.execute(
        "INSERT INTO presence (room, username, user, channel_name, node, joined_at)
         VALUES ('r', 'ana', 'u', 'c', 'n', 0)",
    );
    assert_eq!(file.number("(SELECT id FROM presence)"), 4);
    migrate::down(file.path()).unwrap();
    assert_eq!((rows(), last()), (0, 4));
}
