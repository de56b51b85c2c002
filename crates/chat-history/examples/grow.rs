//! Measures what a message and a page cost in a large history, compared with an empty one:
//! `cargo run --release -p chat-history --example grow -- [MILLIONS [FOLDER]]`.
//!
//! Fills a file with this number of million messages (default 10) in 1,000 rooms, then appends to
//! it and to an empty file by turns, so that both meet the same disturbances, and reads pages from
//! both. The files are created in the folder (default: the folder of temporary files) and removed
//! at the end; 10 million messages take about 4 GB. Processor time is read from Linux's `/proc`;
//! elsewhere it is 0.
#![allow(clippy::print_stdout)]

use std::error::Error;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use chat_db::sqlite::Database;
use chat_history::{HistoryStore, NewMessage, Page, Retention, SqliteHistory};
use chat_protocol::{MessageId, RoomName, UserId, Username};
use tokio::runtime::Runtime;

/// The number of rooms: of those that fill a file, and of those that are measured.
const ROOMS: usize = 1_000;
const BUSY_ROOMS: usize = 200;
/// The number of authors in each room.
const USERS: usize = 10;
/// The maximum number of appends in flight.
const WINDOW: usize = 4_096;
/// How many of the messages that fill a file have ids chosen by their authors: as many as the store
/// keeps.
const CHOSEN_IDS: u64 = 1_000_000;

const ROUNDS: usize = 20;
const APPENDS: u64 = 10_000;
const PAGES: u64 = 250;

type Fallible<T> = Result<T, Box<dyn Error>>;

fn main() -> Fallible<()> {
    let mut arguments = std::env::args().skip(1);
    let millions: u64 = arguments.next().map_or(Ok(10), |text| text.parse())?;
    let folder = arguments.next().map_or_else(std::env::temp_dir, PathBuf::from);
    let folder = tempfile::tempdir_in(folder)?;
    let runtime = Runtime::new()?;

    println!("an fsync of 4 KiB: {:?}", fsync_time(folder.path())?);

    let mut grown = Store::open(&runtime, folder.path(), "grown")?;
    let count = millions * 1_000_000;
    let begun = Instant::now();
    grown.append(count.saturating_sub(CHOSEN_IDS), Ids::Generated, ROOMS);
    grown.append(count.min(CHOSEN_IDS), Ids::Chosen, ROOMS);
    let took = begun.elapsed();
    let size = std::fs::metadata(&grown.path)?.len() >> 20;
    println!("{count} messages in {ROOMS} rooms: {:.0} s, {size} MiB", took.as_secs_f64());
    // otherwise the disk would still be busy with these writes during the measurement
    std::fs::File::open(&grown.path)?.sync_all()?;

    let mut empty = Store::open(&runtime, folder.path(), "empty")?;
    println!("\n{:<42}{:>10}{:>10}{:>8}", "microseconds each (processor / wall)", "empty", "grown", "ratio");
    for (ids, what) in [(Ids::Generated, "append, generated ids"), (Ids::Chosen, "append, chosen ids")] {
        let [mut in_empty, mut in_grown] = [Cost::default(); 2];
        for _ in 0..ROUNDS {
            in_empty += Cost::of(|| empty.append(APPENDS, ids, BUSY_ROOMS));
            in_grown += Cost::of(|| grown.append(APPENDS, ids, BUSY_ROOMS));
        }
        report(what, ROUNDS as u64 * APPENDS, in_empty, in_grown);
    }
    let [mut in_empty, mut in_grown] = [Cost::default(); 2];
    for _ in 0..ROUNDS {
        in_empty += Cost::of(|| empty.read_pages(&runtime, BUSY_ROOMS, empty.count));
        in_grown += Cost::of(|| grown.read_pages(&runtime, ROOMS, count));
    }
    report("a page of 50 at a random position", ROUNDS as u64 * PAGES, in_empty, in_grown);

    throughput(&Store::open(&runtime, folder.path(), "busy")?);
    Ok(())
}

/// Who has made the ids of messages: the server, or their authors.
#[derive(Clone, Copy)]
enum Ids {
    Generated,
    Chosen,
}

/// A history, and what is needed to fill it.
struct Store {
    path: PathBuf,
    history: SqliteHistory,
    rooms: Vec<RoomName>,
    users: Vec<(UserId, Username)>,
    gate: Arc<Gate>,
    /// The number of appended messages.
    count: u64,
}

impl Store {
    fn open(runtime: &Runtime, folder: &Path, name: &str) -> Fallible<Self> {
        let path = folder.join(format!("{name}.sqlite3"));
        let history = runtime.block_on(SqliteHistory::open(Database::open(&path)?))?;
        let rooms = (0..ROOMS).map(|i| RoomName::parse(&format!("room-{i}"))).collect::<Result<_, _>>()?;
        let users = (0..USERS).map(user).collect::<Fallible<_>>()?;
        Ok(Self { path, history, rooms, users, gate: Arc::default(), count: 0 })
    }

    fn message(&self, n: u64, ids: Ids, rooms: usize) -> NewMessage {
        let i = usize::try_from(n).unwrap_or_default();
        let (room, (user, from)) = (self.rooms[i % rooms].clone(), self.users[i / rooms % USERS].clone());
        let id = MessageId::from_random(u128::from(scatter(n)) << 64 | u128::from(n));
        NewMessage::new(room, user, from, format!("{n:0>128}"), id).idempotent(matches!(ids, Ids::Chosen))
    }

