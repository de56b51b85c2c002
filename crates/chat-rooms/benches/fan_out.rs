//! The cost of sending a message to a room, with sinks in memory: `cargo bench -p chat-rooms`.
//!
//! The classic list of members makes the events of a big room large. The frames here are therefore
//! the message alone, so that the engine is timed and not a dialect. Allocations are counted as
//! well: they do not grow with the number of members.
#![allow(missing_docs, clippy::unwrap_used)]

use std::io::{self, IoSlice};
use std::sync::Arc;
use std::task::{Context, Poll};

use chat_outbox::{BacklogLimits, Outbox, Transport};
use chat_presence::{MemoryPresence, NodeId};
use chat_protocol::{Event, Identity};
use chat_rooms::{Encoding, EncodingId, Engine, FrameSink, Frames, Membership, Sink, SinkClosed, Subscribe};
use divan::counter::ItemsCount;
use divan::{AllocProfiler, Bencher};
use tokio::runtime::{Builder, Runtime};

#[global_allocator]
static ALLOCATOR: AllocProfiler = AllocProfiler::system();

const MESSAGE: &str = match str::from_utf8(&[b'x'; 128]) {
    Ok(text) => text,
    Err(_) => unreachable!(),
};

/// How many messages are sent together, as by one publisher with this many in flight.
const IN_FLIGHT: usize = 8;

fn main() {
    divan::main();
}

/// Encodes the text of a message, and nothing else.
struct Plain;

impl Encoding for Plain {
    fn encode(&self, event: &Event, frame: &mut Vec<u8>) {
        if let Event::Message { message, .. } = event
            && let Some(text) = message.text()
        {
            frame.extend_from_slice(text.body.as_bytes());
        }
    }

    fn size_hint(&self, _: &Event) -> usize {
        MESSAGE.len()
    }
}

/// A sink that accepts everything.
struct Ready;

impl FrameSink for Ready {
    fn offer(&self, frames: &[Frames]) -> Result<(), SinkClosed> {
        divan::black_box(frames.iter().map(|frames| frames.as_bytes().len()).sum::<usize>());
        Ok(())
    }
}

/// A socket that accepts everything at once.
struct Socket;

impl Transport for Socket {
    fn try_write(&self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
        Ok(divan::black_box(pieces.iter().map(|piece| piece.len()).sum()))
    }

    fn poll_writable(&self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

struct Room {
    runtime: Runtime,
    memberships: Vec<Membership>,
}

fn room(members: usize, sink: impl Fn() -> Arc<dyn FrameSink>) -> Room {
    let runtime = Builder::new_multi_thread().worker_threads(1).enable_time().build().unwrap();
    let memberships = runtime.block_on(async {
        let builder = Engine::builder(MemoryPresence::new(NodeId::new("here")));
        let encoding = EncodingId::new();
        let builder = builder.encoding(encoding, Plain);
        let engine = builder.start().await.unwrap();
        let mut memberships = Vec::with_capacity(members);
        for i in 0..members {
            let sink = Sink::Frames { encoding, sink: sink() };
            let user = Identity::one_time_guest(i as u128, format!("p{i}").parse().unwrap());
            memberships.push(
                engine.join(&user, &"r".parse().unwrap(), Subscribe::new(sink).with_lists()).await.unwrap(),
            );
        }
        // joins are coalesced for a moment in a room of this size
        tokio::time::sleep(chat_protocol::COALESCE_WINDOW * 2).await;
        memberships[0].idle().await;
        memberships
    });
    Room { runtime, memberships }
}

impl Room {
    fn publish(&self, messages: usize) {
        self.runtime.block_on(async {
            for _ in 0..messages {
                self.memberships[0].submit(MESSAGE).await.unwrap();
            }
            self.memberships[0].idle().await;
        });
    }
}

/// One message to all members, from `submit` until it was offered to the last one.
#[divan::bench(args = [10, 100, 1_000, 10_000])]
fn one_message(bencher: Bencher<'_, '_>, members: usize) {
    let room = room(members, || Arc::new(Ready));
    bencher.counter(ItemsCount::new(members)).bench_local(|| room.publish(1));
}

/// As many messages as a publisher has in flight, to all members.
#[divan::bench(args = [10, 100, 1_000, 10_000])]
fn several_in_flight(bencher: Bencher<'_, '_>, members: usize) {
    let room = room(members, || Arc::new(Ready));
    bencher.counter(ItemsCount::new(members * IN_FLIGHT)).bench_local(|| room.publish(IN_FLIGHT));
}

/// The same through real outboxes on sockets that accept everything.
#[divan::bench(args = [1_000])]
fn through_outboxes(bencher: Bencher<'_, '_>, members: usize) {
    let room = room(members, || Arc::new(Outbox::new(Socket, BacklogLimits::default())));
    bencher.counter(ItemsCount::new(members)).bench_local(|| room.publish(1));
}

/// Offers frames to an outbox whose socket accepts everything: nothing is allocated.
#[divan::bench]
fn outbox_takes_at_once(bencher: Bencher<'_, '_>) {
    let outbox = Outbox::new(Socket, BacklogLimits::default());
    let frames = [Frames::one(MESSAGE.into())];
    bencher.bench_local(|| outbox.offer(&frames));
}
