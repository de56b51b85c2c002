//! The engine through its public API, with typed events.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use chat_db::Database;
use chat_presence::{Holder, MemoryPresence, NewPresence, NodeId, PresenceStore, SqlitePresence, StoreError};
use chat_protocol::v2::{ErrorCode, NoticeLevel};
use chat_protocol::{Content, Event, Identity, Member, MemberId, RoomName, Text, Username};
use chat_rooms::{
    Encoding, EncodingId, Engine, Events, FrameSink, Frames, JoinError, Membership, RoomUsage, SendError,
    Sink, SinkClosed, Subscribe,
};
use futures::StreamExt;
use futures::future::{BoxFuture, FutureExt, join_all};
use tokio::sync::{Notify, watch};

fn room(name: &str) -> RoomName {
    name.parse().unwrap()
}

fn user(name: &str) -> Username {
    name.parse().unwrap()
}

/// A user that no other call returns.
fn guest(name: &str) -> Identity {
    Identity::one_time_guest(rand::random(), user(name))
}

async fn engine() -> Engine {
    Engine::builder(MemoryPresence::new(NodeId::new("here"))).start().await.unwrap()
}

async fn join(engine: &Engine, name: &str) -> (Membership, Events) {
    let (sink, events) = Sink::channel(100_000);
    (engine.join(&guest(name), &room("r"), Subscribe::new(sink).with_lists()).await.unwrap(), events)
}

fn names(members: &[Arc<Member>]) -> String {
    members.iter().map(|member| member.username.as_str()).collect::<Vec<_>>().join(" ")
}

/// A short text for an event, for comparisons.
fn brief(event: &Event) -> String {
    match event {
        Event::Entered { group, .. } => format!("+{}", names(group)),
        Event::Left { group, .. } => format!("-{}", names(group)),
        Event::Message { message, .. } => match &message.content {
            Content::Text(Text { from, body, .. }) => format!("{from}:{body}"),
            _ => format!("#{}", message.seq),
        },
        Event::Notice { body, .. } => format!("*{body}"),
        Event::Refused { reason, .. } => format!("!{reason}"),
        other => format!("{other:?}"),
    }
}

async fn next(events: &mut Events) -> String {
    let event = tokio::time::timeout(Duration::from_secs(20), events.next()).await;
    brief(&event.expect("an event in time").expect("an event"))
}

/// Polls until the condition holds; panics with `what` after 20 s.
async fn until<F: Future<Output = bool>>(what: &str, condition: impl Fn() -> F) {
    let polling = async {
        while !condition().await {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), polling).await.expect(what);
}

