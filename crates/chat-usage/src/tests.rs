//! Usage in a database file, on days that the test chooses.
#![allow(clippy::unwrap_used)]

use std::slice;

use chat_presence::{NodeId, SqlitePresence};
use chat_protocol::{Event, Identity};
use chat_rooms::{Events, Membership, Sink, Subscribe};
use diesel::prelude::*;
use tempfile::TempDir;

use super::*;

struct World {
    _folder: TempDir,
    engine: Engine,
    usage: Usage,
}

impl World {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let database = Database::open(&folder.path().join("chat.sqlite3")).unwrap();
        let presence = SqlitePresence::new(database.clone(), NodeId::new("here"));
        let engine = Engine::builder(presence).count_usage(true).start().await.unwrap();
        let usage = Usage::new(database, engine.clone());
        usage.unsaved.lock().day = day(1);
        Self { _folder: folder, engine, usage }
    }

    async fn join(&self, room: &str, name: &str) -> (Membership, Events) {
        let (sink, events) = Sink::channel(100);
        let bits = name.bytes().fold(0, |bits, byte| bits << 8 | u128::from(byte));
        let user = Identity::one_time_guest(bits, name.parse().unwrap());
        let subscribe = Subscribe::new(sink).with_lists();
        (self.engine.join(&user, &room.parse().unwrap(), subscribe).await.unwrap(), events)
    }

    async fn rows(&self, query: Query) -> Vec<(i64, String, u64, u64, u64)> {
        let page = self.usage.database.read(move |connection| table::page(connection, &query)).await.unwrap();
        let row = |row: Row| {
            (row.day.number(), row.room, row.usage.peak_members, row.usage.messages, row.usage.bytes)
        };
        page.rows.into_iter().map(row).collect()
    }
}

/// The day with this number.
fn day(number: i64) -> Day {
    Day::from_number(number)
}

/// Sends a message and waits until it is delivered.
async fn say((member, events): &mut (Membership, Events), body: &str) {
    member.send(body).await.unwrap();
    while !matches!(*events.next().await.unwrap(), Event::Message { .. }) {}
}

/// The usage of a room with one message of one letter.
fn one_message() -> RoomUsage {
    RoomUsage { peak_members: 1, messages: 1, bytes: 1 }
}

fn all() -> Query {
    Query { from: Day::FIRST, to: Day::LAST, room: None, after: None, limit: 100 }
}

fn row(day: i64, room: &str, peak: u64, messages: u64, bytes: u64) -> (i64, String, u64, u64, u64) {
    (day, room.to_owned(), peak, messages, bytes)
}

#[tokio::test(flavor = "multi_thread")]
async fn usage_adds_up_and_a_new_day_starts_with_the_current_members() {
    let world = World::new().await;
    let mut ana = world.join("a", "ana").await;
    let bob = world.join("a", "bob").await;
    say(&mut ana, "hello").await;
    drop(bob);
    world.usage.save_at(day(1)).await.unwrap();
    assert_eq!(world.rows(all()).await, [row(1, "a", 2, 1, 5)]);
    say(&mut ana, "again").await;
    let mut cleo = world.join("b", "cleo").await;
    let dan = world.join("b", "dan").await;
    // these counts still belong to the first day
    world.usage.save_at(day(2)).await.unwrap();
    let first_day = row(1, "a", 2, 2, 10);
    assert_eq!(world.rows(all()).await, slice::from_ref(&first_day));
    world.usage.save_at(day(2)).await.unwrap();
    assert_eq!(world.rows(all()).await, slice::from_ref(&first_day), "nothing has changed");
    // the second day counts the remaining members, once there is a message
    drop(dan);
    say(&mut cleo, "morning").await;
    world.usage.save_at(day(2)).await.unwrap();
    assert_eq!(world.rows(all()).await, [first_day, row(2, "b", 2, 1, 7)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn rooms_without_messages_have_no_rows() {
    let world = World::new().await;
    for number in 0..1_000 {
        drop(world.join(&format!("room{number}"), "ana").await);
    }
    world.usage.save_at(day(1)).await.unwrap();
    world.usage.save_at(day(2)).await.unwrap();
    assert_eq!(world.rows(all()).await, []);
    let unsaved = world.usage.unsaved.lock();
    assert_eq!((unsaved.rooms.len(), unsaved.silent.len()), (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_peak_counts_members_before_and_after_the_first_message() {
    let world = World::new().await;
    let mut ana = world.join("a", "ana").await;
    let crowd = (world.join("a", "bob").await, world.join("a", "cleo").await);
    world.usage.save_at(day(1)).await.unwrap();
    drop(crowd);
    say(&mut ana, "you are gone").await;
    world.usage.save_at(day(1)).await.unwrap();
    assert_eq!(world.rows(all()).await, [row(1, "a", 3, 1, 12)], "they joined before the first message");
    let _crowd = [world.join("a", "b").await, world.join("a", "c").await, world.join("a", "d").await];
    world.usage.save_at(day(1)).await.unwrap();
    assert_eq!(world.rows(all()).await, [row(1, "a", 4, 1, 12)], "they joined after it");
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_contain_the_requested_rows() {
    let world = World::new().await;
    let rows: Vec<_> = (0..10)
        .flat_map(|number| ["a", "b", "c"].map(|room| (day(number), room.parse().unwrap(), one_message())))
        .collect();
    world.usage.database.write(move |connection| table::add(connection, &rows)).await.unwrap();
    let mut query = Query { from: day(2), to: day(4), room: None, after: None, limit: 4 };
    let (mut seen, mut pages) = (Vec::new(), 0);
    loop {
        let asked = query.clone();
        let page = world.usage.page(asked).await.unwrap();
        seen.extend(page.rows.iter().map(|row| format!("{}{}", row.day.number(), row.room)));
        pages += 1;
        if !page.more {
            break;
        }
        let last = page.rows.last().unwrap();
        query.after = Some((last.day, last.room.parse().unwrap()));
    }
    assert_eq!(seen.join(" "), "2a 2b 2c 3a 3b 3c 4a 4b 4c");
    assert_eq!(pages, 3);
    let of_b = Query { from: day(8), room: Some("b".parse().unwrap()), ..all() };
    assert_eq!(world.rows(of_b).await, [row(8, "b", 1, 1, 1), row(9, "b", 1, 1, 1)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn old_rows_are_removed() {
    let world = World::new().await;
    let rows: Vec<_> =
        (0..2_000).map(|n| (day(n / 1_000), format!("r{n}").parse().unwrap(), one_message())).collect();
    world.usage.database.write(move |connection| table::add(connection, &rows)).await.unwrap();
    world.usage.remove_before(day(1)).await.unwrap();
    let left = world.rows(Query { limit: 5_000, ..all() }).await;
    assert_eq!((left.len(), left[0].0), (1_000, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn counts_that_could_not_be_written_are_written_later() {
    let world = World::new().await;
    let mut ana = world.join("a", "ana").await;
    say(&mut ana, "one").await;
    let broken = |sql: &'static str| {
        world.usage.database.write(move |connection| diesel::sql_query(sql).execute(connection))
    };
    broken("ALTER TABLE room_usage RENAME TO elsewhere").await.unwrap();
    world.usage.save_at(day(1)).await.unwrap_err();
    let _bob = world.join("a", "bob").await;
    world.usage.save_at(day(1)).await.unwrap_err();
    broken("ALTER TABLE elsewhere RENAME TO room_usage").await.unwrap();
    world.usage.save_at(day(1)).await.unwrap();
    assert_eq!(world.rows(all()).await, [row(1, "a", 2, 1, 3)]);
}
