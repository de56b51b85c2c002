//! Messages that are deleted while members read them.

use std::sync::Arc;

use chat_history::{
    Durability, HistoryError, HistoryStore, MemoryHistory, Messages, Page, Retention, delegate_history,
};
use chat_presence::{MemoryPresence, NodeId};
use chat_protocol::{DeletedBy, Event, Message, RoomName, Since};
use chat_rooms::{Engine, Events, HistoryQuery, Resync, Sink, Subscribe};
use futures::future::{BoxFuture, FutureExt};
use tokio::sync::Semaphore;

use crate::support::{Gate, guest, join, next_word, room};

const OPERATOR: DeletedBy = DeletedBy::Operator;

/// A store whose pages arrive late: a test can change the room after a page was read.
#[derive(Debug, Clone)]
struct LatePages {
    inner: Arc<MemoryHistory>,
    /// One permit for each page that may arrive.
    arriving: Arc<Semaphore>,
    /// One permit for each page that was read.
    read: Arc<Semaphore>,
}

impl LatePages {
    fn new() -> Self {
        let (inner, none) = (Arc::default(), || Arc::new(Semaphore::new(0)));
        Self { inner, arriving: none(), read: none() }
    }

    /// Waits until a page was read.
    async fn page_read(&self) {
        self.read.acquire().await.unwrap().forget();
    }
}

impl HistoryStore for LatePages {
    fn durability(&self) -> Durability {
        Durability::Memory
    }

    fn page(
        &self,
        room: RoomName,
        page: Page,
        retention: Retention,
    ) -> BoxFuture<'_, Result<Messages, HistoryError>> {
        async move {
            let found = self.inner.page(room, page, retention).await;
            self.read.add_permits(1);
            self.arriving.acquire().await.unwrap().forget();
            found
        }
        .boxed()
    }

    delegate_history! {
        inner: epoch append extent settings public_rooms changed own_reactions mentions_after prune check
    }
}

/// The messages of the next list, and what was deleted before it.
async fn list(events: &mut Events) -> (Vec<Arc<Message>>, Vec<u64>) {
    let mut deleted = Vec::new();
    loop {
        match &*events.next().await.unwrap() {
            Event::History(page) => return (page.messages.clone(), deleted),
            Event::Joined(joined) => {
                let changed = joined.changed.iter().flatten();
                return (changed.chain(&joined.messages).map(Arc::clone).collect(), deleted);
            }
            Event::Deleted(deletion) => deleted.extend(deletion.messages.iter().map(|message| message.seq)),
            _ => {}
        }
    }
}

fn texts(messages: &[Arc<Message>]) -> Vec<u64> {
    messages.iter().filter(|message| message.text().is_some()).map(|message| message.seq).collect()
}

/// A page that was read before a message was deleted, and is sent after it, does not bring the text
/// back, however much happens in between.
#[tokio::test(flavor = "multi_thread")]
async fn a_list_is_not_older_than_its_place_in_the_stream() {
    // few events stay in the room's memory; after many, the store is asked
    for between in [0, 600] {
        let store = LatePages::new();
        let builder = Engine::builder(MemoryPresence::new(NodeId::new("here")));
        let engine = builder.history(store.clone()).start().await.unwrap();
        let (ana, mut anas) = join(&engine, "ana").await;
        // more than a room has in memory
        for number in 0..400_u64 {
            ana.send(number.to_string()).await.unwrap();
        }
        list(&mut anas).await;
        let spoil = async || {
            store.page_read().await;
            assert_eq!(engine.delete_messages(&room(), &[2, 4, 9_999], OPERATOR).await.unwrap(), 2);
            for _ in 0..between {
                ana.send("more").await.unwrap();
            }
            store.arriving.add_permits(100);
        };
        let page = Page::After { seq: 0, limit: 5 };
        let (position, ()) = tokio::join!(ana.history(HistoryQuery::new(page)), spoil());
        position.unwrap();
        let (page, deleted) = list(&mut anas).await;
        assert_eq!(deleted, [2, 4], "before the page");
        assert_eq!(texts(&page), [1, 3, 5]);
        assert_eq!(page[1].changed_seq, Some(401));
        drop(ana);
    }
}

