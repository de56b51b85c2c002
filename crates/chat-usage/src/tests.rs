//! Usage in each kind of database, on days that the test chooses.
#![allow(clippy::unwrap_used)]

use std::any::Any;
use std::num::NonZeroU32;
use std::slice;

use chat_db::{postgres, sqlite};
use chat_presence::{MemoryPresence, NodeId};
use chat_protocol::{Event, Identity};
use chat_rooms::{Events, Membership, Sink, Subscribe};
use chat_testkit::needs::{self, Need};
use chat_testkit::postgres as servers;
use diesel::connection::SimpleConnection;
use diesel::{Connection, SqliteConnection};
use tokio::task::block_in_place;

use super::*;

struct World {
    engine: Engine,
    usage: Usage,
    /// Runs a statement on a connection that the store does not know of.
    execute: Box<dyn Fn(&str) + Send + Sync>,
    _guard: Box<dyn Any + Send + Sync>,
}

impl World {
    async fn sqlite() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("chat.sqlite3");
        let database = sqlite::Database::open(&path).unwrap();
        let execute = move |sql: &str| {
            let mut outside = SqliteConnection::establish(path.to_str().unwrap()).unwrap();
            outside.batch_execute(sql).unwrap();
        };
        Self::new(SqliteUsage::new(database), execute, folder).await
    }

    /// `None` if this machine does not have PostgreSQL.
    async fn postgres() -> Option<Self> {
        if !needs::are_met(&[Need::Postgres]) {
            return None;
        }
        let server = Arc::new(block_in_place(servers::shared));
        let few = NonZeroU32::MIN;
        let options = postgres::Options::default().appenders(few).readers(few);
        let database =
            block_in_place(|| postgres::Database::open(&server.url().parse().unwrap(), &options)).unwrap();
        let outside = Arc::clone(&server);
        let execute = move |sql: &str| drop(block_in_place(|| outside.psql(sql)));
        Some(Self::new(PostgresUsage::new(database), execute, server).await)
    }

    async fn new(
        store: impl UsageStore,
        execute: impl Fn(&str) + Send + Sync + 'static,
        guard: impl Any + Send + Sync,
    ) -> Self {
        let presence = MemoryPresence::new(NodeId::new("here"));
        let engine = Engine::builder(presence).count_usage(true).start().await.unwrap();
        let usage = Usage::new(store, engine.clone());
        usage.unsaved.lock().day = day(1);
        Self { engine, usage, execute: Box::new(execute), _guard: Box::new(guard) }
    }

    async fn join(&self, room: &str, name: &str) -> (Membership, Events) {
        let (sink, events) = Sink::channel(100);
        let bits = name.bytes().fold(0, |bits, byte| bits << 8 | u128::from(byte));
        let user = Identity::one_time_guest(bits, name.parse().unwrap());
        let subscribe = Subscribe::new(sink).with_lists();
        (self.engine.join(&user, &room.parse().unwrap(), subscribe).await.unwrap(), events)
    }

    async fn rows(&self, query: Query) -> Vec<(i64, String, u64, u64, u64)> {
        let page = self.usage.store.page(query).await.unwrap();
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

/// Makes two tests of each function: one for each kind of database.
macro_rules! tests {
    ($($test:ident)*) => {
        mod in_sqlite {
            $(
                #[tokio::test(flavor = "multi_thread")]
                async fn $test() {
                    super::$test(super::World::sqlite().await).await;
                }
            )*
        }

        mod in_postgres {
            $(
                #[tokio::test(flavor = "multi_thread")]
                async fn $test() {
                    if let Some(world) = super::World::postgres().await {
                        super::$test(world).await;
                    }
                }
            )*
        }
    };
}

tests! {
    usage_adds_up_and_a_new_day_starts_with_the_current_members
    rooms_without_messages_have_no_rows
    the_peak_counts_members_before_and_after_the_first_message
    pages_contain_the_requested_rows
    old_rows_are_removed
    counts_that_could_not_be_written_are_written_later
    silent_rooms_raise_the_peak_of_rows_that_exist
}

async fn usage_adds_up_and_a_new_day_starts_with_the_current_members(world: World) {
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

async fn rooms_without_messages_have_no_rows(world: World) {
    for number in 0..1_000 {
        drop(world.join(&format!("room{number}"), "ana").await);
    }
    world.usage.save_at(day(1)).await.unwrap();
    world.usage.save_at(day(2)).await.unwrap();
    assert_eq!(world.rows(all()).await, []);
    let unsaved = world.usage.unsaved.lock();
    assert_eq!((unsaved.rooms.len(), unsaved.silent.len()), (0, 0));
}

async fn the_peak_counts_members_before_and_after_the_first_message(world: World) {
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

async fn pages_contain_the_requested_rows(world: World) {
    let rows: Vec<_> = (0..10)
        .flat_map(|number| ["a", "b", "c"].map(|room| (day(number), room.parse().unwrap(), one_message())))
        .collect();
    world.usage.store.add(rows).await.unwrap();
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

async fn old_rows_are_removed(world: World) {
    let rows: Vec<_> =
        (0..2_000).map(|n| (day(n / 1_000), format!("r{n}").parse().unwrap(), one_message())).collect();
    world.usage.store.add(rows).await.unwrap();
    world.usage.remove_before(day(1)).await.unwrap();
    let left = world.rows(Query { limit: 5_000, ..all() }).await;
    assert_eq!((left.len(), left[0].0), (1_000, 1));
}

async fn counts_that_could_not_be_written_are_written_later(world: World) {
    let mut ana = world.join("a", "ana").await;
    say(&mut ana, "one").await;
    (world.execute)("ALTER TABLE room_usage RENAME TO elsewhere");
    world.usage.save_at(day(1)).await.unwrap_err();
    let _bob = world.join("a", "bob").await;
    world.usage.save_at(day(1)).await.unwrap_err();
    (world.execute)("ALTER TABLE elsewhere RENAME TO room_usage");
    world.usage.save_at(day(1)).await.unwrap();
    assert_eq!(world.rows(all()).await, [row(1, "a", 2, 1, 3)]);
}

async fn silent_rooms_raise_the_peak_of_rows_that_exist(world: World) {
    let store = &world.usage.store;
    let peak = |peak_members| RoomUsage { peak_members, messages: 0, bytes: 0 };
    let named = |room: &str| room.parse::<RoomName>().unwrap();
    let rows = [("a", day(1)), ("b", day(1)), ("a", day(2))];
    store.add(rows.map(|(room, day)| (day, named(room), one_message())).to_vec()).await.unwrap();
    let silent = [("a", day(1), 5), ("b", day(2), 6), ("c", day(1), 7), ("a", day(2), 0)];
    let mut mixed = silent.map(|(room, day, members)| (day, named(room), peak(members))).to_vec();
    mixed.push((day(1), named("b"), RoomUsage { peak_members: 3, messages: 2, bytes: 20 }));
    store.add(mixed).await.unwrap();
    let expected = [row(1, "a", 5, 1, 1), row(1, "b", 3, 3, 21), row(2, "a", 1, 1, 1)];
    assert_eq!(world.rows(all()).await, expected);
    store.add(Vec::new()).await.unwrap();
    assert_eq!(world.rows(all()).await, expected);
}
