//! The open `chat.v2` sessions, by user.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::ops::{RangeBounds, RangeInclusive};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use chat_access::{Actor, Network};
use chat_accounts::{Token, TokenId};
use chat_protocol::v2::ServerFrame;
use chat_protocol::{CloseCode, Identity, RoomName, Timestamp, UserId, UserKind, Username};
use chat_rooms::{EncodingId, FrameSink, Frames, Sink};
use parking_lot::{Mutex, MutexGuard};
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::accounts::Credential;
use crate::context::memberships::Memberships;
use crate::encoding::frames;

/// Resolves to the memberships of a session that is replaced, or to an error if that session ends
/// by itself first.
pub(crate) type Replaced = oneshot::Receiver<Memberships>;

/// To how many sessions a frame is sent before other tasks run.
const SENT_AT_ONCE: usize = 256;

/// All open sessions. Clones share the same state.
#[derive(Debug, Clone)]
pub(crate) struct Sessions {
    open: Arc<Open>,
}

/// The table of the open sessions.
#[derive(Debug)]
struct Open {
    sessions: Mutex<BTreeMap<Key, Arc<Entry>>>,
    /// The start of the clock of [`Entry::heard_at`].
    start: Instant,
}

impl Open {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<Key, Arc<Entry>>> {
        self.sessions.lock()
    }
}

/// The user of a session, and the session's id.
type Key = (UserId, u64);

struct Entry {
    user: Arc<Identity>,
    /// When the token expires, in milliseconds since 1970; `i64::MAX` if it does not.
    expires_at: AtomicI64,
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
    /// Why the session has to end, until its task has noticed. In a box: each session has this
    /// field, and few need it.
    end: Option<Box<End>>,
    /// `None` for guests.
    account: Option<Box<AccountSession>>,
}

/// What the table knows about a session of an account.
#[derive(Default)]
struct AccountSession {
    /// The token of this server with which the user has signed in.
    token: Option<Arc<Token>>,
    /// The rooms that the session has joined.
    rooms: Vec<RoomName>,
}

impl State {
    fn token(&self) -> Option<&Arc<Token>> {
        self.account.as_ref()?.token.as_ref()
    }

    fn has_joined(&self, room: &RoomName) -> bool {
        self.account.as_ref().is_some_and(|account| account.rooms.contains(room))
    }
}

/// Why a session has to end.
pub(crate) enum End {
    /// An admin or the user ends it, or the user has too many sessions.
    Close(CloseCode),
    /// The user has to sign in: the name belongs to an account now.
    SignIn,
    /// The token has expired.
    Expired,
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
        self.state.lock().end.get_or_insert_with(|| Box::new(end));
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
        Self { open: Arc::new(Open { sessions: Mutex::default(), start: Instant::now() }) }
    }
}

