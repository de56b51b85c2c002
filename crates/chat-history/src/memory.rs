//! The store in memory.

mod log;
mod reactions;
mod users;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

use chat_protocol::{
    Content, Deletion, Edit, Epoch, Mention, Message, MessageId, ReplyTo, RoomChange, RoomName, Timestamp,
    UserId, Visibility,
};
use futures::future::{BoxFuture, FutureExt, ready};
use parking_lot::Mutex;

use self::reactions::Reactors;
use crate::{
    AppendError, Appended, Changed, Count, Durability, Extent, HistoryError, HistoryStore, MAX_PAGE_BYTES,
    Mentions, Messages, NewDeletion, NewEdit, NewEvent, NewMessage, NewRoomChange, OnAppended, Own, Page,
    Permission, PublicRoom, Retention, StoredEvent, StoredSettings,
};

pub use log::MemoryHistoryLog;
pub use users::MemoryUserMessages;

/// How much of one room is kept: this number of messages, and of bytes.
const MAX_ROOM_MESSAGES: usize = 1_000;
const MAX_ROOM_BYTES: usize = 1 << 20;

/// How many bytes of all rooms are kept. Beyond this limit all messages of the rooms with the
/// oldest last append are forgotten, while their numbers continue. Only if the numbers of all rooms
/// do not fit either, some of those are forgotten, too.
const MAX_BYTES: usize = 64 << 20;

/// The size of a room without its messages, and of a room whose messages are forgotten. Both count
/// towards [`MAX_BYTES`].
const EMPTY_ROOM: usize = 512;
const FORGOTTEN_ROOM: usize = 160;

/// What a mention counts, in bytes.
const MENTION: usize = 64;

/// History in memory: the newest messages of each room, lost when the process ends. It never fails,
/// and an append completes before it returns.
///
/// It keeps 1,000 messages and 1 MiB per room and 64 MiB in all, and recognises the id of a message
/// for as long as it keeps the message.
#[derive(Debug)]
pub struct MemoryHistory {
    epoch: Epoch,
    rooms: Arc<Mutex<Rooms>>,
}

#[derive(Debug, Default)]
struct Rooms {
    logs: HashMap<RoomName, Log>,
    /// The newest numbers of rooms whose messages were forgotten.
    numbers: HashMap<RoomName, u64>,
    /// The settings of rooms that were configured. They are never forgotten.
    settings: HashMap<RoomName, StoredSettings>,
    /// The total size of both.
    bytes: usize,
    /// Counts appends: the clock that finds the rooms with the oldest last append.
    appends: u64,
    /// Counts the rooms that were created.
    created: i64,
    /// The highest number of the rooms whose numbers were forgotten. An unknown room may be one of
    /// them: its numbers continue after this one, so that no number is used twice.
    forgotten: u64,
}

/// The newest messages of one room, in order.
#[derive(Debug)]
struct Log {
    messages: VecDeque<Arc<Message>>,
    /// The ids of the idempotent messages and of edits, by author and id. Deleted messages keep
    /// their entries.
    ids: HashMap<(UserId, MessageId), Claim>,
    /// Whom the messages address, by number. Few of them address anybody.
    mentions: BTreeMap<u64, Mentions>,
    /// Who has put which emoji on the messages, by number. Few of them have any.
    reactors: BTreeMap<u64, Reactors>,
    /// The number of the newest event.
    newest: u64,
    /// Messages with a smaller number were removed.
    oldest: u64,
    bytes: usize,
    /// The last append to this room.
    last_append: u64,
    /// The position of the room in a walk through all rooms.
    position: i64,
}

/// The first use of an id.
#[derive(Debug, Clone, Copy)]
struct Claim {
    /// The number of the event.
    seq: u64,
    digest: u64,
    /// The number of the message that was posted or edited.
    message: u64,
}

impl Default for MemoryHistory {
    fn default() -> Self {
        Self::new()
    }
}

impl MemoryHistory {
    /// An empty store in a new epoch.
    pub fn new() -> Self {
        Self { epoch: Epoch::from_random(rand::random()), rooms: Arc::default() }
    }

    /// Access to the messages of one user.
    pub fn user_messages(&self) -> MemoryUserMessages {
        MemoryUserMessages::new(Arc::clone(&self.rooms))
    }
}

