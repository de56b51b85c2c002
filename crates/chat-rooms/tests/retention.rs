//! Retention with a store that never removes messages: messages outside the retention are not
//! returned.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::time::Duration;

use chat_history::{HistoryError, HistoryStore, MemoryHistory, Page, Retention, delegate_history};
use chat_presence::{MemoryPresence, NodeId};
use chat_protocol::{Event, Identity, Message, RoomName, Since};
use chat_rooms::{Engine, Events, HistoryQuery, Membership, Sink, Subscribe};
use futures::future::{BoxFuture, FutureExt, ready};

/// A store that never prunes.
#[derive(Debug, Default)]
struct NeverPrunes(MemoryHistory);

impl HistoryStore for NeverPrunes {
    fn prune(&self, _: Retention) -> BoxFuture<'_, Result<bool, HistoryError>> {
        ready(Ok(false)).boxed()
    }

    delegate_history! {
        0: epoch durability append extent settings public_rooms page changed own_reactions mentions_after check
    }
}

fn room() -> RoomName {
    "r".parse().unwrap()
}

async fn join(engine: &Engine, name: &str, since: Option<Since>) -> (Membership, Events) {
    let (sink, events) = Sink::channel(10_000);
    let subscribe = Subscribe::new(sink).since(since).history(10);
    let user = Identity::one_time_guest(rand::random(), name.parse().unwrap());
    (engine.join(&user, &room(), subscribe).await.unwrap(), events)
}

fn seqs(messages: &[Arc<Message>]) -> Vec<u64> {
    messages.iter().map(|message| message.seq).collect()
}

/// The numbers of the next list of messages, and whether everything was recovered, or there are
/// more.
async fn listed(events: &mut Events) -> (Vec<u64>, bool) {
    loop {
        let event = events.next().await.unwrap();
        match &*event {
            Event::Joined(joined) => return (seqs(&joined.messages), joined.changed.is_some()),
            Event::History(page) => return (seqs(&page.messages), page.more),
            _ => {}
        }
    }
}

/// An engine with a room of 900 messages, and a member of it.
async fn start() -> (Engine, Membership, Events) {
    let builder = Engine::builder(MemoryPresence::new(NodeId::new("here")));
    let builder = builder.history(NeverPrunes::default());
    let engine = builder.start().await.unwrap();
    let (ana, mut events) = join(&engine, "ana", None).await;
    for number in 0..900 {
        ana.submit(Arc::from(number.to_string())).await.unwrap();
    }
    ana.idle().await;
    listed(&mut events).await;
    (engine, ana, events)
}

async fn page(ana: &Membership, events: &mut Events, page: Page) -> (Vec<u64>, bool) {
    ana.history(HistoryQuery::new(page)).await.unwrap();
    listed(events).await
}

#[tokio::test(flavor = "multi_thread")]
async fn only_retained_messages_are_returned_even_if_the_store_is_late() {
    let (engine, ana, mut events) = start().await;
    let kept: Vec<u64> = (601..=900).collect();
    engine.set_retention(Retention::new(None, Some(300)));
    // more than the room has in memory, so that pages come from the store
    let after = |seq, limit| Page::After { seq, limit };
    let before = |seq, limit| Page::Before { seq, limit };
    for (asked, expected) in [
        (after(0, 50), (kept[..50].to_vec(), true)),
        (after(590, 50), (kept[..50].to_vec(), true)),
        (after(590, 5), (kept[..5].to_vec(), true)),
        (after(899, 50), (vec![900], false)),
        (before(620, 50), (kept[..19].to_vec(), false)),
        (before(601, 50), (vec![], false)),
        (before(u64::MAX, 50), (kept[250..].to_vec(), true)),
    ] {
        assert_eq!(page(&ana, &mut events, asked).await, expected, "{asked:?}");
    }
    let since = |seq| Some(Since { epoch: engine.epoch(), seq });
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
async fn no_message_is_returned_if_all_are_too_old() {
    let (engine, ana, mut events) = start().await;
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
        "all messages are retained again"
    );
}
