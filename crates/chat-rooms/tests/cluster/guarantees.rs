//! What has to hold at the end of a world.

use std::collections::{BTreeMap, HashSet};

use chat_history::{HistoryStore, MemoryHistory, Page, Retention};
use chat_protocol::RoomName;

use crate::client::{Client, Shown};

/// All messages of the store.
pub(crate) async fn stored(store: &MemoryHistory, room: &RoomName) -> BTreeMap<u64, Shown> {
    let (mut all, mut after) = (BTreeMap::new(), 0);
    loop {
        let page = Page::After { seq: after, limit: 200 };
        let page = store.page(room.clone(), page, Retention::default()).await.unwrap();
        all.extend(page.messages.iter().map(|message| (message.seq, Shown::of(message))));
        if !page.more {
            return all;
        }
        after = page.last;
    }
}

pub(crate) fn check(stored: &BTreeMap<u64, Shown>, clients: &[Client]) {
    let ids: Vec<_> = stored.values().filter_map(|shown| shown.text.as_ref().map(|(id, _)| id)).collect();
    assert_eq!(ids.iter().collect::<HashSet<_>>().len(), ids.len(), "no message is stored twice");
    for client in clients {
        let name = &client.name;
        let is_done = client.pending.is_empty() || client.has_retired;
        assert!(is_done, "{name}: every message has its ack: {:?}", client.pending);
        for (id, seq) in &client.acked {
            let found = stored.get(seq).unwrap_or_else(|| panic!("{name}: {id:?} is acked and not stored"));
            let is_it = found.text.as_ref().is_none_or(|(found, _)| found == id);
            assert!(is_it, "{name}: an acked message has the number of its ack: {id:?} {found:?}");
        }
        for (seq, id) in &client.delivered {
            let found =
                stored.get(seq).unwrap_or_else(|| panic!("{name}: {id:?} is delivered and not stored"));
            let is_it = found.text.as_ref().is_none_or(|(found, _)| found == id);
            assert!(is_it, "{name}: a delivered message is stored: {id:?} {found:?}");
        }
        if client.has_retired {
            continue;
        }
        let log = client.log();
        let first = log.keys().next().copied().unwrap_or(u64::MAX);
        let expected: BTreeMap<_, _> =
            stored.range(first..).map(|(seq, shown)| (*seq, shown.clone())).collect();
        assert_eq!(log, expected, "{name} shows what is stored");
    }
}