impl Rooms {
    /// `digest` is that of an idempotent message.
    fn append(&mut self, new: NewMessage, digest: Option<u64>) -> Result<Appended, AppendError> {
        let version = self.policy_version(&new.room);
        let log = self.log(&new.room);
        let seq = log.newest + 1;
        let claim = digest.map(|digest| {
            let claim = Claim { seq, digest, message: seq };
            ((new.user.clone(), new.id.clone()), claim)
        });
        if let Some((key, claim)) = &claim
            && let Some(known) = log.ids.get(key)
            && let Some(first) = log.get(known.message)
        {
            return if known.digest == claim.digest {
                Ok(Appended::Duplicate(Arc::clone(first)))
            } else {
                Err(AppendError::IdReused)
            };
        }
        let reply_to = new.reply_to().map(|target| log.reply_to(target)).transpose()?;
        Permission::check(new.permission, version).map_err(|reason| reason.into_error(new.clone()))?;
        log.ids.extend(claim);
        let before = log.bytes;
        log.address(seq, new.mentions().cloned().unwrap_or_default());
        let message = Arc::new(new.numbered(seq, Timestamp::now(), reply_to));
        log.push(Arc::clone(&message));
        let after = log.bytes;
        self.bytes = self.bytes + after - before;
        self.evict();
        Ok(Appended::Stored(StoredEvent::Message(message)))
    }

    fn policy_version(&self, room: &RoomName) -> u64 {
        self.settings.get(room).map_or(0, |settings| settings.version)
    }

    /// The room, created if there is none.
    fn log(&mut self, room: &RoomName) -> &mut Log {
        self.appends += 1;
        let log = self.logs.entry(room.clone()).or_insert_with(|| {
            self.bytes += EMPTY_ROOM;
            let newest = self.numbers.remove(room);
            self.bytes -= newest.map_or(0, |_| FORGOTTEN_ROOM);
            self.created += 1;
            Log::after(newest.unwrap_or(self.forgotten), self.created)
        });
        log.last_append = self.appends;
        log
    }

    fn configure(&mut self, change: NewRoomChange) -> Result<Appended, AppendError> {
        let known = self.settings.get(&change.room).cloned().unwrap_or_default();
        Permission::check(change.permission, known.version)
            .map_err(|reason| reason.into_error(change.clone()))?;
        let NewRoomChange { room, settings, by, .. } = change;
        if *known.settings == settings {
            return Ok(Appended::Unchanged);
        }
        let version = known.version + 1;
        self.settings.insert(room.clone(), StoredSettings::new(settings.clone(), version));
        let log = self.log(&room);
        log.newest += 1;
        let change = RoomChange::new(room, log.newest, settings).by(by);
        self.evict();
        Ok(Appended::Stored(StoredEvent::RoomChange(Arc::new(change), version)))
    }

    fn raise_version(&mut self, room: RoomName) -> Appended {
        let known = self.settings.entry(room).or_default();
        known.version += 1;
        Appended::NewRules(known.version)
    }

    /// `digest` is that of an edit with an id.
    fn edit(&mut self, edit: &NewEdit, digest: Option<u64>) -> Result<Appended, AppendError> {
        let version = self.policy_version(&edit.room);
        let log = self.logs.get_mut(&edit.room).ok_or(AppendError::NotFound)?;
        let (before, seq, now) = (log.bytes, log.newest + 1, Timestamp::now());
        let key = edit.authors.first().cloned().zip(edit.id.clone()).zip(digest);
        if let Some((key, digest)) = &key
            && let Some(known) = log.ids.get(key)
        {
            return if known.digest == *digest {
                Ok(Appended::Repeated(known.seq))
            } else {
                Err(AppendError::IdReused)
            };
        }
        let message = log.get(edit.target).ok_or(AppendError::NotFound)?;
        let text = message.text().ok_or(AppendError::NotFound)?;
        if !edit.authors.contains(&text.user) {
            return Err(AppendError::NotAuthor);
        }
        if edit.is_late(message.sent_at, now) {
            return Err(AppendError::TooLate);
        }
        Permission::check(edit.permission, version).map_err(|reason| reason.into_error(edit.clone()))?;
        if text.body == edit.body {
            return Ok(Appended::Unchanged);
        }
        let (body, named) = (Arc::clone(&edit.body), edit.mentions.named.clone());
        let edited = |message: &Message| message.edited(body, named, now, seq);
        let message = log.change(edit.target, edited).ok_or(AppendError::NotFound)?;
        log.address(edit.target, edit.mentions.clone());
        log.newest = seq;
        log.ids.extend(key.map(|(key, digest)| (key, Claim { seq, digest, message: edit.target })));
        self.bytes = self.bytes + log.bytes - before;
        Ok(Appended::Stored(StoredEvent::Edit(Arc::new(Edit::new(seq, message)))))
    }

