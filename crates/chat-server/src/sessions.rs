//! The sessions that are there, by the secrets that let a later connection take them over.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use chat_protocol::Username;
use chat_rooms::FrameSink;
use parking_lot::Mutex;
use tokio::sync::oneshot;

use crate::seats::Seats;

/// Resolves to the seats of a session that is taken over; to an error when that ends by itself before.
pub(crate) type TakenOver = oneshot::Receiver<Seats>;

/// Every session that has begun.
#[derive(Debug, Default, Clone)]
pub(crate) struct Sessions {
    by_secret: Arc<Mutex<HashMap<u128, Arc<Entry>>>>,
}

struct Entry {
    username: Username,
    /// By which the session's task is woken.
    outbox: Arc<dyn FrameSink>,
    /// Who takes it over, until the session's task has seen it.
    taker: Mutex<Option<oneshot::Sender<Seats>>>,
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entry").field("username", &self.username).finish_non_exhaustive()
    }
}

/// A session's place among the others, for as long as it is held. Its secret is in no log.
pub(crate) struct Registration {
    sessions: Sessions,
    secret: u128,
    id: u64,
    entry: Arc<Entry>,
}

impl Sessions {
    /// Adds a session, under a new secret.
    pub(crate) fn register(&self, username: Username, outbox: Arc<dyn FrameSink>) -> Registration {
        let (secret, id) = (rand::random(), rand::random());
        let entry = Arc::new(Entry { username, outbox, taker: Mutex::default() });
        self.by_secret.lock().insert(secret, Arc::clone(&entry));
        Registration { sessions: self.clone(), secret, id, entry }
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.by_secret.lock().len()
    }

    /// Asks the session with this secret for its seats. None where there is none, or it belongs to another name. The secret is good
    /// for one time: of several who try exactly one gets the seats.
    pub(crate) fn take_over(&self, secret: &str, username: &Username) -> Option<TakenOver> {
        let secret = u128::from_str_radix(secret, 16).ok()?;
        let mut sessions = self.by_secret.lock();
        if sessions.get(&secret)?.username != *username {
            return None;
        }
        let entry = sessions.remove(&secret)?;
        drop(sessions);
        let (taker, seats) = oneshot::channel();
        *entry.taker.lock() = Some(taker);
        entry.outbox.challenge();
        Some(seats)
    }
}

impl Registration {
    /// An id for logs and lists. It grants nothing.
    pub(crate) fn id(&self) -> String {
        format!("s{:016x}", self.id)
    }

    /// The secret, for the session's own client.
    pub(crate) fn secret(&self) -> String {
        format!("{:032x}", self.secret)
    }

    /// Who takes the session over, if somebody does.
    pub(crate) fn taker(&self) -> Option<oneshot::Sender<Seats>> {
        self.entry.taker.lock().take()
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        self.sessions.by_secret.lock().remove(&self.secret);
    }
}