    /// Appends this number of messages and waits until all are stored.
    fn append(&mut self, count: u64, ids: Ids, rooms: usize) {
        for n in self.count..self.count + count {
            self.append_one(self.message(n, ids, rooms), WINDOW);
        }
        self.count += count;
        drop(self.gate.wait_until_below(1));
    }

    fn append_one(&self, message: NewMessage, window: usize) {
        self.gate.enter(window);
        let gate = Arc::clone(&self.gate);
        self.history.append(
            message.into(),
            Box::new(move |outcome| {
                if let Err(error) = outcome {
                    println!("a message was not stored: {error}");
                }
                gate.leave();
            }),
        );
    }

    /// Reads pages of this number of rooms with this number of messages in all.
    fn read_pages(&self, runtime: &Runtime, rooms: usize, count: u64) {
        let newest = count / rooms as u64;
        runtime.block_on(async {
            for n in 0..PAGES {
                let random = scatter(n + self.count);
                let room = self.rooms[usize::try_from(random).unwrap_or_default() % rooms].clone();
                let page =
                    Page::After { seq: scatter(random) % newest.max(51).saturating_sub(50), limit: 50 };
                match self.history.page(room, page, Retention::default()).await {
                    Ok(page) => assert!(!page.messages.is_empty(), "an empty page"),
                    Err(error) => println!("a page was not read: {error}"),
                }
            }
        });
    }
}

/// The id, as long as that of a guest, and the name of an author.
fn user(i: usize) -> Fallible<(UserId, Username)> {
    Ok((format!("g_{i:0>22}").parse()?, Username::parse(&format!("user-{i}"))?))
}

/// Several threads append as fast as the store accepts messages.
fn throughput(store: &Store) {
    const THREADS: u64 = 4;
    const EACH: u64 = 100_000;
    let cost = Cost::of(|| {
        std::thread::scope(|scope| {
            for thread in 0..THREADS {
                scope.spawn(move || {
                    for n in 0..EACH {
                        let message = store.message(thread * EACH + n, Ids::Chosen, BUSY_ROOMS);
                        store.append_one(message, WINDOW);
                    }
                });
            }
        });
        drop(store.gate.wait_until_below(1));
    });
    let count = (THREADS * EACH) as f64;
    println!(
        "\n{THREADS} threads, chosen ids: {:.0} messages/s, {:.1} us of processor time each",
        count / cost.wall.as_secs_f64(),
        cost.processor.as_secs_f64() * 1e6 / count
    );
}

/// Limits the appends in flight.
#[derive(Default)]
struct Gate {
    inside: Mutex<usize>,
    left: Condvar,
}

impl Gate {
    fn enter(&self, max: usize) {
        let mut inside = self.wait_until_below(max);
        *inside += 1;
    }

    fn leave(&self) {
        *self.inside.lock().unwrap_or_else(PoisonError::into_inner) -= 1;
        self.left.notify_all();
    }

    fn wait_until_below(&self, count: usize) -> std::sync::MutexGuard<'_, usize> {
        let inside = self.inside.lock().unwrap_or_else(PoisonError::into_inner);
        self.left.wait_while(inside, |inside| *inside >= count).unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Clone, Copy, Default)]
struct Cost {
    wall: Duration,
    processor: Duration,
}

impl Cost {
    fn of<T>(work: impl FnOnce() -> T) -> Self {
        let (begun, before) = (Instant::now(), processor_time());
        drop(work());
        Self { wall: begun.elapsed(), processor: processor_time().saturating_sub(before) }
    }
}

impl std::ops::AddAssign for Cost {
    fn add_assign(&mut self, other: Self) {
        self.wall += other.wall;
        self.processor += other.processor;
    }
}

fn report(what: &str, count: u64, empty: Cost, grown: Cost) {
    let each = |time: Duration| time.as_secs_f64() * 1e6 / count as f64;
    for (kind, empty, grown) in
        [("processor", empty.processor, grown.processor), ("wall", empty.wall, grown.wall)]
    {
        let (empty, grown) = (each(empty), each(grown));
        println!("{:<42}{empty:>10.1}{grown:>10.1}{:>8.2}", format!("{what}, {kind}"), grown / empty);
    }
}

/// The processor time of all threads that still run.
fn processor_time() -> Duration {
    let threads = std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let nanoseconds = threads.filter_map(|thread| {
        let text = std::fs::read_to_string(thread.path().join("schedstat")).ok()?;
        text.split_whitespace().next()?.parse::<u64>().ok()
    });
    Duration::from_nanos(nanoseconds.sum())
}

/// The median of 100 times.
fn fsync_time(folder: &Path) -> Fallible<Duration> {
    let mut file = std::fs::File::create(folder.join("fsync"))?;
    let mut times = Vec::new();
    for _ in 0..100 {
        file.write_all(&[7; 4096])?;
        let begun = Instant::now();
        file.sync_data()?;
        times.push(begun.elapsed());
    }
    times.sort_unstable();
    Ok(times[times.len() / 2])
}

/// Numbers that look random, the same in each run (the finaliser of SplitMix64).
fn scatter(n: u64) -> u64 {
    let n = n.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let n = (n ^ (n >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let n = (n ^ (n >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    n ^ (n >> 31)
}
