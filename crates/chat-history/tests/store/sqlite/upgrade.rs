//! Databases of the version before messages had the id of their author.

use chat_db::sqlite::migrate;
use chat_history::conformance::helpers::{
    all_after, append, body, delete, deletion, duplicate, id, idempotent_message, message, name, newest,
    react, reaction, room, seq_of, seqs, stored, user,
};
use chat_history::conformance::{delete_all, export};
use chat_history::{
    AppendError, Appended, HistoryStore, NewMessage, Retention, SqliteUserMessages, UserQuery,
};
use chat_protocol::{Content, DeletedBy, Timestamp, UserId};

use crate::support::File;

/// See `tests/fixtures/README.md`.
const BEFORE: &str = include_str!("../../fixtures/before_identity.sql");
const EPOCH: &str = "25925c421e3ca4c3";
/// The migrations since then, newest first.
const MIGRATIONS: [&str; 9] = [
    "20261130030000",
    "20261130020000",
    "20261130010000",
    "20261130000000",
    "20261129040000",
    "20261129030000",
    "20261129020000",
    "20261129010000",
    "20261129000000",
];

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
    for (name, last, expected) in [
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
        assert_eq!(newest(&store, name).await, last);
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
        let repeated = duplicate(&store, idempotent_message(in_room, from, text, own)).await;
        assert_eq!(repeated.seq, seq);
        assert_eq!(repeated.text().unwrap().user, UserId::unknown());
        let other = append(&store, idempotent_message(in_room, from, "other", own)).await;
        assert_eq!(other, Err(AppendError::IdReused));
    }
    // their texts are not known any more
    let erased = duplicate(&store, idempotent_message("lobby", "eve", "anything", "e-1")).await;
    assert_eq!((erased.seq, &erased.content), (3, &Content::Deleted { by: DeletedBy::Operator }));
    let pruned = duplicate(&store, idempotent_message("pruned", "ana", "to be pruned", "a-2")).await;
    assert_eq!((pruned.seq, body(&pruned)), (1, Some("to be pruned")));
    assert_eq!(pruned.text().unwrap().user, UserId::unknown());

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
    let repeated = duplicate(&store, idempotent_message("lobby", "mia", "hello", "a-1")).await;
    assert_eq!(repeated.seq, 5);
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
    duplicate(&store, by("x", "hello")).await;
    duplicate(&store, idempotent_message("lobby", "ana", "hello", "a-1")).await;
    database.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn old_messages_are_exported_and_deleted_by_name() {
    let file = old_file();
    let (database, store) = file.open().await;
    seq_of(&store, message("lobby", "bob", "new")).await;
    let users = SqliteUserMessages::new(database.clone());
    let old_bob = || UserQuery::new(UserId::unknown()).with_name(name("bob"));
    let expected = ["lobby:2:**welcome**", "世界:2:two\nlines", "pruned:2:kept", "pruned:3:kept, too"];
    assert_eq!(export(&users, old_bob()).await.0, expected);
    assert_eq!(export(&users, UserId::unknown()).await.0.len(), 9);
    assert_eq!(delete_all(&store, &users, old_bob()).await, ["lobby:2", "世界:2", "pruned:2", "pruned:3"]);
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
    let new = stored(&store, idempotent_message("lobby", "mia", "new", "m-1")).await;
    let sent_at = new.sent_at.as_millis();
    database.close().await;

    for migration in MIGRATIONS {
        assert_eq!(migrate::down(file.path()).unwrap(), migration);
    }
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
    let repeated = duplicate(&store, idempotent_message("lobby", "mia", "new", "m-1")).await;
    assert_eq!(repeated.seq, 5);
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
    for migration in MIGRATIONS {
        assert_eq!(migrate::down(file.path()).unwrap(), migration);
    }
    assert_eq!((rows(), last()), (0, 4));
}

/// Old messages are counted, and one that was erased says that the operator did it. Going back, the
/// numbers of deletions become erased messages, so that no number is missing.
#[tokio::test(flavor = "multi_thread")]
async fn numbers_of_deletions_become_erased_messages_for_the_old_version() {
    let file = old_file();
    let (database, store) = file.open().await;
    assert_eq!(file.number("(SELECT sum(message_count) FROM rooms)"), 10);
    let erased = &all_after(&store, "lobby", 9).await[2];
    assert_eq!((&erased.content, erased.changed_seq), (&Content::Deleted { by: DeletedBy::Operator }, None));
    let unchanged = append(&store, deletion("lobby", &[3])).await.unwrap();
    assert_eq!(unchanged, Appended::Unchanged);
    let before = all_after(&store, "lobby", 9).await;
    assert_eq!(delete(&store, "lobby", &[1, 2]).await.seq, 5);
    let sixth = stored(&store, message("lobby", "mia", "sixth")).await;
    assert_eq!(delete(&store, "lobby", &[6]).await.seq, 7);
    assert_eq!(delete(&store, "pruned", &[2]).await.seq, 6);
    assert_eq!(react(&store, reaction("pruned", "mia", 3, "👍", true)).await.seq, 7);
    database.close().await;

    for migration in &MIGRATIONS[..MIGRATIONS.len() - 1] {
        assert_eq!(migrate::down(file.path()).unwrap(), *migration);
    }
    let row =
        |seq: i64, sent_at: Timestamp| format!("{}||||NULL|{}", (1_i64 << 40) + seq, sent_at.as_millis());
    let expected = [
        row(1, before[0].sent_at),
        row(2, before[1].sent_at),
        row(3, before[2].sent_at).replace("||NULL|", "|g_0|NULL|"),
        format!(
            "{}|ana|00000000000000000000000000000004|g_0|the server made the id of this one|{}",
            (1_i64 << 40) + 4,
            before[3].sent_at.as_millis()
        ),
        row(5, before[3].sent_at),
        row(6, sixth.sent_at),
        row(7, sixth.sent_at),
    ];
    let rows = "SELECT group_concat(concat_ws('|', place, username, id, user, ifnull(body, 'NULL'), sent_at), char(10))
                FROM messages WHERE place >> 40 = 1";
    assert_eq!(file.text(rows), expected.join("\n"));
    let count =
        "(SELECT count(*) FROM messages WHERE place >> 40 = (SELECT id FROM rooms WHERE name = 'pruned'))";
    assert_eq!(file.number(count), 6, "the numbers 2 to 7");

    // and up again: each number is a message
    let (database, store) = file.open().await;
    assert_eq!(seqs(&all_after(&store, "lobby", 9).await), (1..=7).collect::<Vec<_>>());
    assert_eq!(seq_of(&store, message("lobby", "ana", "next")).await, 8);
    database.close().await;
}
