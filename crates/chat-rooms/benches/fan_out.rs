//! What telling a room something costs, with outlets in memory: `cargo bench -p chat-rooms`.
//!
//! The classic list of members makes an event of a big room large, so the frames here are the message alone: it is the engine
//! that is timed, not a dialect. The allocations are counted, too: they do not grow with the members.
#![allow(missing_docs, clippy::unwrap_used)]

use std::io::{self, IoSlice};
use std::sync::Arc;
use std::task::{Context, Poll};

use chat_outbox::{BacklogLimits, Outbox, Transport};
use chat_presence::{MemoryPresence, NodeId};
use chat_protocol::{Content, Event};
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

/// How many messages go out together, as one publisher with so many in flight sends them.
const IN_FLIGHT: usize = 8;

fn main() {
    divan::main();
}

/// The message as it is.
struct Plain;

impl Encoding for Plain {
    fn encode(&self, event: &Event, frame: &mut Vec<u8>) {
        if let Event::Message { message, .. } = event
            && let Content::Said { body, .. } = &message.content
        {
            frame.extend_from_slice(body.as_bytes());
        }
    }

    fn size_hint(&self, _: &Event) -> usize {
        MESSAGE.len()
    }
}

/// Takes everything.
struct Ready;

impl FrameSink for Ready {
    fn offer(&self, frames: &[Frames]) -> Result<(), SinkClosed> {
        divan::black_box(frames.iter().map(|frames| frames.as_bytes().len()).sum::<usize>());
        Ok(())
    }
}

/// A socket that takes everything at once.
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
    crowd: Vec<Membership>,
}

fn room(members: usize, sink: impl Fn() -> Arc<dyn FrameSink>) -> Room {
    let runtime = Builder::new_multi_thread().worker_threads(1).enable_time().build().unwrap();
    let crowd = runtime.block_on(async {
        let builder = Engine::builder(MemoryPresence::new(NodeId::new("here")));
        let encoding = EncodingId::new();
        let builder = builder.encoding(encoding, Plain);
        let engine = builder.start().await.unwrap();
        let mut crowd = Vec::with_capacity(members);
        for i in 0..members {
            let outlet = Sink::Frames { encoding, sink: sink() };
            let name = format!("p{i}").parse().unwrap();
            crowd.push(
                engine.join(&"r".parse().unwrap(), &name, Subscribe::new(outlet).with_lists()).await.unwrap(),
            );
        }
        // comings are gathered for a moment in a room of this size
        tokio::time::sleep(chat_protocol::COALESCE_WINDOW * 2).await;
        crowd[0].idle().await;
        crowd
    });
    Room { runtime, crowd }
}

impl Room {
    fn tell(&self, messages: usize) {
        self.runtime.block_on(async {
            for _ in 0..messages {
                self.crowd[0].submit(MESSAGE).await.unwrap();
            }
            self.crowd[0].idle().await;
        });
    }
}

/// One message to everyone, from `send` until it was offered to the last.
#[divan::bench(args = [10, 100, 1_000, 10_000])]
fn one_message(bencher: Bencher<'_, '_>, members: usize) {
    let room = room(members, || Arc::new(Ready));
    bencher.counter(ItemsCount::new(members)).bench_local(|| room.tell(1));
}

/// As many messages as a publisher has in flight, to everyone.
#[divan::bench(args = [10, 100, 1_000, 10_000])]
fn several_in_flight(bencher: Bencher<'_, '_>, members: usize) {
    let room = room(members, || Arc::new(Ready));
    bencher.counter(ItemsCount::new(members * IN_FLIGHT)).bench_local(|| room.tell(IN_FLIGHT));
}

/// The same through real outboxes on sockets that take everything.
#[divan::bench(args = [1_000])]
fn through_outboxes(bencher: Bencher<'_, '_>, members: usize) {
    let room = room(members, || Arc::new(Outbox::new(Socket, BacklogLimits::default())));
    bencher.counter(ItemsCount::new(members)).bench_local(|| room.tell(1));
}

/// Offering to an outbox whose socket takes everything: nothing is allocated.
#[divan::bench]
fn outbox_takes_at_once(bencher: Bencher<'_, '_>) {
    let outbox = Outbox::new(Socket, BacklogLimits::default());
    let frames = [Frames::one(MESSAGE.into())];
    bencher.bench_local(|| outbox.offer(&frames));
}