impl Sessions {
    /// Adds a session. If the user has `max` sessions already, the one that was silent for longest
    /// ends.
    pub(crate) fn register(
        &self,
        user: Arc<Identity>,
        credential: Option<Credential>,
        max: u32,
        address: IpAddr,
        outbox: Arc<dyn FrameSink>,
        encoding: EncodingId,
    ) -> Registration {
        let expires_at = credential.as_ref().and_then(Credential::expires_at);
        let account = credential.map(|credential| {
            let token = credential.token().cloned().map(Arc::new);
            Box::new(AccountSession { token, rooms: Vec::new() })
        });
        let state = State { account, ..State::default() };
        let entry = Arc::new(Entry {
            user,
            expires_at: AtomicI64::new(millis(expires_at)),
            id: rand::random(),
            address,
            began_at: Timestamp::now(),
            heard_at: AtomicU64::new(self.now()),
            outbox,
            encoding,
            state: Mutex::new(state),
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
        u64::try_from(self.open.start.elapsed().as_micros()).unwrap_or(u64::MAX)
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

    /// Ends the sessions of a user, except those with the token `keep`; they cannot be replaced.
    /// Returns their number.
    pub(crate) fn end_user(&self, user: &UserId, keep: Option<&TokenId>, code: CloseCode) -> usize {
        let is_ended = |entry: &Entry| keep.is_none() || !entry.has_token(keep);
        self.end_where(of_user(user), is_ended, || End::Close(code))
    }

    /// Ends the sessions of a user with this token; they cannot be replaced.
    pub(crate) fn end_token(&self, user: &UserId, token: &TokenId) {
        let is_ended = |entry: &Entry| entry.has_token(Some(token));
        self.end_where(of_user(user), is_ended, || End::Close(CloseCode::NotAccepted));
    }

    /// Ends the sessions with a key of the range for which `is_ended` is true; they cannot be
    /// replaced. Returns their number.
    fn end_where(
        &self,
        range: impl RangeBounds<Key>,
        is_ended: impl Fn(&Entry) -> bool,
        end: impl Fn() -> End,
    ) -> usize {
        let mut open = self.open.lock();
        let in_range = open.range(range);
        let keys: Vec<_> =
            in_range.filter(|(_, entry)| is_ended(entry)).map(|(key, _)| key.clone()).collect();
        let ended: Vec<_> = keys.iter().filter_map(|key| open.remove(key)).collect();
        drop(open);
        ended.iter().for_each(|entry| entry.end(end()));
        ended.len()
    }

    /// The tokens of sessions that expire before this time.
    pub(crate) fn expiring(&self, before: Timestamp) -> Vec<Arc<Token>> {
        let open = self.open.lock();
        let expiring =
            open.values().filter(|entry| entry.expires_at.load(Ordering::Relaxed) < before.as_millis());
        let mut tokens: Vec<_> = expiring.filter_map(|entry| entry.state.lock().token().cloned()).collect();
        tokens.sort_unstable_by(|one, other| one.id.cmp(&other.id));
        tokens.dedup_by(|one, other| one.id == other.id);
        tokens
    }

    /// Sets when the sessions of a token expire. Those of an expired one end.
    pub(crate) fn set_expiry(&self, token: &Token, expires_at: Option<Timestamp>, now: Timestamp) {
        let is_concerned = |entry: &Entry| entry.has_token(Some(&token.id));
        if expires_at.is_some_and(|expires_at| expires_at <= now) {
            self.end_where(of_user(&token.account), is_concerned, || End::Expired);
        } else {
            // under the lock: a session that has another token by now keeps its own time
            let open = self.open.lock();
            let of_account = sessions_of(&open, &token.account).map(|(_, entry)| entry);
            of_account.filter(|entry| is_concerned(entry)).for_each(|entry| entry.set_expiry(expires_at));
        }
    }

    /// Replaces what the user of a session has signed in with.
    pub(crate) fn set_credential(&self, user: &UserId, session: u64, credential: &Credential) {
        let open = self.open.lock();
        if let Some(entry) = open.get(&(user.clone(), session)) {
            entry.set_expiry(credential.expires_at());
            let token = credential.token().cloned().map(Arc::new);
            entry.state.lock().account.get_or_insert_default().token = token;
        }
    }

    /// Ends the sessions of users who are banned from the server.
    pub(crate) fn end_banned(&self, is_banned: impl Fn(&Actor) -> bool) {
        let is_ended =
            |entry: &Entry| is_banned(&Actor::from(&*entry.user).at(Network::of_client(entry.address)));
        self.end_where(.., is_ended, || End::Close(CloseCode::Forbidden));
    }

    /// Ends the sessions whose token was not made by this server and has expired.
    pub(crate) fn end_expired(&self, now: Timestamp) {
        let has_expired = |entry: &Entry| {
            entry.expires_at.load(Ordering::Relaxed) <= now.as_millis()
                && entry.state.lock().token().is_none()
        };
        self.end_where(.., has_expired, || End::Expired);
    }

    /// The user with this id, and from where one of its sessions was opened, if it has any.
    pub(crate) fn connected(&self, user: &UserId) -> Option<(Arc<Identity>, IpAddr)> {
        let open = self.open.lock();
        sessions_of(&open, user).map(|(_, entry)| (Arc::clone(&entry.user), entry.address)).next()
    }

    /// Sends a frame to all sessions of a user, and returns how many they are.
    pub(crate) fn send_to_user(&self, user: &UserId, frame: &ServerFrame) -> usize {
        let all = self.sessions_where(user, |entry| entry.state.lock().is_welcomed);
        let frames = [frames::v2_frame(frame)];
        all.iter().for_each(|entry| entry.send(&frames));
        all.len()
    }

    /// Sends a frame to the other sessions of a user.
    pub(crate) fn send_to_others(&self, user: &UserId, session: u64, frame: &ServerFrame) {
        let others = self.sessions_where(user, |entry| entry.id != session);
        let frames = [frames::v2_frame(frame)];
        others.iter().for_each(|entry| entry.send(&frames));
    }

    /// Sends a frame to the sessions of a user that have not joined a room.
    pub(crate) fn send_outside(&self, user: &UserId, room: &RoomName, frame: &ServerFrame) {
        let outside = self.sessions_where(user, |entry| !entry.state.lock().has_joined(room));
        let frames = [frames::v2_frame(frame)];
        outside.iter().for_each(|entry| entry.send(&frames));
    }

    fn sessions_where(&self, user: &UserId, is_wanted: impl Fn(&Entry) -> bool) -> Vec<Arc<Entry>> {
        let open = self.open.lock();
        let wanted = sessions_of(&open, user).map(|(_, entry)| entry).filter(|entry| is_wanted(entry));
        wanted.cloned().collect()
    }

    /// The guests that have a session: each id with its name once.
    pub(crate) fn guests(&self) -> Vec<(UserId, Username)> {
        let open = self.open.lock();
        let guests = open.values().map(|entry| &entry.user).filter(|user| user.kind() == UserKind::Guest);
        let mut guests: Vec<_> = guests.map(|user| (user.id().clone(), user.username().clone())).collect();
        // sessions are in the order of their users
        guests.dedup();
        guests
    }

    /// Ends the sessions of a guest, which has to sign in from now on.
    pub(crate) fn end_guest(&self, guest: &UserId) {
        self.end_where(of_user(guest), |_| true, || End::SignIn);
    }

    /// The sinks of all sessions whose `welcome` is queued.
    pub(crate) fn sinks(&self) -> Vec<Sink> {
        let sink =
            |entry: &Arc<Entry>| Sink::Frames { encoding: entry.encoding, sink: Arc::clone(&entry.outbox) };
        let open = self.open.lock();
        open.values().filter(|entry| entry.state.lock().is_welcomed).map(sink).collect()
    }

    /// Sends a frame to all sessions whose `welcome` is queued, each in its encoding. Other tasks
    /// run in between: there may be many.
    pub(crate) async fn send_to_all(&self, frame: impl Fn(EncodingId) -> Frames) {
        let welcomed = |entry: &&Arc<Entry>| entry.state.lock().is_welcomed;
        let all: Vec<_> = self.open.lock().values().filter(welcomed).cloned().collect();
        for some in all.chunks(SENT_AT_ONCE) {
            some.iter().for_each(|entry| entry.send(&[frame(entry.encoding)]));
            tokio::task::yield_now().await;
        }
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
    fn set_expiry(&self, expires_at: Option<Timestamp>) {
        self.expires_at.store(millis(expires_at), Ordering::Relaxed);
    }

    fn has_token(&self, id: Option<&TokenId>) -> bool {
        self.state.lock().token().map(|token| &token.id) == id
    }

    /// Sends a frame that is not one of a room's events.
    fn send(&self, frames: &[Frames]) {
        if self.state.lock().is_welcomed {
            // a sink that no longer accepts frames signals that to its own task
            let _ = self.outbox.offer(frames);
        }
    }

    fn key(&self) -> Key {
        (self.user.id().clone(), self.id)
    }
}

fn sessions_of<'a>(
    open: &'a BTreeMap<Key, Arc<Entry>>,
    user: &UserId,
) -> impl Iterator<Item = (&'a Key, &'a Arc<Entry>)> {
    open.range(of_user(user))
}

/// The keys of the sessions of a user.
fn of_user(user: &UserId) -> RangeInclusive<Key> {
    (user.clone(), 0)..=(user.clone(), u64::MAX)
}

/// The time in [`Entry::expires_at`].
fn millis(expires_at: Option<Timestamp>) -> i64 {
    expires_at.map_or(i64::MAX, Timestamp::as_millis)
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

    /// The number of the session in the table.
    pub(crate) fn number(&self) -> u64 {
        self.entry.id
    }

    /// Sets the rooms that the session of an account has joined.
    pub(crate) fn set_rooms(&self, rooms: Vec<RoomName>) {
        self.entry.state.lock().account.get_or_insert_default().rooms = rooms;
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
        self.entry.state.lock().end.take().map(|end| *end)
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        self.sessions.open.lock().remove(&self.entry.key());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_small() {
        // the two counters of the `Arc` come on top: more than 128 bytes take 160 of the allocator
        assert!(size_of::<Entry>() + 2 * size_of::<usize>() <= 128, "{} bytes", size_of::<Entry>());
    }
}
