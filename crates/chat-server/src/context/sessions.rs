//! The sessions that are there, by the secrets that let a later connection take them over.

use std::collections::HashMap;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use chat_protocol::{Timestamp, Username};
use chat_rooms::{EncodingId, FrameSink, Sink};
use parking_lot::Mutex;
use tokio::sync::oneshot;

use crate::context::memberships::Memberships;

/// Resolves to the seats of a session that is taken over; to an error when that ends by itself before.
pub(crate) type Takeover = oneshot::Receiver<Memberships>;

/// Every session that has begun.
#[derive(Debug, Default, Clone)]
pub(crate) struct Sessions {
    by_secret: Arc<Mutex<HashMap<u128, Arc<Entry>>>>,
}

struct Entry {
    /// For logs and lists.
    id: u64,
    username: Username,
    address: IpAddr,
    began_at: Timestamp,
    /// Set once its first frame is on its way: nothing comes before it.
    is_welcomed: AtomicBool,
    /// Set when the operator ends it.
    is_closed: AtomicBool,
    /// By which the session's task is woken.
    outbox: Arc<dyn FrameSink>,
    /// How it is written to.
    encoding: EncodingId,
    /// Who takes it over, until the session's task has seen it.
    taker: Mutex<Option<oneshot::Sender<Memberships>>>,
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
    entry: Arc<Entry>,
}

impl Sessions {
    /// Adds a session, under a new secret.
    pub(crate) fn register(
        &self,
        username: Username,
        address: IpAddr,
        outbox: Arc<dyn FrameSink>,
        encoding: EncodingId,
    ) -> Registration {
        let (secret, id) = (rand::random(), rand::random());
        let entry = Arc::new(Entry {
            id,
            username,
            address,
            began_at: Timestamp::now(),
            is_welcomed: AtomicBool::new(false),
            is_closed: AtomicBool::new(false),
            outbox,
            encoding,
            taker: Mutex::default(),
        });
        self.by_secret.lock().insert(secret, Arc::clone(&entry));
        Registration { sessions: self.clone(), secret, entry }
    }

    /// All of them, the oldest first.
    pub(crate) fn list(&self) -> Vec<SessionInfo> {
        let mut entries: Vec<_> = self.by_secret.lock().values().cloned().collect();
        entries.sort_unstable_by_key(|entry| (entry.began_at, entry.id));
        let of = |entry: Arc<Entry>| SessionInfo {
            id: session_id(entry.id),
            username: entry.username.clone(),
            address: entry.address,
            began_at: entry.began_at,
        };
        entries.into_iter().map(of).collect()
    }

    /// Ends the session with this id: it can't be resumed. False where there is none.
    pub(crate) fn close(&self, id: &str) -> bool {
        let Some(id) = read_session_id(id) else { return false };
        let mut sessions = self.by_secret.lock();
        let found = sessions.iter().find(|(_, entry)| entry.id == id);
        let Some(secret) = found.map(|(secret, _)| *secret) else { return false };
        let entry = sessions.remove(&secret);
        drop(sessions);
        entry.is_some_and(|entry| {
            entry.is_closed.store(true, Ordering::Release);
            entry.outbox.probe();
            true
        })
    }

    /// Where the events of all sessions go that have got their `welcome`.
    pub(crate) fn outlets(&self) -> Vec<Sink> {
        let outlet =
            |entry: &Arc<Entry>| Sink::Frames { encoding: entry.encoding, sink: Arc::clone(&entry.outbox) };
        let sessions = self.by_secret.lock();
        let welcomed = sessions.values().filter(|entry| entry.is_welcomed.load(Ordering::Acquire));
        welcomed.map(outlet).collect()
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.by_secret.lock().len()
    }

    /// Asks the session with this secret for its seats. None where there is none, or it belongs to another name. The secret is good
    /// for one time: of several who try exactly one gets the seats.
    pub(crate) fn take_over(&self, secret: &str, username: &Username) -> Option<Takeover> {
        let secret = u128::from_str_radix(secret, 16).ok()?;
        let mut sessions = self.by_secret.lock();
        if sessions.get(&secret)?.username != *username {
            return None;
        }
        let entry = sessions.remove(&secret)?;
        drop(sessions);
        let (taker, seats) = oneshot::channel();
        *entry.taker.lock() = Some(taker);
        entry.outbox.probe();
        Some(seats)
    }
}

/// A session of `chat.v2`, as the operator sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionInfo {
    /// Its id, as it stands in the log.
    pub id: String,
    /// Who it is.
    pub username: Username,
    /// Where its client connects from, as a trusted proxy says it.
    pub address: IpAddr,
    /// When it said `hello`.
    pub began_at: Timestamp,
}

fn session_id(id: u64) -> String {
    format!("s{id:016x}")
}

/// The number in an id that is written just so.
fn read_session_id(text: &str) -> Option<u64> {
    let id = u64::from_str_radix(text.strip_prefix('s')?, 16).ok()?;
    (session_id(id) == text).then_some(id)
}

impl Registration {
    /// Its first frame is on its way.
    pub(crate) fn note_welcome(&self) {
        self.entry.is_welcomed.store(true, Ordering::Release);
    }

    /// Whether the operator ends it.
    pub(crate) fn is_closed(&self) -> bool {
        self.entry.is_closed.load(Ordering::Acquire)
    }

    /// An id for logs and lists. It grants nothing.
    pub(crate) fn id(&self) -> String {
        session_id(self.entry.id)
    }

    /// The secret, for the session's own client.
    pub(crate) fn secret(&self) -> String {
        format!("{:032x}", self.secret)
    }

    /// Who takes the session over, if somebody does.
    pub(crate) fn taker(&self) -> Option<oneshot::Sender<Memberships>> {
        self.entry.taker.lock().take()
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        self.sessions.by_secret.lock().remove(&self.secret);
    }
}