#[tokio::test]
async fn members_join_send_and_leave() {
    let engine = engine().await;
    let (ana, mut anas) = join(&engine, "ana").await;
    let (bob, mut bobs) = join(&engine, "bob").await;
    bob.submit("hi").await.unwrap();
    bob.refuse(ErrorCode::BadJson, "nonsense", None).unwrap();
    ana.submit("").await.unwrap();
    assert!(engine.notice(&room("r"), NoticeLevel::Info, "tea"));
    assert_eq!(names(engine.members(&room("r")).unwrap().first()), "ana bob");
    for expected in ["+bob", "bob:hi", "!nonsense", "ana:", "*tea"] {
        assert_eq!(next(&mut bobs).await, expected);
    }
    bob.leave();
    for expected in ["+ana", "+bob", "bob:hi", "ana:", "*tea", "-bob"] {
        assert_eq!(next(&mut anas).await, expected);
    }
    assert!(bobs.next().await.is_none());
    drop(ana);
    assert!(engine.members(&room("r")).is_none());
    assert!(!engine.notice(&room("r"), NoticeLevel::Info, "nobody is here"));
    assert_eq!(engine.room_count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_100_joins_with_one_name_exactly_one_succeeds() {
    let engine = engine().await;
    for _ in 0..20 {
        let joins = (0..100).map(|_| {
            let engine = engine.clone();
            tokio::spawn(async move {
                let (sink, events) = Sink::channel(100);
                engine
                    .join(&guest("ana"), &room("r"), Subscribe::new(sink).with_lists())
                    .await
                    .map(|member| (member, events))
            })
        });
        let results: Vec<_> = join_all(joins).await.into_iter().map(Result::unwrap).collect();
        assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1);
        let refused = |result: &Result<_, JoinError>| matches!(result, Err(JoinError::NameTaken));
        assert_eq!(results.iter().filter(|result| refused(result)).count(), 99);
        assert!(engine.is_present(&room("r"), &user("ana")).await.unwrap());
        drop(results);
        assert!(!engine.is_present(&room("r"), &user("ana")).await.unwrap(), "the name is free at once");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_admission_frees_the_name_and_removes_the_row() {
    let store = MemoryPresence::new(NodeId::new("here"));
    let other_node = store.for_node(NodeId::new("there"));
    let engine = Engine::builder(store).start().await.unwrap();
    let admission = engine.admit(&guest("ana"), &room("r")).await.unwrap();
    assert!(engine.is_present(&room("r"), &user("ana")).await.unwrap());
    assert!(engine.members(&room("r")).is_none(), "the room has no members yet");
    drop(admission);
    assert!(!engine.is_present(&room("r"), &user("ana")).await.unwrap());
    assert_eq!(engine.room_count(), 0);
    until("the row is gone", async || !other_node.is_present(room("r"), user("ana")).await.unwrap()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn all_members_receive_all_messages_in_the_same_order() {
    const EACH: usize = 500;
    let engine = engine().await;
    let joined = join_all((0..8).map(|i| {
        let engine = engine.clone();
        async move { join(&engine, &format!("p{i}")).await }
    }))
    .await;
    let (members, streams): (Vec<_>, Vec<_>) = joined.into_iter().unzip();
    let sending = members.iter().map(|member| async {
        for i in 0..EACH {
            member.submit(format!("{i}")).await.unwrap();
        }
    });
    join_all(sending).await;
    let received = join_all(streams.into_iter().map(|events| async {
        let messages =
            events.filter_map(async |event| Some(brief(&event)).filter(|event| event.contains(':')));
        messages.take(8 * EACH).collect::<Vec<_>>().await
    }))
    .await;
    for messages in &received {
        assert!(messages == &received[0], "the same order for all");
    }
    for i in 0..8 {
        let of_one: Vec<_> =
            received[0].iter().filter_map(|message| message.strip_prefix(&format!("p{i}:"))).collect();
        assert!(of_one.into_iter().eq((0..EACH).map(|i| i.to_string())));
    }
}

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

#[tokio::test(flavor = "multi_thread")]
async fn coalesced_events_of_a_large_room_add_up() {
    let engine = engine().await;
    let mut crowd = Vec::new();
    for i in 0..110 {
        crowd.push(join(&engine, &format!("p{i:03}")).await);
    }
    crowd.truncate(105);
    let joined = join_all((200..230).map(|i| {
        let engine = engine.clone();
        async move { join(&engine, &format!("p{i}")).await }
    }))
    .await;
    crowd.extend(joined);
    let present: BTreeSet<String> = crowd.iter().map(|(m, _)| m.member().username.to_string()).collect();
    assert_eq!(engine.members(&room("r")).unwrap().total(), 135);

    for (member, events) in &mut crowd {
        let own = format!("+{}", member.member().username);
        let mut seen = BTreeSet::new();
        let mut own_joins = 0;
        let listed = |members: &chat_protocol::MemberList| {
            members.first().iter().map(|m| m.username.to_string()).collect::<BTreeSet<_>>()
        };
        while seen != present || own_joins == 0 {
            let event = events.next().await.unwrap();
            match &*event {
                Event::Entered { members, .. } if brief(&event) == own => {
                    own_joins += 1;
                    seen = listed(members);
                }
                Event::Entered { group, .. } => {
                    group.iter().for_each(|m| assert!(seen.insert(m.username.to_string())));
                }
                Event::Left { group, .. } => {
                    group.iter().for_each(|m| assert!(seen.remove(m.username.as_str())));
                }
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(own_joins, 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn presence_rows_follow_members_and_stale_rows_are_removed() {
    let folder = tempfile::tempdir().unwrap();
    let database = Database::open(&folder.path().join("chat.sqlite3")).unwrap();
    let store = || SqlitePresence::new(database.clone(), NodeId::new("here"));
    store()
        .join(NewPresence::new(
            room("r"),
            guest("ghost").id().clone(),
            user("ghost"),
            chat_protocol::ChannelName::new(1),
            chat_protocol::Timestamp::from_millis(0),
        ))
        .await
        .unwrap();
    let engine = Engine::builder(store()).start().await.unwrap();
    let rows = store();
    assert!(rows.members(room("r")).await.unwrap().is_empty(), "rows of the previous run are removed");

    let (ana, _anas) = join(&engine, "ana").await;
    let (bob, _bobs) = join(&engine, "bob").await;
    let stored = rows.members(room("r")).await.unwrap();
    assert_eq!(stored, [(**ana.member()).clone(), (**bob.member()).clone()]);
    drop(ana);
    until("the row is gone", async || rows.members(room("r")).await.unwrap() == [(**bob.member()).clone()])
        .await;

    engine.shutdown().await.unwrap();
    assert!(rows.members(room("r")).await.unwrap().is_empty());
    assert!(matches!(engine.admit(&guest("late"), &room("r")).await, Err(JoinError::Closing)));
    database.close().await;
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

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Works,
    Fails,
    /// Does not answer until the mode changes.
    Hangs,
}

/// A store whose failures the test controls.
#[derive(Debug)]
struct Faulty {
    inner: MemoryPresence,
    mode: watch::Receiver<Mode>,
}

impl Faulty {
    fn check_mode(&self) -> Result<(), StoreError> {
        if *self.mode.borrow() == Mode::Works { Ok(()) } else { Err(StoreError::other("on purpose")) }
    }
}

impl PresenceStore for Faulty {
    fn node(&self) -> &NodeId {
        self.inner.node()
    }

    fn join(&self, new: NewPresence) -> BoxFuture<'_, Result<MemberId, chat_presence::JoinError>> {
        async move {
            self.mode.clone().wait_for(|mode| *mode != Mode::Hangs).await.unwrap();
            self.check_mode()?;
            self.inner.join(new).await
        }
        .boxed()
    }

    fn leave(&self, ids: Vec<MemberId>) -> BoxFuture<'_, Result<(), StoreError>> {
        async move {
            self.check_mode()?;
            self.inner.leave(ids).await
        }
        .boxed()
    }

    fn members(&self, room: RoomName) -> BoxFuture<'_, Result<Vec<Member>, StoreError>> {
        self.inner.members(room)
    }

    fn holder(
        &self,
        room: RoomName,
        username: Username,
    ) -> BoxFuture<'_, Result<Option<Holder>, StoreError>> {
        self.inner.holder(room, username)
    }

    fn clear(&self) -> BoxFuture<'_, Result<u64, StoreError>> {
        self.inner.clear()
    }

    fn check(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        async move { self.check_mode() }.boxed()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failing_presence_store_rejects_joins_and_does_not_affect_members() {
    let (set_mode, mode) = watch::channel(Mode::Works);
    let inner = MemoryPresence::new(NodeId::new("here"));
    let rows = inner.for_node(NodeId::new("there"));
    let engine = Engine::builder(Faulty { inner, mode }).start().await.unwrap();
    let (ana, mut anas) = join(&engine, "ana").await;
    let (bob, _) = join(&engine, "bob").await;

    set_mode.send_replace(Mode::Fails);
    assert!(matches!(engine.check().await, Err(JoinError::Store(_))));
    assert!(matches!(engine.admit(&guest("eve"), &room("r")).await, Err(JoinError::Store(_))));
    drop(bob);
    ana.submit("on").await.unwrap();
    for expected in ["+ana", "+bob", "-bob", "ana:on"] {
        assert_eq!(next(&mut anas).await, expected, "eve is not announced, and the room still works");
    }
    assert!(rows.is_present(room("r"), user("bob")).await.unwrap(), "bob's row cannot be removed yet");

    set_mode.send_replace(Mode::Works);
    engine.check().await.unwrap();
    let (eve, _) = join(&engine, "eve").await;
    assert!(eve.is_member());
    until("bob's row is gone", async || !rows.is_present(room("r"), user("bob")).await.unwrap()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_admit_frees_the_name_at_once_and_the_row_later() {
    let (set_mode, mode) = watch::channel(Mode::Hangs);
    let inner = MemoryPresence::new(NodeId::new("here"));
    let rows = inner.for_node(NodeId::new("there"));
    let engine = Engine::builder(Faulty { inner, mode }).start().await.unwrap();
    let admitting = tokio::spawn({
        let engine = engine.clone();
        async move { engine.admit(&guest("ana"), &room("r")).await }
    });
    let is_taken = async || engine.is_present(&room("r"), &user("ana")).await.unwrap();
    until("the name is reserved", is_taken).await;
    admitting.abort();
    until("the name is free, although the store hangs", async || !is_taken().await).await;
    assert_eq!(engine.room_count(), 0);

    set_mode.send_replace(Mode::Works);
    let (bob, _events) = join(&engine, "bob").await;
    let only_bob = async || rows.members(room("r")).await.unwrap() == [(**bob.member()).clone()];
    until("the late row is removed", only_bob).await;
}

#[tokio::test]
async fn usage_covers_the_time_since_it_was_last_taken() {
    let builder = Engine::builder(MemoryPresence::new(NodeId::new("here")));
    let builder = builder.count_usage(true);
    let engine = builder.start().await.unwrap();
    let (ana, mut events) = join(&engine, "ana").await;
    let (bob, _bobs) = join(&engine, "bob").await;
    drop(bob);
    ana.submit("hello").await.unwrap();
    ana.submit("bé").await.unwrap();
    while next(&mut events).await != "ana:bé" {}
    let used = engine.take_usage();
    let expected = RoomUsage { peak_members: 2, messages: 2, bytes: 8 };
    assert_eq!(used.into_iter().collect::<Vec<_>>(), [(room("r"), expected)]);
    assert!(engine.take_usage().is_empty());
    drop(ana);
    // the room is gone, but its usage is not
    let (cleo, _cleos) = join(&engine, "cleo").await;
    drop(cleo);
    until("the room is gone", async || engine.room_count() == 0).await;
    assert_eq!(engine.take_usage()[&room("r")].peak_members, 1);
    let without_usage = self::engine().await;
    drop(join(&without_usage, "ana").await);
    assert!(without_usage.take_usage().is_empty());
}