    fn delete(&mut self, deletion: NewDeletion) -> Result<Appended, AppendError> {
        let version = self.policy_version(&deletion.room);
        let log = self.logs.get_mut(&deletion.room).ok_or(AppendError::NotFound)?;
        let (before, seq) = (log.bytes, log.newest + 1);
        let mut targets = deletion.targets.clone();
        targets.sort_unstable();
        targets.dedup();
        targets.retain(|target| log.get(*target).is_some());
        if targets.is_empty() {
            return Err(AppendError::NotFound);
        }
        targets.retain(|target| log.get(*target).is_some_and(|message| message.text().is_some()));
        if targets.is_empty() {
            return Ok(Appended::Unchanged);
        }
        let mut texts = targets.iter().filter_map(|target| log.get(*target)?.text());
        let is_own = texts.all(|text| deletion.is_author(text.user.as_str()));
        let by = deletion.deleted_by(is_own, version)?;
        let room = deletion.room;
        for target in &targets {
            log.address(*target, Mentions::default());
            log.forget_reactors(*target);
        }
        let deleted: Vec<_> = targets
            .into_iter()
            .filter_map(|target| log.change(target, |message| Some(message.deleted(by, seq))))
            .collect();
        log.newest = seq;
        self.bytes = self.bytes + log.bytes - before;
        Ok(Appended::Stored(StoredEvent::Deletion(Arc::new(Deletion::new(room, seq, by, deleted)))))
    }

    /// The numbers of a room.
    fn extent(&self, room: &RoomName, retention: Retention, now: Timestamp) -> Extent {
        match self.logs.get(room) {
            Some(log) => log.extent(retention, now),
            None => {
                let newest = self.numbers.get(room).copied().unwrap_or(self.forgotten);
                Extent::new(newest + 1, newest)
            }
        }
    }

    /// Forgets the messages of whole rooms until the rest fits, and a quarter more, so that the
    /// search is rare.
    fn evict(&mut self) {
        if self.bytes <= MAX_BYTES {
            return;
        }
        let mut by_age: Vec<(u64, RoomName)> =
            self.logs.iter().map(|(name, log)| (log.last_append, name.clone())).collect();
        by_age.sort_unstable();
        for (_, name) in by_age {
            if self.bytes <= MAX_BYTES / 4 * 3 || self.logs.len() == 1 {
                break;
            }
            if let Some(log) = self.logs.remove(&name) {
                self.bytes = self.bytes + FORGOTTEN_ROOM - (log.bytes + EMPTY_ROOM);
                self.numbers.insert(name, log.newest);
            }
        }
        if self.numbers.len() * FORGOTTEN_ROOM > MAX_BYTES / 2 {
            self.bytes -= self.numbers.len() * FORGOTTEN_ROOM;
            let highest = std::mem::take(&mut self.numbers).into_values().max();
            self.forgotten = self.forgotten.max(highest.unwrap_or_default());
        }
    }
}

impl Log {
    /// An empty room whose numbers continue after `newest`.
    fn after(newest: u64, position: i64) -> Self {
        Self {
            messages: VecDeque::new(),
            ids: HashMap::new(),
            mentions: BTreeMap::new(),
            reactors: BTreeMap::new(),
            newest,
            oldest: newest + 1,
            bytes: 0,
            last_append: 0,
            position,
        }
    }

    fn get(&self, seq: u64) -> Option<&Arc<Message>> {
        let index = self.messages.binary_search_by_key(&seq, |message| message.seq).ok()?;
        self.messages.get(index)
    }

    /// A message, for one that replies to it.
    fn reply_to(&self, seq: u64) -> Result<ReplyTo, AppendError> {
        let text = self.get(seq).and_then(|message| message.text()).ok_or(AppendError::NotFound)?;
        Ok(ReplyTo { seq, from: text.from.clone(), user: text.user.clone() })
    }

    /// Notes whom a message addresses from now on.
    fn address(&mut self, seq: u64, mentions: Mentions) {
        let size = |mentions: &Mentions| MENTION * mentions.all().count();
        self.bytes += size(&mentions);
        let before = if mentions.is_empty() {
            self.mentions.remove(&seq)
        } else {
            self.mentions.insert(seq, mentions)
        };
        self.bytes -= before.as_ref().map_or(0, size);
    }

    /// Replaces a message that is not deleted, and returns what has replaced it.
    fn change(&mut self, seq: u64, change: impl FnOnce(&Message) -> Option<Message>) -> Option<Arc<Message>> {
        let index = self.messages.binary_search_by_key(&seq, |message| message.seq).ok()?;
        let message = self.messages.get_mut(index)?;
        message.text()?;
        let changed = change(message)?;
        self.bytes -= message.size();
        *message = Arc::new(changed);
        self.bytes += message.size();
        Some(Arc::clone(message))
    }

