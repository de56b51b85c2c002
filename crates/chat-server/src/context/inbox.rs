//! The lists of rooms of the users who are connected, and news in these rooms.
//!
//! A room that is in a user's list is watched, whether or not it has members. The thread that
//! stores messages only notes who has written; once a second a task advances the counts of the
//! users who have the room in their list, and notifies their sessions.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use chat_access::{AccessError, Action, Actor, Invitation, Named};
use chat_accounts::{AddError, RoomChange, RoomEntry, StoreError};
use chat_history::HistoryError;
use chat_protocol::v2::{
    BlockedUser, Dropped, Inbox as InboxFrame, Kept, RoomList, RoomListEntry, ServerFrame,
};
use chat_protocol::{
    Epoch, Identity, Message, Notify, RoomKind, RoomName, RoomRole, RoomTitle, Timestamp, UserId, Username,
    Visibility,
};
use chat_rooms::Engine;
use parking_lot::Mutex;
use tokio::sync::Notify as Wakeup;

use crate::accounts::Accounts;
use crate::context::sessions::Sessions;

/// How often the sessions of a user are notified of news in one room.
const INTERVAL: Duration = Duration::from_secs(1);

/// Counts of unread messages stop here.
pub(crate) const MAX_UNREAD: usize = 100;

/// How often mentions are counted again if the user blocks others meanwhile.
const MAX_RECOUNTS: usize = 3;

/// How many rooms one `rooms` frame lists.
const ROOMS_PER_FRAME: usize = 100;

/// The lists of all connected users. Clones share them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Inbox(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    /// The rooms that are in a list. Its lock is held for a few instructions for each message.
    watched: Mutex<HashMap<RoomName, Watched>>,
    users: Mutex<HashMap<UserId, Arc<UserRooms>>>,
    has_news: Wakeup,
}

#[derive(Debug, Default)]
struct Watched {
    users: Vec<Arc<UserRooms>>,
    news: News,
}

/// What was written in a room since the last notification.
#[derive(Debug, Default)]
struct News {
    /// The newest messages. Older ones than these do not matter, because counts stop.
    messages: Vec<NewMessage>,
    /// The name of the last author.
    from: Option<Username>,
}

#[derive(Debug)]
struct NewMessage {
    seq: u64,
    author: UserId,
    /// Whether it may address somebody.
    has_mentions: bool,
}

/// What news in a room is for one user.
#[derive(Debug, PartialEq, Eq)]
struct Advance {
    up_to: u64,
    unread: usize,
    mentions: usize,
    /// Where the mentions have to be counted again: after this number. Only the store knows whom a
    /// message addresses that the user has not been sent.
    recount: Option<u64>,
}

/// The list of a user.
#[derive(Debug)]
struct UserRooms {
    /// The ids of the user: the present one, and those that it had as a guest.
    ids: Vec<UserId>,
    /// The user, for the policies of rooms.
    actor: Actor,
    /// Whom the user has blocked.
    blocked: Mutex<HashSet<UserId>>,
    /// How many sessions the user has.
    sessions: AtomicUsize,
    /// The rooms, by name.
    rooms: Mutex<Vec<Listed>>,
}

/// A room in the list of a user.
#[derive(Debug, Clone)]
struct Listed {
    room: RoomName,
    favourite: bool,
    notify: Notify,
    newest: u64,
    read_up_to: u64,
    unread: usize,
    mentions: usize,
    /// The other user of a direct room.
    with: Option<UserId>,
}

/// The list of a user, for as long as a session of the user is open.
#[derive(Debug)]
pub(crate) struct OpenList {
    inbox: Inbox,
    rooms: Arc<UserRooms>,
}

