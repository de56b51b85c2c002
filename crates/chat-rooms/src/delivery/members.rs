//! The subscribers that a pump offers events to.

use std::sync::Arc;

use crate::delivery::subscriber::Subscriber;

/// A list of subscribers in any order. Each subscriber knows its index, so that none is searched
/// for. The list has one owner at a time: the pump's task while that runs, or else the room.
#[derive(Debug, Default)]
pub(crate) struct PumpMembers {
    list: Vec<Arc<Subscriber>>,
}

impl PumpMembers {
    pub(crate) fn len(&self) -> usize {
        self.list.len()
    }

    pub(crate) fn get(&self, index: usize) -> Option<&Arc<Subscriber>> {
        self.list.get(index)
    }

    pub(crate) fn push(&mut self, subscriber: Arc<Subscriber>) {
        subscriber.set_index(self.list.len());
        self.list.push(subscriber);
    }

    /// Removes the subscriber at an index. The last one takes its place.
    ///
    /// # Panics
    /// If there is none.
    pub(crate) fn swap_remove(&mut self, index: usize) -> Arc<Subscriber> {
        let removed = self.list.swap_remove(index);
        if let Some(moved) = self.list.get(index) {
            moved.set_index(index);
        }
        removed
    }

    /// Removes a subscriber, if it is in the list.
    pub(crate) fn remove(&mut self, subscriber: &Arc<Subscriber>) {
        let index = subscriber.index();
        if self.list.get(index).is_some_and(|other| Arc::ptr_eq(other, subscriber)) {
            self.swap_remove(index);
        }
    }
}

#[cfg(test)]
mod tests {
    use chat_protocol::{Identity, MemberId};

    use super::*;
    use crate::Sink;
    use crate::delivery::audience::{LogicalTime, PresenceStyle, SubscriptionId};
    use crate::delivery::subscriber::Recipient;

    #[test]
    fn members_are_removed_in_any_order_and_only_once() {
        let mut id = SubscriptionId::default();
        let subscribers = [1, 2, 3, 4].map(|member| {
            let (member, style, arrival) =
                (MemberId::new(member), PresenceStyle::Changes, LogicalTime::default());
            let actor = (&Identity::one_time_guest(1, "ana".parse().unwrap())).into();
            let recipient = Recipient { id: id.next(), member, style, arrival, actor };
            Arc::new(Subscriber::new(recipient, 0, Sink::channel(1).0, None, 0))
        });
        let mut members = PumpMembers::default();
        members.remove(&subscribers[0]);
        subscribers.iter().for_each(|subscriber| members.push(Arc::clone(subscriber)));
        // the last one takes the place of the first one, and is found there
        for (removed, left) in [(0, 3), (0, 3), (3, 2), (2, 1), (2, 1), (1, 0)] {
            members.remove(&subscribers[removed]);
            assert_eq!(members.len(), left);
            assert!((0..left).all(|i| !Arc::ptr_eq(members.get(i).unwrap(), &subscribers[removed])));
        }
        assert!(subscribers.iter().all(|subscriber| Arc::strong_count(subscriber) == 1));
    }
}
