//! Sinks and encodings: each event is encoded once, and a fault affects only its own members.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use chat_presence::{MemoryPresence, NodeId};
use chat_protocol::Event;
use chat_rooms::{Encoding, EncodingId, Engine, FrameSink, Frames, SendError, Sink, SinkClosed, Subscribe};
use futures::StreamExt;
use tokio::sync::Notify;

use crate::support::{brief, engine, guest, join, next, room, user};

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_reader_is_removed_and_the_others_are_not_affected() {
    let engine = engine().await;
    let (ana, mut anas) = join(&engine, "ana").await;
    let (sink, mut slow_events) = Sink::channel(10);
    let slow = engine.join(&guest("slow"), &room("r"), Subscribe::new(sink).with_lists()).await.unwrap();
    for i in 0..100 {
        ana.submit(i.to_string()).await.unwrap();
    }
    let received: Vec<String> = (&mut anas).take(103).map(|event| brief(&event)).collect().await;
    let messages: Vec<_> = received.iter().filter_map(|event| event.strip_prefix("ana:")).collect();
    assert_eq!(messages, (0..100).map(|i| i.to_string()).collect::<Vec<_>>());
    assert_eq!(received.iter().filter(|event| *event == "-slow").count(), 1);

    assert!(!slow.is_member());
    assert!(matches!(slow.submit("late").await, Err(SendError::NotAMember)));
    assert!(!engine.is_present(&room("r"), &user("slow")).await.unwrap());
    let (successor, _) = join(&engine, "slow").await;
    drop(slow);
    assert!(successor.is_member(), "dropping the old membership does not affect the new one");
    let mut read = 0;
    while slow_events.next().await.is_some() {
        read += 1;
    }
    assert_eq!(read, 10, "delivered events can be read, then the stream ends");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sink_that_panics_removes_only_its_own_member() {
    struct Panics;
    impl chat_rooms::EventSink for Panics {
        fn offer(&self, _: &Arc<Event>) -> Result<(), SinkClosed> {
            panic!("a fault of this sink, on purpose");
        }
    }
    let engine = engine().await;
    let (ana, mut anas) = join(&engine, "ana").await;
    let bad = engine
        .join(&guest("bad"), &room("r"), Subscribe::new(Sink::Events(Arc::new(Panics))).with_lists())
        .await
        .unwrap();
    for expected in ["+ana", "+bad", "-bad"] {
        assert_eq!(next(&mut anas).await, expected);
    }
    assert!(!bad.is_member());
    ana.submit("still here").await.unwrap();
    assert_eq!(next(&mut anas).await, "ana:still here");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_encoding_that_panics_fails_its_members_only() {
    struct Panics;
    impl Encoding for Panics {
        fn encode(&self, event: &Event, _: &mut Vec<u8>) {
            assert!(!brief(event).ends_with("boom"), "a fault of this encoding, on purpose");
        }
        fn size_hint(&self, _: &Event) -> usize {
            1
        }
    }
    #[derive(Default)]
    struct FailureSink(Notify);
    impl FrameSink for FailureSink {
        fn offer(&self, _: &[Frames]) -> Result<(), SinkClosed> {
            Ok(())
        }
        fn fail(&self) {
            self.0.notify_one();
        }
    }
    let builder = Engine::builder(MemoryPresence::new(NodeId::new("here")));
    let encoding = EncodingId::new();
    let builder = builder.encoding(encoding, Panics);
    let engine = builder.start().await.unwrap();
    let (ana, mut anas) = join(&engine, "ana").await;
    let failed = Arc::new(FailureSink::default());
    let sink = Sink::Frames { encoding, sink: Arc::clone(&failed) as _ };
    let bad = engine.join(&guest("bad"), &room("r"), Subscribe::new(sink).with_lists()).await.unwrap();
    ana.submit("boom").await.unwrap();
    for expected in ["+ana", "+bad", "ana:boom", "-bad"] {
        assert_eq!(next(&mut anas).await, expected);
    }
    failed.0.notified().await;
    assert!(!bad.is_member());
}

/// A sink that discards everything.
struct Discard;

impl FrameSink for Discard {
    fn offer(&self, _: &[Frames]) -> Result<(), SinkClosed> {
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_is_encoded_once_per_encoding_in_use() {
    /// Counts its calls.
    struct CountCalls(Arc<AtomicUsize>);
    impl Encoding for CountCalls {
        fn encode(&self, _: &Event, frame: &mut Vec<u8>) {
            self.0.fetch_add(1, Ordering::Relaxed);
            frame.push(b'.');
        }

        fn size_hint(&self, _: &Event) -> usize {
            1
        }
    }
    for members in [1, 10, 80] {
        let builder = Engine::builder(MemoryPresence::new(NodeId::new("here")));
        let counters = [(); 3].map(|()| Arc::new(AtomicUsize::new(0)));
        let encodings = [(); 3].map(|()| EncodingId::new());
        let builder = counters
            .iter()
            .zip(encodings)
            .fold(builder, |builder, (counter, id)| builder.encoding(id, CountCalls(Arc::clone(counter))));
        let engine = builder.start().await.unwrap();
        let mut crowd = Vec::new();
        for i in 0..members * 2 {
            // no member uses the third encoding
            let sink = Sink::Frames { encoding: encodings[i % 2], sink: Arc::new(Discard) };
            crowd.push(
                engine
                    .join(&guest(&format!("p{i}")), &room("r"), Subscribe::new(sink).with_lists())
                    .await
                    .unwrap(),
            );
        }
        crowd[0].idle().await;
        counters.iter().for_each(|counter| counter.store(0, Ordering::Relaxed));
        for i in 0..50 {
            crowd[0].submit(i.to_string()).await.unwrap();
        }
        crowd[0].idle().await;
        let encoded = counters.map(|counter| counter.load(Ordering::Relaxed));
        assert_eq!(encoded, [50, 50, 0], "{} members", members * 2);
    }
}
