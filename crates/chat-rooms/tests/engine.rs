//! The engine through its public face, with typed events.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use chat_db::Database;
use chat_presence::{MemoryPresence, NewPresence, NodeId, PresenceStore, SqlitePresence, StoreError};
use chat_protocol::v2::{ErrorCode, NoticeLevel};
use chat_protocol::{Content, Event, Member, MemberId, RoomName, Username};
use chat_rooms::{
    Encoding, Engine, Events, FrameSink, Frames, JoinError, Membership, Outlet, PutOut, RoomUsage, SendError,
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

async fn engine() -> Engine {
    Engine::builder(MemoryPresence::new(NodeId::new("here"))).start().await.unwrap()
}

async fn join(engine: &Engine, name: &str) -> (Membership, Events) {
    let (outlet, events) = Outlet::channel(100_000);
    (engine.join(&room("r"), &user(name), outlet).await.unwrap(), events)
}

fn names(who: &[Arc<Member>]) -> String {
    who.iter().map(|member| member.username.as_str()).collect::<Vec<_>>().join(" ")
}

/// An event in a word, for comparing.
fn brief(event: &Event) -> String {
    match event {
        Event::Entered { who, .. } => format!("+{}", names(who)),
        Event::Left { who, .. } => format!("-{}", names(who)),
        Event::Message { message, .. } => match &message.content {
            Content::Said { from, body, .. } => format!("{from}:{body}"),
            Content::Erased => format!("#{}", message.seq),
        },
        Event::Notice { body, .. } => format!("*{body}"),
        Event::Refused { reason, .. } => format!("!{reason}"),
        Event::Told(frame) => format!("{frame:?}"),
    }
}

async fn next(events: &mut Events) -> String {
    brief(&events.next().await.unwrap())
}

/// Resolves when the condition holds; it has to come about by itself.
async fn until<F: Future<Output = bool>>(what: &str, condition: impl Fn() -> F) {
    let looking = async {
        while !condition().await {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), looking).await.expect(what);
}

#[tokio::test]
async fn people_come_speak_and_go() {
    let engine = engine().await;
    let (ana, mut anas) = join(&engine, "ana").await;
    let (bob, mut bobs) = join(&engine, "bob").await;
    bob.send("hi").await.unwrap();
    bob.refuse(ErrorCode::BadJson, "nonsense", None).unwrap();
    ana.send("").await.unwrap();
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
    assert!(!engine.notice(&room("r"), NoticeLevel::Info, "nobody hears"));
    assert_eq!(engine.room_count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_hundred_who_want_a_name_one_gets_it() {
    let engine = engine().await;
    for _ in 0..20 {
        let asked = (0..100).map(|_| {
            let engine = engine.clone();
            tokio::spawn(async move {
                let (outlet, events) = Outlet::channel(100);
                engine.join(&room("r"), &user("ana"), outlet).await.map(|member| (member, events))
            })
        });
        let answers: Vec<_> = join_all(asked).await.into_iter().map(Result::unwrap).collect();
        assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1);
        let refused = |answer: &Result<_, JoinError>| matches!(answer, Err(JoinError::NameTaken));
        assert_eq!(answers.iter().filter(|answer| refused(answer)).count(), 99);
        assert!(engine.is_present(&room("r"), &user("ana")).await.unwrap());
        drop(answers);
        assert!(!engine.is_present(&room("r"), &user("ana")).await.unwrap(), "free at once");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_seat_that_is_not_taken_gives_everything_back() {
    let store = MemoryPresence::new(NodeId::new("here"));
    let beside = store.for_node(NodeId::new("there"));
    let engine = Engine::builder(store).start().await.unwrap();
    let seat = engine.admit(&room("r"), &user("ana")).await.unwrap();
    assert!(engine.is_present(&room("r"), &user("ana")).await.unwrap());
    assert!(engine.members(&room("r")).is_none(), "nobody is in yet");
    drop(seat);
    assert!(!engine.is_present(&room("r"), &user("ana")).await.unwrap());
    assert_eq!(engine.room_count(), 0);
    until("the row is gone", async || !beside.is_present(room("r"), user("ana")).await.unwrap()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn everyone_sees_one_order_and_nothing_is_missing() {
    const EACH: usize = 500;
    let engine = engine().await;
    let people = join_all((0..8).map(|i| {
        let engine = engine.clone();
        async move { join(&engine, &format!("p{i}")).await }
    }))
    .await;
    let (members, streams): (Vec<_>, Vec<_>) = people.into_iter().unzip();
    let speaking = members.iter().map(|member| async {
        for i in 0..EACH {
            member.send(format!("{i}")).await.unwrap();
        }
    });
    join_all(speaking).await;
    let heard = join_all(streams.into_iter().map(|events| async {
        let said = events.filter_map(async |event| Some(brief(&event)).filter(|event| event.contains(':')));
        said.take(8 * EACH).collect::<Vec<_>>().await
    }))
    .await;
    for messages in &heard {
        assert!(messages == &heard[0], "one order for all");
    }
    for i in 0..8 {
        let of_one: Vec<_> =
            heard[0].iter().filter_map(|said| said.strip_prefix(&format!("p{i}:"))).collect();
        assert!(of_one.into_iter().eq((0..EACH).map(|i| i.to_string())));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_reads_too_slowly_is_put_out_and_the_others_notice_nothing() {
    let engine = engine().await;
    let (ana, mut anas) = join(&engine, "ana").await;
    let (outlet, mut slow_events) = Outlet::channel(10);
    let slow = engine.join(&room("r"), &user("slow"), outlet).await.unwrap();
    for i in 0..100 {
        ana.send(i.to_string()).await.unwrap();
    }
    let heard: Vec<String> = (&mut anas).take(103).map(|event| brief(&event)).collect().await;
    let said: Vec<_> = heard.iter().filter_map(|event| event.strip_prefix("ana:")).collect();
    assert_eq!(said, (0..100).map(|i| i.to_string()).collect::<Vec<_>>());
    assert_eq!(heard.iter().filter(|event| *event == "-slow").count(), 1);

    assert!(!slow.is_in());
    assert_eq!(slow.send("late").await, Err(SendError::NotAMember));
    assert!(!engine.is_present(&room("r"), &user("slow")).await.unwrap());
    let (again, _) = join(&engine, "slow").await;
    drop(slow);
    assert!(again.is_in(), "the end of an old stay changes nothing for the new one");
    let mut read = 0;
    while slow_events.next().await.is_some() {
        read += 1;
    }
    assert_eq!(read, 10, "what was delivered can be read; then the stream ends");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sink_that_panics_puts_out_its_own_member_only() {
    struct Panics;
    impl chat_rooms::EventSink for Panics {
        fn offer(&self, _: &Arc<Event>) -> Result<(), PutOut> {
            panic!("a fault of this sink, on purpose");
        }
    }
    let engine = engine().await;
    let (ana, mut anas) = join(&engine, "ana").await;
    let bad = engine.join(&room("r"), &user("bad"), Outlet::Events(Arc::new(Panics))).await.unwrap();
    for expected in ["+ana", "+bad", "-bad"] {
        assert_eq!(next(&mut anas).await, expected);
    }
    assert!(!bad.is_in());
    ana.send("still here").await.unwrap();
    assert_eq!(next(&mut anas).await, "ana:still here");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_gets_nothing_because_an_encoding_panics_is_told_and_the_others_go_on() {
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
    struct Told(Notify);
    impl FrameSink for Told {
        fn offer(&self, _: &[Frames]) -> Result<(), PutOut> {
            Ok(())
        }
        fn fail(&self) {
            self.0.notify_one();
        }
    }
    let mut builder = Engine::builder(MemoryPresence::new(NodeId::new("here")));
    let encoding = builder.add_encoding(Panics);
    let engine = builder.start().await.unwrap();
    let (ana, mut anas) = join(&engine, "ana").await;
    let told = Arc::new(Told::default());
    let outlet = Outlet::Frames { encoding, sink: Arc::clone(&told) as _ };
    let bad = engine.join(&room("r"), &user("bad"), outlet).await.unwrap();
    ana.send("boom").await.unwrap();
    for expected in ["+ana", "+bad", "ana:boom", "-bad"] {
        assert_eq!(next(&mut anas).await, expected);
    }
    told.0.notified().await;
    assert!(!bad.is_in());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_big_room_gathers_and_its_lists_add_up() {
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
    let here: BTreeSet<String> = crowd.iter().map(|(m, _)| m.member().username.to_string()).collect();
    assert_eq!(engine.members(&room("r")).unwrap().total(), 135);

    for (member, events) in &mut crowd {
        let own = format!("+{}", member.member().username);
        let mut seen = BTreeSet::new();
        let mut own_enters = 0;
        let listed = |members: &chat_protocol::MemberList| {
            members.first().iter().map(|m| m.username.to_string()).collect::<BTreeSet<_>>()
        };
        while seen != here || own_enters == 0 {
            let event = events.next().await.unwrap();
            match &*event {
                Event::Entered { members, .. } if brief(&event) == own => {
                    own_enters += 1;
                    seen = listed(members);
                }
                Event::Entered { who, .. } => {
                    who.iter().for_each(|m| assert!(seen.insert(m.username.to_string())));
                }
                Event::Left { who, .. } => who.iter().for_each(|m| assert!(seen.remove(m.username.as_str()))),
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(own_enters, 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_follow_members_and_nothing_is_left_behind() {
    let folder = tempfile::tempdir().unwrap();
    let database = Database::open(&folder.path().join("chat.sqlite3")).unwrap();
    let store = || SqlitePresence::new(database.clone(), NodeId::new("here"));
    store()
        .join(NewPresence::new(
            room("r"),
            user("ghost"),
            chat_protocol::ChannelName(1),
            chat_protocol::Timestamp(0),
        ))
        .await
        .unwrap();
    let engine = Engine::builder(store()).start().await.unwrap();
    let look = store();
    assert!(look.members(room("r")).await.unwrap().is_empty(), "what the last run left behind is gone");

    let (ana, _) = join(&engine, "ana").await;
    let (bob, _) = join(&engine, "bob").await;
    let rows = look.members(room("r")).await.unwrap();
    assert_eq!(rows, [(**ana.member()).clone(), (**bob.member()).clone()]);
    drop(ana);
    until("the row is gone", async || look.members(room("r")).await.unwrap() == [(**bob.member()).clone()])
        .await;

    engine.shutdown().await.unwrap();
    assert!(look.members(room("r")).await.unwrap().is_empty());
    assert!(matches!(engine.admit(&room("r"), &user("late")).await, Err(JoinError::Closing)));
    database.close().await;
}

/// Takes everything and forgets it.
struct Forgets;

impl FrameSink for Forgets {
    fn offer(&self, _: &[Frames]) -> Result<(), PutOut> {
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_is_encoded_once_in_each_encoding_however_many_get_it() {
    /// Counts how often it is asked.
    struct Counts(Arc<AtomicUsize>);
    impl Encoding for Counts {
        fn encode(&self, _: &Event, frame: &mut Vec<u8>) {
            self.0.fetch_add(1, Ordering::Relaxed);
            frame.push(b'.');
        }

        fn size_hint(&self, _: &Event) -> usize {
            1
        }
    }
    for members in [1, 10, 80] {
        let mut builder = Engine::builder(MemoryPresence::new(NodeId::new("here")));
        let counters = [(); 3].map(|()| Arc::new(AtomicUsize::new(0)));
        let encodings = counters.clone().map(|counter| builder.add_encoding(Counts(counter)));
        let engine = builder.start().await.unwrap();
        let mut crowd = Vec::new();
        for i in 0..members * 2 {
            // nobody takes the third
            let outlet = Outlet::Frames { encoding: encodings[i % 2], sink: Arc::new(Forgets) };
            crowd.push(engine.join(&room("r"), &user(&format!("p{i}")), outlet).await.unwrap());
        }
        crowd[0].settled().await;
        counters.iter().for_each(|counter| counter.store(0, Ordering::Relaxed));
        for i in 0..50 {
            crowd[0].send(i.to_string()).await.unwrap();
        }
        crowd[0].settled().await;
        let encoded = counters.map(|counter| counter.load(Ordering::Relaxed));
        assert_eq!(encoded, [50, 50, 0], "{} members", members * 2);
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mood {
    Works,
    Fails,
    /// Writes nothing before the mood changes.
    Hangs,
}

/// A store that works only while it is told to.
#[derive(Debug)]
struct Moody {
    inner: MemoryPresence,
    mood: watch::Receiver<Mood>,
}

impl Moody {
    fn mood(&self) -> Result<(), StoreError> {
        if *self.mood.borrow() == Mood::Works { Ok(()) } else { Err(StoreError::other("in a mood")) }
    }
}

impl PresenceStore for Moody {
    fn node(&self) -> &NodeId {
        self.inner.node()
    }

    fn join(&self, stay: NewPresence) -> BoxFuture<'_, Result<MemberId, chat_presence::JoinError>> {
        async move {
            self.mood.clone().wait_for(|mood| *mood != Mood::Hangs).await.unwrap();
            self.mood()?;
            self.inner.join(stay).await
        }
        .boxed()
    }

    fn leave(&self, stays: Vec<MemberId>) -> BoxFuture<'_, Result<(), StoreError>> {
        async move {
            self.mood()?;
            self.inner.leave(stays).await
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
    ) -> BoxFuture<'_, Result<Option<NodeId>, StoreError>> {
        self.inner.holder(room, username)
    }

    fn clear(&self) -> BoxFuture<'_, Result<u64, StoreError>> {
        self.inner.clear()
    }

    fn check(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        async move { self.mood() }.boxed()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_fails_refuses_those_who_come_and_holds_nobody_back() {
    let (moods, mood) = watch::channel(Mood::Works);
    let inner = MemoryPresence::new(NodeId::new("here"));
    let look = inner.for_node(NodeId::new("there"));
    let engine = Engine::builder(Moody { inner, mood }).start().await.unwrap();
    let (ana, mut anas) = join(&engine, "ana").await;
    let (bob, _) = join(&engine, "bob").await;

    moods.send_replace(Mood::Fails);
    assert!(matches!(engine.check().await, Err(JoinError::Store(_))));
    assert!(matches!(engine.admit(&room("r"), &user("eve")).await, Err(JoinError::Store(_))));
    drop(bob);
    ana.send("on").await.unwrap();
    for expected in ["+ana", "+bob", "-bob", "ana:on"] {
        assert_eq!(next(&mut anas).await, expected, "nobody hears of eve, and the room goes on");
    }
    assert!(look.is_present(room("r"), user("bob")).await.unwrap(), "its row can't be removed yet");

    moods.send_replace(Mood::Works);
    engine.check().await.unwrap();
    let (eve, _) = join(&engine, "eve").await;
    assert!(eve.is_in());
    until("bob's row is gone", async || !look.is_present(room("r"), user("bob")).await.unwrap()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_wait_for_a_slow_store_gives_the_name_back_at_once_and_the_row_later() {
    let (moods, mood) = watch::channel(Mood::Hangs);
    let inner = MemoryPresence::new(NodeId::new("here"));
    let look = inner.for_node(NodeId::new("there"));
    let engine = Engine::builder(Moody { inner, mood }).start().await.unwrap();
    let coming = tokio::spawn({
        let engine = engine.clone();
        async move { engine.admit(&room("r"), &user("ana")).await }
    });
    let is_taken = async || engine.is_present(&room("r"), &user("ana")).await.unwrap();
    until("the name is kept", is_taken).await;
    coming.abort();
    until("the name is free, although the store hangs", async || !is_taken().await).await;
    assert_eq!(engine.room_count(), 0);

    moods.send_replace(Mood::Works);
    let (bob, _events) = join(&engine, "bob").await;
    let only_bob = async || look.members(room("r")).await.unwrap() == [(**bob.member()).clone()];
    until("the row that came late is gone", only_bob).await;
}

#[tokio::test]
async fn usage_is_what_happened_since_it_was_taken_last() {
    let mut builder = Engine::builder(MemoryPresence::new(NodeId::new("here")));
    builder.count_usage();
    let engine = builder.start().await.unwrap();
    let (ana, mut events) = join(&engine, "ana").await;
    let (bob, _bobs) = join(&engine, "bob").await;
    drop(bob);
    ana.send("hello").await.unwrap();
    ana.send("bé").await.unwrap();
    while next(&mut events).await != "ana:bé" {}
    let used = engine.take_usage();
    let expected = RoomUsage { peak_members: 2, messages: 2, bytes: 8 };
    assert_eq!(used.into_iter().collect::<Vec<_>>(), [(room("r"), expected)]);
    assert!(engine.take_usage().is_empty());
    drop(ana);
    // the room is gone, what happened in it is not
    let (cleo, _cleos) = join(&engine, "cleo").await;
    drop(cleo);
    until("the room is gone", async || engine.room_count() == 0).await;
    assert_eq!(engine.take_usage()[&room("r")].peak_members, 1);
    let silent = self::engine().await;
    drop(join(&silent, "ana").await);
    assert!(silent.take_usage().is_empty());
}