    fn push(&mut self, message: Arc<Message>) {
        self.newest = message.seq;
        self.bytes += message.size();
        self.messages.push_back(message);
        while self.messages.len() > MAX_ROOM_MESSAGES
            || (self.bytes > MAX_ROOM_BYTES && self.messages.len() > 1)
        {
            self.drop_oldest();
        }
    }

    fn drop_oldest(&mut self) {
        let Some(oldest) = self.messages.pop_front() else { return };
        self.bytes -= oldest.size();
        self.address(oldest.seq, Mentions::default());
        self.forget_reactors(oldest.seq);
        self.oldest = self.messages.front().map_or(self.newest + 1, |oldest| oldest.seq);
        match &oldest.content {
            Content::Text(text) if text.edited_at.is_none() => {
                let key = (text.user.clone(), text.id.clone());
                if self.ids.get(&key).is_some_and(|claim| claim.seq == oldest.seq) {
                    self.ids.remove(&key);
                }
            }
            _ => self.ids.retain(|_, claim| claim.message != oldest.seq),
        }
    }

    /// The numbers of the messages that retention keeps.
    fn extent(&self, retention: Retention, now: Timestamp) -> Extent {
        let expired = self.expired(retention, now);
        let oldest = match self.messages.get(expired) {
            _ if expired == 0 => self.oldest,
            Some(kept) => kept.seq,
            None => self.newest + 1,
        };
        Extent::new(oldest, self.newest)
    }

    fn page(&self, page: Page, retention: Retention, now: Timestamp) -> Messages {
        let extent = self.extent(retention, now);
        // the position of the first kept message that is not before this number
        let index = |seq: u64| self.messages.partition_point(|message| message.seq < seq.max(extent.oldest));
        let mut bytes = 0;
        let mut fits = |message: &&Arc<Message>| {
            bytes += message.encoded_size();
            bytes <= MAX_PAGE_BYTES || bytes == message.encoded_size()
        };
        match page {
            Page::After { seq, limit } => {
                let from = index(seq.saturating_add(1));
                let messages: Vec<_> =
                    self.messages.range(from..).take(limit).take_while(&mut fits).map(Arc::clone).collect();
                let more = from + messages.len() < self.messages.len();
                Messages::new(page, extent, messages, more)
            }
            Page::Before { seq, limit } => {
                let (start, end) = (index(0), index(seq));
                let mut messages: Vec<_> = self
                    .messages
                    .range(start..end)
                    .rev()
                    .take(limit)
                    .take_while(&mut fits)
                    .map(Arc::clone)
                    .collect();
                messages.reverse();
                let more = start + messages.len() < end;
                Messages::new(page, extent, messages, more)
            }
        }
    }

    /// How many messages, the oldest ones, retention does not keep.
    fn expired(&self, retention: Retention, now: Timestamp) -> usize {
        let max =
            retention.max_count.map_or(usize::MAX, |count| usize::try_from(count).unwrap_or(usize::MAX));
        let too_many = self.messages.len().saturating_sub(max);
        let is_old = |message: &&Arc<Message>| {
            retention.sent_after(now).is_some_and(|earliest| message.sent_at < earliest)
        };
        too_many + self.messages.range(too_many..).take_while(is_old).count()
    }

    /// Removes the messages that retention does not keep.
    fn prune(&mut self, retention: Retention, now: Timestamp) {
        (0..self.expired(retention, now)).for_each(|_| self.drop_oldest());
    }

    /// The messages that an event after `after` has changed.
    fn changed(&self, after: u64, limit: usize) -> Changed {
        let is_changed = |message: &&Arc<Message>| message.changed_seq.is_some_and(|seq| seq > after);
        let changed: Vec<_> = self.messages.iter().filter(is_changed).map(Arc::clone).collect();
        let bytes: usize = changed.iter().map(|message| message.encoded_size()).sum();
        let is_small = changed.len() <= limit && bytes <= MAX_PAGE_BYTES;
        Changed::new(is_small.then_some(changed), self.newest)
    }
}

impl HistoryStore for MemoryHistory {
    fn epoch(&self) -> Epoch {
        self.epoch.clone()
    }

    fn durability(&self) -> Durability {
        Durability::Memory
    }

