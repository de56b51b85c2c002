//! Which topics a node has subscribed to.

use std::collections::{HashMap, HashSet};

use futures::future::AbortHandle;
use tokio::sync::oneshot;

use crate::Topic;

/// The topics of a node. Callers change what is wanted; the [driver](super::driver) subscribes on
/// the connection.
#[derive(Debug, Default)]
pub(super) struct Topics {
    last_id: u64,
    entries: HashMap<Topic, Entry>,
    /// Topics that the driver has not subscribed to yet. All of them have an entry.
    unsent: HashSet<Topic>,
}

#[derive(Debug)]
struct Entry {
    /// Tells this subscription from an earlier one to the same topic.
    id: u64,
    /// Whether the server has confirmed it. After a reconnect it is active again before the
    /// connection counts as such.
    is_confirmed: bool,
    /// Callers that wait for the confirmation.
    waiting: Vec<oneshot::Sender<()>>,
    /// Ends the stream of messages. Set once it exists.
    stream: Option<AbortHandle>,
}

impl Topics {
    /// Adds a topic, unless it is there. The receiver resolves when the subscription is confirmed,
    /// and fails when it is removed. `None` if it is confirmed already.
    pub(super) fn subscribe(&mut self, topic: Topic) -> Option<oneshot::Receiver<()>> {
        let entry = self.entries.entry(topic).or_insert_with_key(|topic| {
            self.last_id += 1;
            self.unsent.insert(topic.clone());
            Entry { id: self.last_id, is_confirmed: false, waiting: Vec::new(), stream: None }
        });
        if entry.is_confirmed {
            return None;
        }
        let (sender, receiver) = oneshot::channel();
        // callers that have given up
        entry.waiting.retain(|waiting| !waiting.is_closed());
        entry.waiting.push(sender);
        Some(receiver)
    }

    /// Removes a topic, and ends its stream.
    pub(super) fn unsubscribe(&mut self, topic: &Topic) {
        self.unsent.remove(topic);
        if let Some(Entry { stream: Some(stream), .. }) = self.entries.remove(topic) {
            stream.abort();
        }
    }

    /// The topics to subscribe to, each with the id of its subscription.
    pub(super) fn take_unsent(&mut self) -> Vec<(Topic, u64)> {
        let with_id = |topic| self.entries.get(&topic).map(|entry| entry.id).map(|id| (topic, id));
        std::mem::take(&mut self.unsent).into_iter().filter_map(with_id).collect()
    }

    /// Notes how to end the stream of a subscription. Returns false if it is no longer wanted.
    pub(super) fn sent(&mut self, topic: &Topic, id: u64, stream: AbortHandle) -> bool {
        let entry = self.entries.get_mut(topic).filter(|entry| entry.id == id);
        entry.map(|entry| entry.stream = Some(stream)).is_some()
    }

    /// Notes that a subscription is active. Returns false if no caller waits for that.
    pub(super) fn confirm(&mut self, topic: &Topic, id: u64) -> bool {
        let Some(entry) = self.entries.get_mut(topic).filter(|entry| entry.id == id) else { return true };
        entry.is_confirmed = true;
        let waiting = std::mem::take(&mut entry.waiting);
        // all of them
        waiting.into_iter().filter_map(|caller| caller.send(()).ok()).count() > 0
    }

    /// Whether a message of this subscription is still wanted.
    pub(super) fn is_current(&self, topic: &Topic, id: u64) -> bool {
        self.entries.get(topic).is_some_and(|entry| entry.id == id)
    }

    /// Removes all topics.
    pub(super) fn clear(&mut self) {
        self.unsent.clear();
        self.entries.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn handle() -> AbortHandle {
        AbortHandle::new_pair().0
    }

    #[test]
    fn a_subscription_is_confirmed_once() {
        let mut topics = Topics::default();
        let mut waiting = topics.subscribe(Topic::All).unwrap();
        let (topic, id) = topics.take_unsent().pop().unwrap();
        assert!(topics.sent(&topic, id, handle()));
        let mut second = topics.subscribe(Topic::All).unwrap();
        assert!(topics.take_unsent().is_empty());
        assert!(topics.confirm(&topic, id));
        waiting.try_recv().unwrap();
        second.try_recv().unwrap();
        assert!(topics.subscribe(Topic::All).is_none());
    }

    #[test]
    fn a_confirmation_without_a_caller_is_reported() {
        let mut topics = Topics::default();
        drop(topics.subscribe(Topic::All));
        let (topic, id) = topics.take_unsent().pop().unwrap();
        assert!(!topics.confirm(&topic, id));
    }

    #[test]
    fn an_earlier_subscription_does_not_count_for_a_later_one() {
        let mut topics = Topics::default();
        let mut first = topics.subscribe(Topic::All).unwrap();
        let (topic, id) = topics.take_unsent().pop().unwrap();
        topics.unsubscribe(&topic);
        assert!(first.try_recv().is_err());
        let mut second = topics.subscribe(Topic::All).unwrap();
        assert!(!topics.sent(&topic, id, handle()));
        topics.confirm(&topic, id);
        assert_eq!(second.try_recv(), Err(oneshot::error::TryRecvError::Empty));
        assert!(!topics.is_current(&topic, id));
        assert!(topics.is_current(&topic, id + 1));
    }

    #[test]
    fn topics_that_come_and_go_leave_nothing() {
        let mut topics = Topics::default();
        for _ in 0..1_000 {
            drop(topics.subscribe(Topic::All));
            topics.unsubscribe(&Topic::All);
            for _ in 0..10 {
                drop(topics.subscribe(Topic::Node("n".parse().unwrap())));
            }
        }
        assert_eq!((topics.entries.len(), topics.unsent.len()), (1, 1));
        assert_eq!(topics.entries.values().next().unwrap().waiting.len(), 1);
    }
}
