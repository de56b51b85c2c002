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