    fn append(&self, event: NewEvent, on_appended: OnAppended) {
        let digest = match &event {
            NewEvent::Message(message) if message.idempotent => Some(message.digest()),
            NewEvent::Edit(edit) if edit.id.is_some() => Some(edit.digest()),
            _ => None,
        };
        let mut rooms = self.rooms.lock();
        let outcome = match event {
            NewEvent::Message(message) => rooms.append(message, digest),
            NewEvent::Edit(edit) => rooms.edit(&edit, digest),
            NewEvent::Deletion(deletion) => rooms.delete(deletion),
            NewEvent::Reaction(reaction) => rooms.react(&reaction),
            NewEvent::RoomChange(change) => rooms.configure(change),
            NewEvent::NewRules(room) => Ok(rooms.raise_version(room)),
        };
        // under the lock, so that results come in the order of the numbers
        on_appended(outcome);
    }

    fn extent(&self, room: RoomName, retention: Retention) -> BoxFuture<'_, Result<Extent, HistoryError>> {
        ready(Ok(self.rooms.lock().extent(&room, retention, Timestamp::now()))).boxed()
    }

    fn settings(&self, room: RoomName) -> BoxFuture<'_, Result<StoredSettings, HistoryError>> {
        ready(Ok(self.rooms.lock().settings.get(&room).cloned().unwrap_or_default())).boxed()
    }

    fn public_rooms(&self, limit: usize) -> BoxFuture<'_, Result<Vec<PublicRoom>, HistoryError>> {
        let rooms = self.rooms.lock();
        let public =
            rooms.settings.iter().filter(|(_, stored)| stored.settings.visibility == Visibility::Public);
        let found = public.take(limit).map(|(room, stored)| {
            let newest = rooms.logs.get(room).and_then(|log| log.messages.back());
            PublicRoom::new(room.clone(), Arc::clone(&stored.settings), newest.map(|message| message.sent_at))
        });
        ready(Ok(found.collect())).boxed()
    }

    fn page(
        &self,
        room: RoomName,
        page: Page,
        retention: Retention,
    ) -> BoxFuture<'_, Result<Messages, HistoryError>> {
        let (rooms, now) = (self.rooms.lock(), Timestamp::now());
        let found = match rooms.logs.get(&room) {
            Some(log) => log.page(page, retention, now),
            None => Messages::new(page, rooms.extent(&room, retention, now), Vec::new(), false),
        };
        ready(Ok(found)).boxed()
    }

    fn changed(
        &self,
        room: RoomName,
        after: u64,
        limit: usize,
    ) -> BoxFuture<'_, Result<Changed, HistoryError>> {
        let rooms = self.rooms.lock();
        let nothing = || {
            let newest = rooms.extent(&room, Retention::default(), Timestamp::now()).newest;
            Changed::new(Some(Vec::new()), newest)
        };
        ready(Ok(rooms.logs.get(&room).map_or_else(nothing, |log| log.changed(after, limit)))).boxed()
    }

    fn own_reactions(
        &self,
        room: RoomName,
        targets: Vec<u64>,
        users: Vec<UserId>,
    ) -> BoxFuture<'_, Result<Own, HistoryError>> {
        let rooms = self.rooms.lock();
        let own = rooms.logs.get(&room).map(|log| log.own_reactions(&targets, &users));
        ready(Ok(own.unwrap_or_default())).boxed()
    }

    fn mentions_after(
        &self,
        room: RoomName,
        after: u64,
        users: Vec<UserId>,
        except: Vec<UserId>,
        max: usize,
        retention: Retention,
    ) -> BoxFuture<'_, Result<Count, HistoryError>> {
        let (rooms, now) = (self.rooms.lock(), Timestamp::now());
        let count = rooms.logs.get(&room).map(|log| {
            let from = after.saturating_add(1).max(log.extent(retention, now).oldest);
            let is_for =
                |id: &str| id == Mention::Room.as_str() || users.iter().any(|user| user.as_str() == id);
            let found = log.mentions.range(from..).filter(|(seq, mentions)| {
                let text = log.get(**seq).and_then(|message| message.text());
                let is_other = |author: &UserId| !users.contains(author) && !except.contains(author);
                mentions.all().any(is_for) && text.is_some_and(|text| is_other(&text.user))
            });
            Count::new(found.take(max).count(), log.newest)
        });
        ready(Ok(count.unwrap_or_default())).boxed()
    }

    fn prune(&self, retention: Retention) -> BoxFuture<'_, Result<bool, HistoryError>> {
        let now = Timestamp::now();
        let mut rooms = self.rooms.lock();
        let Rooms { logs, bytes, .. } = &mut *rooms;
        for log in logs.values_mut() {
            let before = log.bytes;
            log.prune(retention, now);
            *bytes -= before - log.bytes;
        }
        ready(Ok(false)).boxed()
    }

    fn check(&self) -> BoxFuture<'_, Result<(), HistoryError>> {
        ready(Ok(())).boxed()
    }
}
