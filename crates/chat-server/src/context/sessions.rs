//! The open `chat.v2` sessions, by user.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use chat_protocol::{CloseCode, Identity, Timestamp, UserId, Username};
use chat_rooms::{EncodingId, FrameSink, Sink};
use parking_lot::Mutex;
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::context::memberships::Memberships;

/// Resolves to the memberships of a session that is replaced, or to an error if that session ends
/// by itself first.
pub(crate) type Replaced = oneshot::Receiver<Memberships>;

/// All open sessions. Clones share the same state.
#[derive(Debug, Clone)]
pub(crate) struct Sessions {
    open: Arc<Mutex<BTreeMap<Key, Arc<Entry>>>>,
    /// The start of the clock of [`Entry::heard_at`].
    start: Instant,
}

/// The user of a session, and the session's id.
type Key = (UserId, u64);

struct Entry {
    user: Arc<Identity>,
    /// For logs and lists, and for a session that replaces this one.
    id: u64,
    address: IpAddr,
    began_at: Timestamp,
    /// When the client last sent a frame, in microseconds.
    heard_at: AtomicU64,
    /// The session's outbox. Probing it wakes the session's task.
    outbox: Arc<dyn FrameSink>,
    /// Encoding of the frames sent to it.
    encoding: EncodingId,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Whether the `welcome` frame is queued: no other frame may precede it.
    is_welcomed: bool,
    /// Why the session has to end, until its task has noticed.
    end: Option<End>,
}

/// Why a session has to end.
pub(crate) enum End {
    /// An admin ends it, or the user has too many sessions.
    Close(CloseCode),
    /// Another session replaces it, and receives its memberships.
    Replace(oneshot::Sender<Memberships>),
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entry").field("user", &self.user).finish_non_exhaustive()
    }
}

impl Entry {
    /// Ends the session. Only the first reason counts.
    fn end(&self, end: End) {
        self.state.lock().end.get_or_insert(end);
        self.outbox.probe();
    }
}

/// A session's entry in the table, removed when dropped.
pub(crate) struct Registration {
    sessions: Sessions,
    entry: Arc<Entry>,
}

impl Default for Sessions {
    fn default() -> Self {
        Self { open: Arc::default(), start: Instant::now() }
    }
}

impl Sessions {
    /// Adds a session. If the user has `max` sessions already, the one that was silent for longest
    /// ends.
    pub(crate) fn register(
        &self,
        user: Arc<Identity>,
        max: u32,
        address: IpAddr,
        outbox: Arc<dyn FrameSink>,
        encoding: EncodingId,
    ) -> Registration {
        let entry = Arc::new(Entry {
            user,
            id: rand::random(),
            address,
            began_at: Timestamp::now(),
            heard_at: AtomicU64::new(self.now()),
            outbox,
            encoding,
            state: Mutex::default(),
        });
        let mut surplus = Vec::new();
        let mut open = self.open.lock();
        // more than one only if the limit was lowered
        while sessions_of(&open, entry.user.id()).count() >= max.max(1) as usize {
            let silent = sessions_of(&open, entry.user.id())
                .min_by_key(|(_, entry)| entry.heard_at.load(Ordering::Relaxed))
                .map(|(key, _)| key.clone());
            surplus.extend(silent.and_then(|key| open.remove(&key)));
        }
        open.insert(entry.key(), Arc::clone(&entry));
        drop(open);
        surplus.iter().for_each(|entry| entry.end(End::Close(CloseCode::Replaced)));
        Registration { sessions: self.clone(), entry }
    }

    fn now(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    /// All sessions, oldest first.
    pub(crate) fn list(&self) -> Vec<SessionInfo> {
        let mut entries: Vec<_> = self.open.lock().values().cloned().collect();
        entries.sort_unstable_by_key(|entry| (entry.began_at, entry.id));
        let info = |entry: Arc<Entry>| SessionInfo {
            id: session_id(entry.id),
            user: entry.user.id().clone(),
            username: entry.user.username().clone(),
            address: entry.address,
            began_at: entry.began_at,
        };
        entries.into_iter().map(info).collect()
    }

    /// Ends the session with this id; it cannot be replaced. Returns `false` if there is none.
    pub(crate) fn close(&self, id: &str) -> bool {
        let Some(id) = parse_session_id(id) else { return false };
        let mut open = self.open.lock();
        let key = open.keys().find(|(_, open)| *open == id).cloned();
        let entry = key.and_then(|key| open.remove(&key));
        drop(open);
        entry.is_some_and(|entry| {
            entry.end(End::Close(CloseCode::Forbidden));
            true
        })
    }

    /// The sinks of all sessions whose `welcome` is queued.
    pub(crate) fn sinks(&self) -> Vec<Sink> {
        let sink =
            |entry: &Arc<Entry>| Sink::Frames { encoding: entry.encoding, sink: Arc::clone(&entry.outbox) };
        let open = self.open.lock();
        open.values().filter(|entry| entry.state.lock().is_welcomed).map(sink).collect()
    }

    /// The number of sessions.
    pub(crate) fn count(&self) -> usize {
        self.open.lock().len()
    }

    /// Asks the session with this id to end, and for its memberships. `None` if the user has no
    /// such session. Of several concurrent attempts exactly one succeeds.
    pub(crate) fn replace(&self, user: &Identity, id: &str) -> Option<Replaced> {
        let key = (user.id().clone(), parse_session_id(id)?);
        let entry = self.open.lock().remove(&key)?;
        let (successor, memberships) = oneshot::channel();
        entry.end(End::Replace(successor));
        Some(memberships)
    }
}

impl Entry {
    fn key(&self) -> Key {
        (self.user.id().clone(), self.id)
    }
}

fn sessions_of<'a>(
    open: &'a BTreeMap<Key, Arc<Entry>>,
    user: &UserId,
) -> impl Iterator<Item = (&'a Key, &'a Arc<Entry>)> {
    open.range((user.clone(), 0)..=(user.clone(), u64::MAX))
}

/// A `chat.v2` session, for an admin's list.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SessionInfo {
    /// Its id, as in the log.
    pub id: String,
    /// The id of the user.
    pub user: UserId,
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
        self.entry.state.lock().is_welcomed = true;
    }

    /// Records that the client has sent a frame.
    pub(crate) fn mark_heard(&self) {
        self.entry.heard_at.store(self.sessions.now(), Ordering::Relaxed);
    }

    /// The id for logs and lists. It grants nothing to other users.
    pub(crate) fn id(&self) -> String {
        session_id(self.entry.id)
    }

    /// Takes the reason why the session has to end, if there is one.
    pub(crate) fn take_end(&self) -> Option<End> {
        self.entry.state.lock().end.take()
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        self.sessions.open.lock().remove(&self.entry.key());
    }
}