/// The same for what a member has missed when it joins, or resyncs.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_member_missed_is_not_older_than_its_place_in_the_stream() {
    let store = LatePages::new();
    let builder = Engine::builder(MemoryPresence::new(NodeId::new("here")));
    let engine = builder.history(store.clone()).start().await.unwrap();
    let (ana, mut anas) = join(&engine, "ana").await;
    for number in 0..400_u64 {
        ana.send(number.to_string()).await.unwrap();
    }
    list(&mut anas).await;
    let since = Since { epoch: engine.epoch(), seq: 3 };
    let spoil = async |targets: &[u64]| {
        store.page_read().await;
        engine.delete_messages(&room(), targets, OPERATOR).await.unwrap();
        store.arriving.add_permits(100);
    };
    let (sink, mut bobs) = Sink::channel(10_000);
    let bob = guest("bob");
    let name = room();
    let joining = engine.join(&bob, &name, Subscribe::new(sink).since(since.clone()));
    let (_bob, ()) = tokio::join!(joining, spoil(&[2, 10]));
    let (messages, deleted) = list(&mut bobs).await;
    assert!(deleted.is_empty(), "the list has it");
    assert_eq!((messages[0].seq, messages[0].changed_seq), (2, Some(401)));
    assert_eq!(messages.len(), 1 + 397);
    let expected: Vec<_> = (4..=400).filter(|seq| *seq != 10).collect();
    assert_eq!(texts(&messages), expected);

    // drop the permits that are left
    while store.arriving.try_acquire().map(tokio::sync::SemaphorePermit::forget).is_ok() {}
    while store.read.try_acquire().map(tokio::sync::SemaphorePermit::forget).is_ok() {}
    let (position, ()) = tokio::join!(ana.resync(Resync::new(since)), spoil(&[1, 11]));
    position.unwrap();
    let (messages, deleted) = list(&mut anas).await;
    assert_eq!(deleted, [2, 10, 1, 11], "before the snapshot");
    assert_eq!(messages.iter().take(2).map(|message| message.seq).collect::<Vec<_>>(), [1, 2]);
    let expected: Vec<_> = expected.into_iter().filter(|seq| *seq != 11).collect();
    assert_eq!(texts(&messages), expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deletion_is_an_event_in_the_order_of_the_room() {
    let gate = Gate::default();
    let engine = crate::support::engine(&gate).await;
    let (ana, mut anas) = join(&engine, "ana").await;
    let (sink, mut cids) = Sink::channel(1_000);
    let cid = engine.join(&guest("cid"), &room(), Subscribe::new(sink).with_lists()).await.unwrap();
    for body in ["one", "two"] {
        ana.send(body).await.unwrap();
    }
    assert_eq!(engine.delete_messages(&room(), &[1, 1, 7], OPERATOR).await.unwrap(), 1);
    assert_eq!(engine.delete_messages(&room(), &[1, 7], OPERATOR).await.unwrap(), 0);
    cid.send("three").await.unwrap();
    for expected in ["joined@0", "ana:one#1", "ana:two#2", "deleted #1@3", "cid:three#4"] {
        let mut word = next_word(&mut anas).await;
        while word.starts_with("ack") {
            word = next_word(&mut anas).await;
        }
        assert_eq!(word, expected);
    }
    // who receives lists is not sent deletions
    for expected in ["ana:one#1", "ana:two#2", "cid:three#4"] {
        assert_eq!(next_word(&mut cids).await, expected);
    }
    // a member that joins now does not receive the text, from memory or from the store
    let (sink, mut bobs) = Sink::channel(1_000);
    let subscribe = Subscribe::new(sink).history(10);
    let _bob = engine.join(&guest("bob"), &room(), subscribe).await.unwrap();
    assert_eq!(texts(&list(&mut bobs).await.0), [2, 4]);
}

/// A room without members takes part, too: its numbers go on, and it is not kept.
#[tokio::test(flavor = "multi_thread")]
async fn messages_of_a_room_without_members_are_deleted() {
    let gate = Gate::default();
    let engine = crate::support::engine(&gate).await;
    let (ana, _events) = join(&engine, "ana").await;
    let targets: Vec<u64> = (1..=1_200).collect();
    for _ in &targets {
        ana.submit("x").await.unwrap();
    }
    ana.idle().await;
    drop(ana);
    // more than one event can have; the store in memory has only the newest 1,000
    assert_eq!(engine.delete_messages(&room(), &targets, OPERATOR).await.unwrap(), 1_000);
    assert_eq!(engine.delete_messages(&"nobody".parse().unwrap(), &[1], OPERATOR).await.unwrap(), 0);
    let gone = async {
        while engine.room_count() > 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(20), gone).await.expect("no room is kept");
    let (_bob, mut bobs) = join(&engine, "bob").await;
    assert_eq!(next_word(&mut bobs).await, "joined@1203", "three events");
}

/// A deletion that arrives while nobody is there, and while the room is being loaded, leaves no
/// gap.
#[tokio::test(flavor = "multi_thread")]
async fn a_deletion_may_meet_a_join() {
    for _ in 0..50 {
        let gate = Gate::default();
        let engine = crate::support::engine(&gate).await;
        let (ana, _events) = join(&engine, "ana").await;
        ana.send("one").await.unwrap();
        drop(ana);
        let name = room();
        let deleting = engine.delete_messages(&name, &[1], OPERATOR);
        let (deleted, (bob, mut bobs)) = tokio::join!(deleting, join(&engine, "bob"));
        assert_eq!(deleted.unwrap(), 1);
        bob.send("two").await.unwrap();
        let mut last = None;
        while last.as_deref() != Some("bob:two#3") {
            let word = next_word(&mut bobs).await;
            assert!(!word.starts_with("sync"), "{word}");
            last = Some(word);
        }
    }
}
