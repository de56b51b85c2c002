//! The search for messages.

use std::collections::HashSet;
use std::sync::Arc;

use chat_history::{HistoryLog, HistoryStore, Retention};
use chat_protocol::UserId;
use chat_search::{Follower, SearchIndex};
use parking_lot::Mutex;

/// The index of the messages, and the log that leads from what it finds to the messages.
#[derive(Debug, Clone)]
pub struct Search {
    index: Arc<dyn SearchIndex>,
    log: Arc<dyn HistoryLog>,
}

impl Search {
    /// Searches with this index. `log` is that of the history store of the server.
    pub fn new(index: impl SearchIndex, log: impl HistoryLog) -> Self {
        Self { index: Arc::new(index), log: Arc::new(log) }
    }
}

/// The search of a running server, whose index follows the history.
#[derive(Debug)]
pub(crate) struct Searches {
    pub(crate) index: Arc<dyn SearchIndex>,
    pub(crate) log: Arc<dyn HistoryLog>,
    follower: Follower,
    /// The users whose searches are running: each user has one at a time.
    running: Arc<Mutex<HashSet<UserId>>>,
}

/// A search of a user that is running. It ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Running {
    user: UserId,
    running: Arc<Mutex<HashSet<UserId>>>,
}

impl Searches {
    /// Starts to index what is in the history.
    pub(crate) fn start(
        Search { index, log }: Search,
        history: Arc<dyn HistoryStore>,
        retention: Retention,
    ) -> Self {
        let follower = Follower::start(history, Arc::clone(&log), Arc::clone(&index), retention);
        Self { index, log, follower, running: Arc::default() }
    }

    /// Begins a search of a user. Returns `None` if another one is running.
    pub(crate) fn begin(&self, user: &UserId) -> Option<Running> {
        let running = Arc::clone(&self.running);
        running
            .lock()
            .insert(user.clone())
            .then(|| Running { user: user.clone(), running: Arc::clone(&running) })
    }

    /// What the engine tells of events.
    pub(crate) fn follower(&self) -> &Follower {
        &self.follower
    }

    pub(crate) fn set_retention(&self, retention: Retention) {
        self.follower.set_retention(retention);
    }

    /// Stops to index.
    pub(crate) async fn stop(&self) {
        self.follower.shutdown().await;
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.running.lock().remove(&self.user);
    }
}