/// Why a list could not be read or changed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ListError {
    #[error(transparent)]
    Accounts(#[from] StoreError),
    #[error(transparent)]
    History(#[from] HistoryError),
    #[error(transparent)]
    Access(#[from] AccessError),
}

/// What an entry says about its room beside the numbers.
#[derive(Debug)]
struct Details {
    kind: RoomKind,
    title: Option<RoomTitle>,
    with: Option<Named>,
    role: Option<RoomRole>,
    /// How far the other user of a direct room has read.
    seen_up_to: Option<u64>,
}

impl Listed {
    fn entry(&self, details: Details, epoch: Epoch) -> RoomListEntry {
        let Details { kind, title, with, role, seen_up_to } = details;
        RoomListEntry {
            room: self.room.clone(),
            kind,
            title,
            with: with.map(|with| with.username),
            role,
            by: None,
            expires_at: None,
            favourite: self.favourite,
            notify: self.notify,
            epoch,
            newest: self.newest,
            read_up_to: self.read_up_to,
            unread: self.unread as u64,
            mentions: self.mentions as u64,
            seen_up_to,
        }
    }
}

impl UserRooms {
    fn id(&self) -> Option<&UserId> {
        self.ids.first()
    }

    /// Whether the user may read a room now.
    async fn may_read(&self, room: &RoomName, engine: &Engine) -> Result<bool, HistoryError> {
        Ok(engine.may(&self.actor, Action::Join, room).await?.is_ok())
    }

    /// What the entry of a room says about it.
    async fn details(
        &self,
        room: &RoomName,
        accounts: &Accounts,
        engine: &Engine,
    ) -> Result<Details, ListError> {
        let policy = engine.policy_in_effect(room).await?;
        let (title, role) = (policy.settings().title.clone(), policy.role(&self.actor));
        let kind = match policy.settings().visibility {
            Visibility::Direct => RoomKind::Direct,
            _ if room.is_address() => RoomKind::Private,
            _ => RoomKind::Room,
        };
        let (mut with, mut seen_up_to) = (None, None);
        if kind == RoomKind::Direct {
            let roles = engine.access().roles(room.clone(), None, 2).await?;
            let other = roles.into_iter().find(|entry| !self.ids.contains(&entry.user.id));
            with = other.map(|entry| entry.user);
        }
        if let Some(with) = &with
            && !self.has_blocked(&with.id)
            && let Some(entry) = accounts.store().room(with.id.clone(), room.clone()).await?
        {
            // a mark of another epoch says nothing about these numbers
            seen_up_to = (entry.epoch == engine.epoch() && entry.read_up_to > 0).then_some(entry.read_up_to);
        }
        Ok(Details { kind, title, with, role, seen_up_to })
    }

    /// The users whom the user has blocked.
    fn blocked(&self) -> Vec<UserId> {
        self.blocked.lock().iter().cloned().collect()
    }

    fn has_blocked(&self, user: &UserId) -> bool {
        self.blocked.lock().contains(user)
    }

    /// Makes space for this many rooms in all, and not more.
    fn reserve(&self, count: usize) {
        let mut rooms = self.rooms.lock();
        let missing = count.saturating_sub(rooms.len());
        rooms.reserve_exact(missing);
    }

    /// Adds a room, or replaces it.
    fn put(&self, listed: Listed) {
        let mut rooms = self.rooms.lock();
        match rooms.binary_search_by(|known| known.room.cmp(&listed.room)) {
            Ok(index) => rooms[index] = listed,
            Err(index) => rooms.insert(index, listed),
        }
    }

    /// Reads or changes what is known of a room. `None` if it is not in the list.
    fn with_room<T>(&self, room: &RoomName, work: impl FnOnce(&mut Listed) -> T) -> Option<T> {
        let mut rooms = self.rooms.lock();
        let index = rooms.binary_search_by(|known| known.room.cmp(room)).ok()?;
        Some(work(&mut rooms[index]))
    }

    /// Counts what was written in a room. Returns `None` if that is no news for the user.
    fn advance(&self, room: &RoomName, news: &News) -> Option<Advance> {
        self.with_room(room, |listed| {
            // those that were counted from the store are known
            let new = news.messages.iter().filter(|message| message.seq > listed.newest);
            let blocked = self.blocked.lock();
            let of_others = new
                .filter(|message| !self.ids.contains(&message.author) && !blocked.contains(&message.author));
            let (count, has_mentions) = of_others.fold((0, false), |(count, has_mentions), message| {
                (count + 1, has_mentions | message.has_mentions)
            });
            listed.newest = news.messages.last().map_or(0, |message| message.seq).max(listed.newest);
            if count == 0 {
                return None;
            }
            listed.unread = (listed.unread + count).min(MAX_UNREAD);
            let recount = has_mentions.then_some(listed.read_up_to);
            Some(Advance { up_to: listed.newest, unread: listed.unread, mentions: listed.mentions, recount })
        })?
    }

    /// Notes how many messages of a room address the user.
    fn set_mentions(&self, room: &RoomName, mentions: usize) {
        self.with_room(room, |listed| listed.mentions = mentions);
    }

    /// The frame for the sessions of the user that are not in the room.
    async fn frame(&self, room: RoomName, news: &News, advance: Advance, engine: &Engine) -> InboxFrame {
        let Advance { up_to, unread, mut mentions, recount } = advance;
        if let Some(after) = recount {
            for _ in 0..MAX_RECOUNTS {
                let blocked = self.blocked.lock().clone();
                let except = blocked.iter().cloned().collect();
                let counted = engine.mentions_after(&room, after, self.ids.clone(), except, MAX_UNREAD);
                // if the store fails, the next list is right
                let Ok(counted) = counted.await else { break };
                mentions = counted.messages;
                // a user who was blocked meanwhile must not be counted
                if *self.blocked.lock() == blocked {
                    self.set_mentions(&room, mentions);
                    break;
                }
            }
        }
        let (unread, mentions, from) = (unread as u64, mentions as u64, news.from.clone());
        InboxFrame { room, up_to, unread, mentions, from }
    }
}

impl Inbox {
    /// Opens the list of a user for a session.
    pub(crate) fn open(&self, user: &Identity, was: &[UserId]) -> OpenList {
        let mut users = self.0.users.lock();
        let rooms = users.entry(user.id().clone()).or_insert_with(|| {
            let ids = std::iter::once(user.id()).chain(was).cloned().collect();
            let actor = Actor::new(user, was);
            let (blocked, sessions, rooms) = (Mutex::default(), AtomicUsize::new(0), Mutex::default());
            Arc::new(UserRooms { ids, actor, blocked, sessions, rooms })
        });
        rooms.sessions.fetch_add(1, Ordering::Relaxed);
        OpenList { inbox: self.clone(), rooms: Arc::clone(rooms) }
    }

    /// The list of a user who is connected.
    pub(crate) fn handle(&self, user: &UserId) -> Option<ListHandle> {
        let rooms = self.0.users.lock().get(user).cloned()?;
        Some(ListHandle { inbox: self.clone(), rooms })
    }

    /// Notifies the sessions of users of news in their rooms, forever.
    pub(crate) async fn notify(&self, sessions: &Sessions, engine: &Engine) {
        loop {
            self.0.has_news.notified().await;
            for (room, news, users) in self.take_news() {
                for user in users {
                    let may_read = user.may_read(&room, engine).await.unwrap_or_else(|error| {
                        // the next list is right
                        tracing::debug!(%room, %error, "the policy of a room can't be read");
                        false
                    });
                    if !may_read {
                        continue;
                    }
                    if let (Some(advance), Some(id)) = (user.advance(&room, &news), user.id()) {
                        let frame = user.frame(room.clone(), &news, advance, engine).await;
                        sessions.send_outside(id, &room, &ServerFrame::Inbox(frame));
                    }
                }
            }
            tokio::time::sleep(INTERVAL).await;
        }
    }

    fn take_news(&self) -> Vec<(RoomName, News, Vec<Arc<UserRooms>>)> {
        let mut watched = self.0.watched.lock();
        let with_news = watched.iter_mut().filter(|(_, room)| !room.news.messages.is_empty());
        with_news
            .map(|(name, room)| (name.clone(), std::mem::take(&mut room.news), room.users.clone()))
            .collect()
    }

    /// Watches a room for a user. Returns its name, which all lists share.
    fn watch(&self, room: RoomName, user: &Arc<UserRooms>) -> RoomName {
        let mut watched = self.0.watched.lock();
        let entry = watched.entry(room);
        let room = entry.key().clone();
        let users = &mut entry.or_default().users;
        if !users.iter().any(|known| Arc::ptr_eq(known, user)) {
            users.push(Arc::clone(user));
        }
        room
    }

    fn unwatch(&self, room: &RoomName, user: &Arc<UserRooms>) {
        if let Entry::Occupied(mut watched) = self.0.watched.lock().entry(room.clone()) {
            watched.get_mut().users.retain(|known| !Arc::ptr_eq(known, user));
            if watched.get().users.is_empty() {
                watched.remove();
            }
        }
    }

    fn close(&self, rooms: &Arc<UserRooms>) {
        let mut users = self.0.users.lock();
        if rooms.sessions.fetch_sub(1, Ordering::Relaxed) > 1 {
            return;
        }
        if let Some(id) = rooms.id() {
            users.remove(id);
        }
        drop(users);
        let listed = std::mem::take(&mut *rooms.rooms.lock());
        listed.iter().for_each(|listed| self.unwatch(&listed.room, rooms));
    }
}

impl Inbox {
    /// Notes a message that was stored, on the thread that stores messages.
    pub(crate) fn stored(&self, message: &Message) {
        let mut watched = self.0.watched.lock();
        if watched.is_empty() {
            return;
        }
        let (Some(room), Some(text)) = (watched.get_mut(&message.room), message.text()) else { return };
        let news = &mut room.news;
        if news.messages.len() == 2 * MAX_UNREAD {
            news.messages.drain(..MAX_UNREAD);
        }
        let (seq, author, has_mentions) = (message.seq, text.user.clone(), text.body.contains('@'));
        news.messages.push(NewMessage { seq, author, has_mentions });
        news.from = Some(text.from.clone());
        drop(watched);
        self.0.has_news.notify_one();
    }
}

impl Drop for OpenList {
    fn drop(&mut self) {
        self.inbox.close(&self.rooms);
    }
}

impl OpenList {
    /// A handle that does not keep the list open.
    pub(crate) fn handle(&self) -> ListHandle {
        ListHandle { inbox: self.inbox.clone(), rooms: Arc::clone(&self.rooms) }
    }
}

/// The number of the newest event of a room.
pub(crate) async fn newest(engine: &Engine, room: &RoomName) -> Result<u64, HistoryError> {
    // nothing comes after the last number, so nothing is counted
    Ok(engine.count_after(room, u64::MAX, Vec::new(), 0).await?.newest)
}

/// Reads and changes the list of a user.
#[derive(Debug, Clone)]
pub(crate) struct ListHandle {
    inbox: Inbox,
    rooms: Arc<UserRooms>,
}

impl ListHandle {
    /// The names of the rooms in the list.
    pub(crate) fn names(&self) -> Vec<RoomName> {
        self.rooms.rooms.lock().iter().map(|listed| listed.room.clone()).collect()
    }

    /// How many rooms the list has.
    pub(crate) fn len(&self) -> usize {
        self.rooms.rooms.lock().len()
    }

    /// Whether a room is in the list.
    pub(crate) fn has(&self, room: &RoomName) -> bool {
        self.rooms.with_room(room, |_| ()).is_some()
    }

    /// Reads the list from the store, and returns it as frames.
    pub(crate) async fn read(
        &self,
        accounts: &Accounts,
        engine: &Engine,
    ) -> Result<Vec<ServerFrame>, ListError> {
        let Some(id) = self.rooms.id() else { return Ok(Vec::new()) };
        let blocked = accounts.store().blocked(id.clone()).await?;
        *self.rooms.blocked.lock() = blocked.iter().map(|user| user.id.clone()).collect();
        let mut stored = accounts.store().rooms(id.clone()).await?;
        // those that the user got while it was not connected
        for (room, _) in engine.access().rooms_of(self.rooms.ids.clone()).await? {
            if room.is_address()
                && !stored.iter().any(|entry| entry.room == room)
                && let Some(entry) = self.add(&room, accounts, engine).await?
            {
                stored.push(entry);
            }
        }
        stored.sort_by(|one, other| one.room.cmp(&other.room));
        let mut entries = Vec::with_capacity(stored.len());
        self.rooms.reserve(stored.len());
        for entry in stored {
            let entry = self.put(entry, accounts, engine).await?;
            // a user who was banned, or has no role any more, learns nothing about the room
            if self.may_read(&entry.room, engine).await? && !self.is_with_blocked(&entry.room) {
                entries.push(entry);
            }
        }
        for invitation in engine.access().invitations(self.rooms.ids.clone(), Timestamp::now()).await? {
            if invitation.by.as_ref().is_some_and(|by| self.has_blocked(&by.id)) {
                continue;
            }
            entries.retain(|entry| entry.room != invitation.room);
            entries.push(self.invitation(invitation, engine).await?);
        }
        let chunks: Vec<_> = entries.chunks(ROOMS_PER_FRAME).map(<[_]>::to_vec).collect();
        let last = chunks.len().saturating_sub(1);
        let mut lists: Vec<_> = chunks
            .into_iter()
            .enumerate()
            .map(|(index, entries)| RoomList { entries, more: index < last, blocked: Vec::new() })
            .collect();
        if lists.is_empty() {
            lists.push(RoomList { entries: Vec::new(), more: false, blocked: Vec::new() });
        }
        if let Some(list) = lists.last_mut() {
            let blocked = blocked.into_iter();
            list.blocked =
                blocked.map(|user| BlockedUser { user: user.id, username: user.username }).collect();
        }
        Ok(lists.into_iter().map(ServerFrame::Rooms).collect())
    }

    /// The other user of a direct room.
    pub(crate) fn other_user(&self, room: &RoomName) -> Option<UserId> {
        self.rooms.with_room(room, |listed| listed.with.clone())?
    }

    /// Whether this is the direct room with a user who is blocked.
    fn is_with_blocked(&self, room: &RoomName) -> bool {
        self.other_user(room).is_some_and(|with| self.has_blocked(&with))
    }

    /// Whether the user has blocked this one.
    pub(crate) fn has_blocked(&self, user: &UserId) -> bool {
        self.rooms.has_blocked(user)
    }

    /// Up to where the user has read a room.
    pub(crate) fn read_up_to(&self, room: &RoomName) -> Option<u64> {
        self.rooms.with_room(room, |listed| listed.read_up_to)
    }

    /// The user has blocked another one, or not any more.
    pub(crate) fn set_blocked(&self, user: UserId, on: bool) {
        let mut blocked = self.rooms.blocked.lock();
        if on {
            blocked.insert(user);
        } else {
            blocked.remove(&user);
        }
    }

    /// Counts what is unread in all rooms of the list again.
    pub(crate) async fn count_again(&self, accounts: &Accounts, engine: &Engine) -> Result<(), ListError> {
        let Some(id) = self.rooms.id() else { return Ok(()) };
        for entry in accounts.store().rooms(id.clone()).await? {
            self.put(entry, accounts, engine).await?;
        }
        Ok(())
    }

    /// The entry of an invitation. It says nothing of what is in the room.
    async fn invitation(&self, invitation: Invitation, engine: &Engine) -> Result<RoomListEntry, ListError> {
        let Invitation { room, by, expires_at, .. } = invitation;
        let title = engine.policy_in_effect(&room).await?.settings().title.clone();
        Ok(RoomListEntry {
            room,
            kind: RoomKind::Invitation,
            title,
            with: None,
            role: None,
            by: by.map(|by| by.username),
            expires_at: Some(expires_at),
            favourite: false,
            notify: Notify::default(),
            epoch: engine.epoch(),
            newest: 0,
            read_up_to: 0,
            unread: 0,
            mentions: 0,
            seen_up_to: None,
        })
    }

    /// Adds a private or direct room to the stored list, unless it is there. Returns `None` if the
    /// list is full.
    async fn add(
        &self,
        room: &RoomName,
        accounts: &Accounts,
        engine: &Engine,
    ) -> Result<Option<RoomEntry>, ListError> {
        let Some(id) = self.rooms.id() else { return Ok(None) };
        // what was written in a direct room before the user has seen it is new
        let is_direct = engine.policy_in_effect(room).await?.settings().visibility == Visibility::Direct;
        let read_up_to = if is_direct { 0 } else { newest(engine, room).await? };
        let change = RoomChange::new(engine.epoch(), read_up_to);
        match accounts.store().keep(id.clone(), room.clone(), change).await {
            Ok(entry) => Ok(Some(entry)),
            Err(AddError::LimitReached { .. }) => {
                tracing::warn!(user = %id, "the list of a user is full: a private room is not in it");
                Ok(None)
            }
            Err(AddError::NoAccount) => Ok(None),
            Err(AddError::Store(error)) => Err(error.into()),
            Err(error) => Err(StoreError::other(error).into()),
        }
    }

    /// Brings the entry of a private or direct room up to date. Returns the frame that says what it
    /// is now: `kept`, or `dropped` if the user may not join it any more. `None` if the user has
    /// blocked the other one.
    pub(crate) async fn refresh(
        &self,
        room: &RoomName,
        accounts: &Accounts,
        engine: &Engine,
    ) -> Result<Option<ServerFrame>, ListError> {
        if self.may_read(room, engine).await?
            && let Some(entry) = self.add(room, accounts, engine).await?
        {
            let entry = self.put(entry, accounts, engine).await?;
            let is_silent = self.is_with_blocked(&entry.room);
            return Ok((!is_silent).then_some(ServerFrame::Kept(Kept { reference: None, entry })));
        }
        if let Some(id) = self.rooms.id() {
            accounts.store().drop_room(id.clone(), room.clone()).await?;
        }
        self.remove(room);
        Ok(Some(ServerFrame::Dropped(Dropped { reference: None, room: room.clone() })))
    }

    /// Watches a room of the list, and counts its unread messages.
    pub(crate) async fn put(
        &self,
        entry: RoomEntry,
        accounts: &Accounts,
        engine: &Engine,
    ) -> Result<RoomListEntry, ListError> {
        let RoomEntry { room, favourite, notify, epoch, read_up_to, .. } = entry;
        let current = engine.epoch();
        // a mark of another epoch says nothing about these numbers
        let read_up_to = if epoch == current { read_up_to } else { 0 };
        // before it is counted: what is written from now on is either counted or news
        let room = self.inbox.watch(room, &self.rooms);
        let (ids, blocked) = (self.rooms.ids.clone(), self.rooms.blocked());
        let silent = ids.iter().chain(&blocked).cloned().collect();
        let count = engine.count_after(&room, read_up_to, silent, MAX_UNREAD).await?;
        let addressed = engine.mentions_after(&room, read_up_to, ids, blocked, MAX_UNREAD);
        let (newest, unread, mentions) = (count.newest, count.messages, addressed.await?.messages);
        let details = self.rooms.details(&room, accounts, engine).await?;
        let with = details.with.as_ref().map(|with| with.id.clone());
        let listed = Listed { room, favourite, notify, newest, read_up_to, unread, mentions, with };
        let entry = listed.entry(details, current);
        self.rooms.put(listed);
        if self.rooms.sessions.load(Ordering::Relaxed) == 0 {
            // the last session has ended meanwhile
            self.inbox.unwatch(&entry.room, &self.rooms);
        }
        Ok(entry)
    }

    /// Whether the user may read a room now.
    pub(crate) async fn may_read(&self, room: &RoomName, engine: &Engine) -> Result<bool, HistoryError> {
        self.rooms.may_read(room, engine).await
    }

    /// Removes a room from the list.
    pub(crate) fn remove(&self, room: &RoomName) {
        self.inbox.unwatch(room, &self.rooms);
        self.rooms.rooms.lock().retain(|listed| listed.room != *room);
    }
}

#[cfg(test)]
mod tests {
    use chat_protocol::{Content, MessageId, Text, Timestamp};

    use super::*;

    fn message(room: &str, seq: u64, author: &Identity) -> Arc<Message> {
        let id: MessageId = "m".parse().unwrap();
        let text = Text::new(id, author.id().clone(), author.username().clone(), Arc::from("hello"));
        Arc::new(Message::new(room.parse().unwrap(), seq, Timestamp::from_millis(0), Content::Text(text)))
    }

    fn account(name: &str) -> Identity {
        Identity::account(format!("u_{name}").parse().unwrap(), name.parse().unwrap()).unwrap()
    }

    fn listed(room: &str, newest: u64) -> Listed {
        let room = room.parse().unwrap();
        Listed {
            room,
            favourite: true,
            notify: Notify::All,
            newest,
            read_up_to: newest,
            unread: 0,
            mentions: 0,
            with: None,
        }
    }

    fn counts(inbox: &Inbox, list: &OpenList) -> Vec<Option<(u64, usize)>> {
        let news = inbox.take_news();
        news.iter()
            .map(|(room, news, users)| {
                assert!(users.iter().all(|user| Arc::ptr_eq(user, &list.rooms)));
                list.rooms.advance(room, news).map(|advance| (advance.up_to, advance.unread))
            })
            .collect()
    }

    #[test]
    fn messages_of_others_are_counted_up_to_a_limit() {
        let (inbox, ana, bob) = (Inbox::default(), account("ana"), account("bob"));
        let list = inbox.open(&ana, &["g_ana".parse().unwrap()]);
        list.rooms.put(listed("r", 3));
        inbox.watch("r".parse().unwrap(), &list.rooms);
        inbox.stored(&message("r", 3, &bob));
        inbox.stored(&message("other", 1, &bob));
        assert_eq!(counts(&inbox, &list), [None], "it was counted before");
        inbox.stored(&message("r", 4, &bob));
        inbox.stored(&message("r", 5, &ana));
        assert_eq!(counts(&inbox, &list), [Some((5, 1))]);
        assert_eq!(counts(&inbox, &list), []);
        inbox.stored(&message("r", 6, &ana));
        assert_eq!(counts(&inbox, &list), [None], "her own");
        (7..1_000).for_each(|seq| inbox.stored(&message("r", seq, &bob)));
        assert_eq!(counts(&inbox, &list), [Some((999, 100))]);
    }

    #[test]
    fn nothing_is_watched_once_the_last_session_has_ended() {
        let (inbox, ana) = (Inbox::default(), account("ana"));
        let (first, second) = (inbox.open(&ana, &[]), inbox.open(&ana, &[]));
        first.rooms.put(listed("r", 0));
        inbox.watch("r".parse().unwrap(), &first.rooms);
        drop(first);
        assert_eq!(inbox.0.watched.lock().len(), 1);
        drop(second);
        assert!(inbox.0.watched.lock().is_empty() && inbox.0.users.lock().is_empty());
    }
}
