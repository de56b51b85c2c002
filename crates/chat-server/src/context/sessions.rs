//! The open sessions, by the secrets that let a later connection take them over.

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

/// Resolves to the memberships of a session that is taken over, or to an error if that session ends
/// by itself first.
pub(crate) type Takeover = oneshot::Receiver<Memberships>;

/// All open sessions. Clones share the same state.
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
    /// Set once the `welcome` frame is queued: no other frame may precede it.
    is_welcomed: AtomicBool,
    /// Set when an admin ends the session.
    is_closed: AtomicBool,
    /// The session's outbox. Probing it wakes the session's task.
    outbox: Arc<dyn FrameSink>,
    /// Encoding of the frames sent to it.
    encoding: EncodingId,
    /// The connection that takes the session over, until the session's task has picked it up.
    successor: Mutex<Option<oneshot::Sender<Memberships>>>,
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entry").field("username", &self.username).finish_non_exhaustive()
    }
}

/// A session's entry in the table, removed when dropped. Its secret is never logged.
pub(crate) struct Registration {
    sessions: Sessions,
    secret: u128,
    entry: Arc<Entry>,
}

impl Sessions {
    /// Adds a session under a new secret.
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
            successor: Mutex::default(),
        });
        self.by_secret.lock().insert(secret, Arc::clone(&entry));
        Registration { sessions: self.clone(), secret, entry }
    }

    /// All sessions, oldest first.
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

    /// Ends the session with this id; it cannot be resumed. Returns `false` if there is none.
    pub(crate) fn close(&self, id: &str) -> bool {
        let Some(id) = parse_session_id(id) else { return false };
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

    /// The sinks of all sessions whose `welcome` is queued.
    pub(crate) fn sinks(&self) -> Vec<Sink> {
        let sink =
            |entry: &Arc<Entry>| Sink::Frames { encoding: entry.encoding, sink: Arc::clone(&entry.outbox) };
        let sessions = self.by_secret.lock();
        let welcomed = sessions.values().filter(|entry| entry.is_welcomed.load(Ordering::Acquire));
        welcomed.map(sink).collect()
    }

    /// The number of sessions.
    pub(crate) fn count(&self) -> usize {
        self.by_secret.lock().len()
    }

    /// Requests the memberships of the session with this secret. `None` if there is no such session
    /// or it belongs to another name. A secret works once: of several concurrent attempts exactly
    /// one succeeds.
    pub(crate) fn take_over(&self, secret: &str, username: &Username) -> Option<Takeover> {
        let secret = u128::from_str_radix(secret, 16).ok()?;
        let mut sessions = self.by_secret.lock();
        if sessions.get(&secret)?.username != *username {
            return None;
        }
        let entry = sessions.remove(&secret)?;
        drop(sessions);
        let (successor, memberships) = oneshot::channel();
        *entry.successor.lock() = Some(successor);
        entry.outbox.probe();
        Some(memberships)
    }
}

/// A `chat.v2` session, for an admin's list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionInfo {
    /// Its id, as in the log.
    pub id: String,
    /// The user's name.
    pub username: Username,
    /// Address of its client, as reported by a trusted proxy if there is one.
    pub address: IpAddr,
    /// When it sent `hello`.
    pub began_at: Timestamp,
}

fn session_id(id: u64) -> String {
    format!("s{id:016x}")
}

/// Parses a session id; only its canonical form is valid.
fn parse_session_id(text: &str) -> Option<u64> {
    let id = u64::from_str_radix(text.strip_prefix('s')?, 16).ok()?;
    (session_id(id) == text).then_some(id)
}

impl Registration {
    /// Records that `welcome` is queued.
    pub(crate) fn mark_welcomed(&self) {
        self.entry.is_welcomed.store(true, Ordering::Release);
    }

    /// Whether an admin has ended the session.
    pub(crate) fn is_closed(&self) -> bool {
        self.entry.is_closed.load(Ordering::Acquire)
    }

    /// The id for logs and lists. It grants nothing.
    pub(crate) fn id(&self) -> String {
        session_id(self.entry.id)
    }

    /// The secret, for the session's own client.
    pub(crate) fn secret(&self) -> String {
        format!("{:032x}", self.secret)
    }

    /// Takes the sender for the connection that takes this session over, if there is one.
    pub(crate) fn take_successor(&self) -> Option<oneshot::Sender<Memberships>> {
        self.entry.successor.lock().take()
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        self.sessions.by_secret.lock().remove(&self.secret);
    }
}
