//! Retention over a store that takes its time to remove anything: nothing that is not kept is shown.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::time::Duration;

use chat_history::{
    Durability, HistoryError, HistoryStore, MemoryHistory, Messages, NewMessage, OnAppended, Page, Retention,
};
use chat_presence::{MemoryPresence, NodeId};
use chat_protocol::v2::{ServerFrame, Since, StoredMessage};
use chat_protocol::{Epoch, Event, RoomName};
use chat_rooms::{Engine, Events, JoinOptions, Membership, Outlet};
use futures::future::{BoxFuture, FutureExt, ready};

/// A store that never gets to remove what it is asked to.
#[derive(Debug, Default)]
struct Lazy(MemoryHistory);

impl HistoryStore for Lazy {
    fn epoch(&self) -> Epoch {
        self.0.epoch()
    }

    fn durability(&self) -> Durability {
        self.0.durability()
    }

    fn append(&self, message: NewMessage, told: OnAppended) {
        self.0.append(message, told);
    }

    fn newest(&self, room: RoomName) -> BoxFuture<'_, Result<u64, HistoryError>> {
        self.0.newest(room)
    }

    fn page(&self, room: RoomName, page: Page) -> BoxFuture<'_, Result<Messages, HistoryError>> {
        self.0.page(room, page)
    }

    fn prune(&self, _: Retention) -> BoxFuture<'_, Result<bool, HistoryError>> {
        ready(Ok(false)).boxed()
    }

    fn check(&self) -> BoxFuture<'_, Result<(), HistoryError>> {
        self.0.check()
    }
}

fn room() -> RoomName {
    "r".parse().unwrap()
}

async fn join(engine: &Engine, name: &str, options: JoinOptions) -> (Membership, Events) {
    let (outlet, events) = Outlet::channel(10_000);
    let seat = engine.admit(&room(), &name.parse().unwrap()).await.unwrap();
    (seat.join(outlet, options).await.unwrap().0, events)
}

fn seqs(messages: &[StoredMessage]) -> Vec<u64> {
    let seq = |message: &StoredMessage| match message {
        StoredMessage::Said { seq, .. } | StoredMessage::Erased { seq, .. } => *seq,
    };
    messages.iter().map(seq).collect()
}

/// The next list of messages: its numbers, and whether it is complete, or there are more.
async fn listed(events: &mut Events) -> (Vec<u64>, bool) {
    loop {
        let event = events.next().await.unwrap();
        let Event::Told(frame) = &*event else { continue };
        match &**frame {
            ServerFrame::Joined(joined) => return (seqs(&joined.messages), joined.recovered),
            ServerFrame::History(page) => return (seqs(&page.messages), page.more),
            _ => {}
        }
    }
}

/// An engine in whose room 900 messages were said, and a member.
async fn begin() -> (Engine, Membership, Events) {
    let mut builder = Engine::builder(MemoryPresence::new(NodeId::new("here")));
    builder.history(Lazy::default());
    let engine = builder.start().await.unwrap();
    let (ana, mut events) = join(&engine, "ana", JoinOptions::default()).await;
    for number in 0..900 {
        ana.send(Arc::from(number.to_string())).await.unwrap();
    }
    ana.settled().await;
    listed(&mut events).await;
    (engine, ana, events)
}

async fn page(ana: &Membership, events: &mut Events, page: Page) -> (Vec<u64>, bool) {
    ana.history(page, None).await.unwrap();
    listed(events).await
}

#[tokio::test(flavor = "multi_thread")]
async fn only_what_is_kept_is_shown_however_late_the_store_is() {
    let (engine, ana, mut events) = begin().await;
    let kept: Vec<u64> = (601..=900).collect();
    engine.set_retention(Retention::new(None, Some(300)));
    // more than the room's memory has: pages come from the store
    let after = |seq, limit| Page::After { seq, limit };
    let before = |seq, limit| Page::Before { seq, limit };
    for (asked, expected) in [
        (after(0, 50), (kept[..50].to_vec(), true)),
        (after(590, 50), (kept[..40].to_vec(), true)),
        (after(590, 5), (kept[..5].to_vec(), true)),
        (after(899, 50), (vec![900], false)),
        (before(620, 50), (kept[..19].to_vec(), false)),
        (before(601, 50), (vec![], false)),
        (before(u64::MAX, 50), (kept[250..].to_vec(), true)),
    ] {
        assert_eq!(page(&ana, &mut events, asked).await, expected, "{asked:?}");
    }
    let since = |seq| {
        let since = Some(Since { epoch: engine.epoch(), seq });
        JoinOptions { since, history: 10, ..JoinOptions::default() }
    };
    for (name, seq, expected) in [
        ("bob", 600, (kept.clone(), true)),
        ("cid", 599, (kept[290..].to_vec(), false)),
        ("dan", 900, (vec![], true)),
    ] {
        let (_member, mut events) = join(&engine, name, since(seq)).await;
        assert_eq!(listed(&mut events).await, expected, "since {seq}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_shown_when_everything_is_too_old() {
    let (engine, ana, mut events) = begin().await;
    engine.set_retention(Retention::new(Some(Duration::from_millis(1)), None));
    tokio::time::timeout(Duration::from_secs(20), async {
        while !page(&ana, &mut events, Page::Before { seq: u64::MAX, limit: 10 }).await.0.is_empty() {
            tokio::task::yield_now().await;
        }
    })
    .await
    .unwrap();
    for asked in [Page::After { seq: 0, limit: 50 }, Page::Before { seq: 300, limit: 50 }] {
        assert_eq!(page(&ana, &mut events, asked).await, (vec![], false), "{asked:?}");
    }
    engine.set_retention(Retention::default());
    assert_eq!(
        page(&ana, &mut events, Page::After { seq: 0, limit: 2 }).await.0,
        [1, 2],
        "all is kept again"
    );
}
