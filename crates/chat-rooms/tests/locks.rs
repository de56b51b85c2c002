//! Who waits for whom: a busy room delays neither other rooms nor those who join them. What is done
//! under a room's lock is counted in the unit tests of the engine.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use chat_db::sqlite::Database;
use chat_history::SqliteHistory;
use chat_presence::{MemoryPresence, NodeId};
use chat_protocol::{Event, Identity, RoomName};
use chat_rooms::{
    Encoding, EncodingId, Engine, EventSink, FrameSink, Frames, Membership, Sink, SinkClosed, Subscribe,
};
use parking_lot::Mutex;
use tokio::runtime::{Builder, Runtime};

/// The room that is busy, and another one.
const BUSY: &str = "busy";
const OTHER: &str = "other";

/// A text whose message makes its room busy.
const STALLS: &str = "stalls";

fn room(name: &str) -> RoomName {
    name.parse().unwrap()
}

/// A user that no other call returns.
fn guest(name: &str) -> Identity {
    Identity::one_time_guest(rand::random(), name.parse().unwrap())
}

/// An encoding that keeps the lock of a room: the engine asks for the size of a message under it.
struct Stalls {
    is_stalled: Sender<()>,
    go_on: Mutex<Receiver<()>>,
}

impl Encoding for Stalls {
    fn encode(&self, _: &Event, frame: &mut Vec<u8>) {
        frame.push(b'.');
    }

    fn size_hint(&self, event: &Event) -> usize {
        if let Event::Message { message, .. } = event
            && message.text().is_some_and(|text| *text.body == *STALLS)
        {
            self.is_stalled.send(()).unwrap();
            // until the test drops the sender
            let _ = self.go_on.lock().recv();
        }
        1
    }
}

/// A sink that discards everything.
struct Discard;

impl FrameSink for Discard {
    fn offer(&self, _: &[Frames]) -> Result<(), SinkClosed> {
        Ok(())
    }
}

/// An engine with a database, one of whose rooms is busy: something holds its lock.
struct Stalled {
    /// Dropped to let the room go on, before the runtime waits for its threads.
    go_on: Sender<()>,
    runtime: Runtime,
    engine: Engine,
    encoding: EncodingId,
    _busy: Arc<Membership>,
    _folder: tempfile::TempDir,
}

impl Stalled {
    fn new() -> Self {
        // more threads than the test keeps busy
        let runtime = Builder::new_multi_thread().worker_threads(4).enable_all().build().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let (is_stalled, stalled) = channel();
        let (go_on, on) = channel();
        let encoding = EncodingId::new();
        let (engine, busy) = runtime.block_on(async {
            let database = Database::open(&folder.path().join("chat.sqlite3")).unwrap();
            let engine = Engine::builder(MemoryPresence::new(NodeId::new("here")))
                .history(SqliteHistory::open(database).await.unwrap())
                .encoding(encoding, Stalls { is_stalled, go_on: Mutex::new(on) })
                .start()
                .await
                .unwrap();
            let busy = Arc::new(join(&engine, "ana", BUSY, encoding).await);
            // in a task of its own: a message that is stored quickly is sent to the room by its
            // sender, who then stays in the encoding
            let sender = Arc::clone(&busy);
            tokio::spawn(async move { sender.submit(STALLS).await.map(drop) });
            (engine, busy)
        });
        stalled.recv_timeout(Duration::from_secs(20)).expect("the room is busy");
        Self { go_on, runtime, engine, encoding, _busy: busy, _folder: folder }
    }

    /// Runs a future to its end, which must not depend on the busy room.
    fn run<T: Send + 'static>(&self, what: &str, future: impl Future<Output = T> + Send + 'static) -> T {
        let (done, result) = channel();
        self.runtime.spawn(async move { done.send(future.await) });
        result
            .recv_timeout(Duration::from_secs(20))
            .unwrap_or_else(|_| panic!("{what} waits for a busy room"))
    }
}

async fn join(engine: &Engine, name: &str, to: &str, encoding: EncodingId) -> Membership {
    let sink = Sink::Frames { encoding, sink: Arc::new(Discard) };
    engine.join(&guest(name), &room(to), Subscribe::new(sink)).await.unwrap()
}

#[test]
fn the_writer_of_the_database_does_not_wait_for_a_busy_room() {
    let stalled = Stalled::new();
    let (engine, encoding) = (stalled.engine.clone(), stalled.encoding);
    let sending = async move { join(&engine, "bob", OTHER, encoding).await.send("hello").await };
    let stored = stalled.run("a message in another room", sending).expect("a stored message");
    assert_eq!(stored.seq, 1);
    drop(stalled.go_on);
}

#[test]
fn joining_a_busy_room_does_not_delay_those_who_join_another() {
    let stalled = Stalled::new();
    // waits for the lock of the busy room
    let (waiting, starts) = channel();
    let (engine, runtime) = (stalled.engine.clone(), stalled.runtime.handle().clone());
    let waiting = std::thread::spawn(move || {
        let (cid, busy) = (guest("cid"), room(BUSY));
        let admitting = engine.admit(&cid, &busy);
        waiting.send(()).unwrap();
        runtime.block_on(admitting).map(drop)
    });
    starts.recv().unwrap();
    for _ in 0..1_000 {
        let engine = stalled.engine.clone();
        let admitting = async move { engine.admit(&guest("bob"), &room(OTHER)).await.map(drop) };
        stalled.run("a join of another room", admitting).unwrap();
    }
    drop(stalled.go_on);
    waiting.join().unwrap().expect("the room goes on");
}

/// A sink that records how many members its room has each time that it is probed.
struct Watcher {
    engine: Arc<OnceLock<Engine>>,
    counts: Arc<Mutex<Vec<usize>>>,
}

impl EventSink for Watcher {
    fn offer(&self, _: &Arc<Event>) -> Result<(), SinkClosed> {
        Ok(())
    }

    fn probe(&self) {
        let engine = self.engine.get().unwrap();
        let count = engine.members_after(&room(BUSY), None, 0).map_or(0, |(_, count)| count);
        self.counts.lock().push(count);
    }
}

#[tokio::test]
async fn a_room_is_closed_in_pieces() {
    const MEMBERS: usize = 1_000;
    const PIECE: usize = 256;
    let engine = Engine::builder(MemoryPresence::new(NodeId::new("here"))).start().await.unwrap();
    let (shared, counts) = (Arc::new(OnceLock::new()), Arc::new(Mutex::new(Vec::new())));
    let mut members = Vec::new();
    for i in 0..MEMBERS {
        let sink = Watcher { engine: Arc::clone(&shared), counts: Arc::clone(&counts) };
        let subscribe = Subscribe::new(Sink::Events(Arc::new(sink)));
        members.push(engine.join(&guest(&format!("p{i}")), &room(BUSY), subscribe).await.unwrap());
    }
    shared.set(engine.clone()).unwrap();
    assert_eq!(engine.close_room(&room(BUSY)), MEMBERS);
    assert!(members.iter().all(Membership::was_removed));

    // the room was unlocked after each piece
    let mut counts = std::mem::take(&mut *counts.lock());
    assert_eq!(counts.len(), MEMBERS, "each sink is probed once");
    counts.insert(0, MEMBERS);
    for pair in counts.windows(2) {
        assert!(pair[0] - pair[1] <= PIECE, "{} members were removed at once", pair[0] - pair[1]);
    }
    assert_eq!(counts.last(), Some(&0));
}
