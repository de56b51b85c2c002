//! A history store of your own, checked by the conformance suite:
//! `cargo run -p chat-history --features conformance --example own_store`.
#![allow(clippy::print_stdout)]

use std::collections::HashMap;
use std::sync::Arc;

use chat_history::conformance::{self, History};
use chat_history::{
    AppendError, Appended, Changed, Count, Durability, Extent, HistoryError, HistoryStore, MAX_PAGE_BYTES,
    Mentions, Messages, NewDeletion, NewEdit, NewEvent, NewMessage, NewReaction, NewRoomChange, OnAppended,
    Own, Page, Permission, PublicRoom, Retention, StoredEvent, StoredReaction, StoredSettings,
};
use chat_protocol::{
    Deletion, Edit, Emoji, Epoch, MAX_REACTIONS, Mention, Message, MessageId, OwnReactions, Reaction,
    ReactionChange, Reactor, ReplyTo, RoomChange, RoomName, Timestamp, UserId, Visibility,
};
use futures::future::{BoxFuture, FutureExt, ready};
use parking_lot::Mutex;

/// All messages of a room, and what survives pruning: the newest number, and the ids.
#[derive(Debug)]
struct Room {
    messages: Vec<Arc<Message>>,
    newest: u64,
    /// Messages with a smaller number were pruned.
    oldest: u64,
    /// The first use of each id of an author, and its digest.
    ids: HashMap<(UserId, MessageId), (FirstUse, u64)>,
    /// Whom each message addresses.
    mentions: HashMap<u64, Mentions>,
    /// Who has put which emoji on each message, in order.
    reactors: HashMap<u64, Vec<(Emoji, Vec<Reactor>)>>,
    settings: StoredSettings,
}

/// What an id was first used for: an idempotent message, or the edit with this number.
#[derive(Debug)]
enum FirstUse {
    Message(Arc<Message>),
    Edit(u64),
}

/// Messages in lists. It keeps all ids; a real store removes those that are older than a day.
#[derive(Debug)]
struct ListHistory {
    epoch: Epoch,
    rooms: Mutex<HashMap<RoomName, Room>>,
}

impl Default for Room {
    fn default() -> Self {
        Self {
            messages: Vec::new(),
            newest: 0,
            oldest: 1,
            ids: HashMap::new(),
            mentions: HashMap::new(),
            reactors: HashMap::new(),
            settings: StoredSettings::default(),
        }
    }
}

impl Room {
    fn append(&mut self, new: NewMessage) -> Result<Appended, AppendError> {
        let (key, digest) = ((new.user.clone(), new.id.clone()), new.digest());
        if new.idempotent
            && let Some((first, known)) = self.ids.get(&key)
        {
            return match first {
                FirstUse::Message(first) if *known == digest => {
                    let now = self.messages.iter().find(|message| message.seq == first.seq);
                    Ok(Appended::Duplicate(Arc::clone(now.unwrap_or(first))))
                }
                _ => Err(AppendError::IdReused),
            };
        }
        let reply_to = match new.reply_to() {
            Some(target) => {
                let text = self.text(target)?;
                Some(ReplyTo { seq: target, from: text.from.clone(), user: text.user.clone() })
            }
            None => None,
        };
        Permission::check(new.permission, self.settings.version)
            .map_err(|reason| reason.into_error(new.clone()))?;
        self.newest += 1;
        self.mentions.insert(self.newest, new.mentions().cloned().unwrap_or_default());
        let idempotent = new.idempotent;
        let message = Arc::new(new.numbered(self.newest, Timestamp::now(), reply_to));
        if idempotent {
            self.ids.insert(key, (FirstUse::Message(Arc::clone(&message)), digest));
        }
        self.messages.push(Arc::clone(&message));
        Ok(Appended::Stored(StoredEvent::Message(message)))
    }

    fn edit(&mut self, edit: NewEdit) -> Result<Appended, AppendError> {
        let (seq, now, digest) = (self.newest + 1, Timestamp::now(), edit.digest());
        let key = edit.id.clone().map(|id| (edit.authors[0].clone(), id));
        if let Some((first, known)) = key.as_ref().and_then(|key| self.ids.get(key)) {
            return match first {
                FirstUse::Edit(seq) if *known == digest => Ok(Appended::Repeated(*seq)),
                _ => Err(AppendError::IdReused),
            };
        }
        let message = self.messages.iter_mut().find(|message| message.seq == edit.target);
        let message = message.ok_or(AppendError::NotFound)?;
        let text = message.text().ok_or(AppendError::NotFound)?;
        if !edit.authors.contains(&text.user) {
            return Err(AppendError::NotAuthor);
        }
        if edit.is_late(message.sent_at, now) {
            return Err(AppendError::TooLate);
        }
        Permission::check(edit.permission, self.settings.version)
            .map_err(|reason| reason.into_error(edit.clone()))?;
        if text.body == edit.body {
            return Ok(Appended::Unchanged);
        }
        let named = edit.mentions.named.clone();
        *message = Arc::new(message.edited(edit.body, named, now, seq).ok_or(AppendError::NotFound)?);
        self.newest = seq;
        self.mentions.insert(edit.target, edit.mentions);
        self.ids.extend(key.map(|key| (key, (FirstUse::Edit(seq), digest))));
        Ok(Appended::Stored(StoredEvent::Edit(Arc::new(Edit::new(seq, Arc::clone(message))))))
    }

    fn delete(&mut self, deletion: NewDeletion) -> Result<Appended, AppendError> {
        let (seq, targets) = (self.newest + 1, &deletion.targets);
        let found = || self.messages.iter().filter(|message| targets.contains(&message.seq));
        if found().next().is_none() {
            return Err(AppendError::NotFound);
        }
        let mut texts = found().filter_map(|message| message.text()).peekable();
        if texts.peek().is_none() {
            return Ok(Appended::Unchanged);
        }
        let is_own = texts.all(|text| deletion.is_author(text.user.as_str()));
        let by = deletion.deleted_by(is_own, self.settings.version)?;
        let mut deleted = Vec::new();
        for message in &mut self.messages {
            if targets.contains(&message.seq) && message.text().is_some() {
                *message = Arc::new(message.deleted(by, seq));
                self.mentions.remove(&message.seq);
                self.reactors.remove(&message.seq);
                deleted.push(Arc::clone(message));
            }
        }
        self.newest = seq;
        Ok(Appended::Stored(StoredEvent::Deletion(Arc::new(Deletion::new(deletion.room, seq, by, deleted)))))
    }

    /// The text of a message that exists and is not deleted.
    fn text(&self, seq: u64) -> Result<&chat_protocol::Text, AppendError> {
        let message = self.messages.iter().find(|message| message.seq == seq);
        message.and_then(|message| message.text()).ok_or(AppendError::NotFound)
    }

    fn react(&mut self, reaction: NewReaction) -> Result<Appended, AppendError> {
        let seq = self.newest + 1;
        self.text(reaction.target)?;
        Permission::check(reaction.permission, self.settings.version)
            .map_err(|reason| reason.into_error(reaction.clone()))?;
        let reactors = self.reactors.entry(reaction.target).or_default();
        let is_theirs = |reactor: &Reactor| reaction.authors.contains(&reactor.user);
        let index = reactors.iter().position(|(emoji, _)| *emoji == reaction.emoji);
        let has = index.is_some_and(|index| reactors[index].1.iter().any(is_theirs));
        let Some(reactor) = reaction.reactor().filter(|_| has != reaction.is_added) else {
            return Ok(Appended::Unchanged);
        };
        if index.is_none() && reactors.len() >= MAX_REACTIONS {
            return Err(AppendError::LimitReached);
        }
        let index = index.unwrap_or_else(|| {
            reactors.push((reaction.emoji.clone(), Vec::new()));
            reactors.len() - 1
        });
        let users = &mut reactors[index].1;
        let (mut added, mut removed) = (Vec::new(), Vec::new());
        if reaction.is_added {
            users.push(reactor.clone());
            added.push(reactor);
        } else {
            removed.extend(users.extract_if(.., |reactor| is_theirs(reactor)));
        }
        let change = ReactionChange { emoji: reaction.emoji, count: users.len() as u64, added, removed };
        reactors.retain(|(_, users)| !users.is_empty());
        let state = |(emoji, users): &(Emoji, Vec<Reactor>)| {
            let names = users.iter().take(10).map(|reactor| reactor.username.clone()).collect();
            Reaction::new(emoji.clone(), users.len() as u64, names)
        };
        let reactions = reactors.iter().map(state).collect();
        let message = self.messages.iter_mut().find(|message| message.seq == reaction.target);
        let message = message.ok_or(AppendError::NotFound)?;
        *message = Arc::new(message.reacted(reactions, seq).ok_or(AppendError::NotFound)?);
        self.newest = seq;
        let stored = StoredReaction::new(seq, Arc::clone(message), change);
        Ok(Appended::Stored(StoredEvent::Reaction(Arc::new(stored))))
    }

    fn own_reactions(&self, targets: &[u64], users: &[UserId]) -> Own {
        let mut own = OwnReactions::new();
        for target in targets {
            for (emoji, reactors) in self.reactors.get(target).into_iter().flatten() {
                if reactors.iter().any(|reactor| users.contains(&reactor.user)) {
                    own.entry(*target).or_default().push(emoji.clone());
                }
            }
        }
        Own::new(own, self.newest)
    }

    fn mentions_after(
        &self,
        after: u64,
        [users, except]: [&[UserId]; 2],
        max: usize,
        retention: Retention,
    ) -> Count {
        let is_other = |author: &UserId| !users.contains(author) && !except.contains(author);
        let is_for = |id: &str| id == Mention::Room.as_str() || users.iter().any(|user| user.as_str() == id);
        let counts = |message: &&Arc<Message>| {
            let mentions = self.mentions.get(&message.seq);
            message.seq > after
                && message.text().is_some_and(|text| is_other(&text.user))
                && mentions.is_some_and(|mentions| mentions.all().any(is_for))
        };
        Count::new(self.kept(retention).iter().filter(counts).take(max).count(), self.newest)
    }

    fn configure(&mut self, change: NewRoomChange) -> Result<Appended, AppendError> {
        Permission::check(change.permission, self.settings.version)
            .map_err(|reason| reason.into_error(change.clone()))?;
        let NewRoomChange { room, settings, by, .. } = change;
        if *self.settings.settings == settings {
            return Ok(Appended::Unchanged);
        }
        let version = self.settings.version + 1;
        self.settings = StoredSettings::new(settings.clone(), version);
        self.newest += 1;
        let change = RoomChange::new(room, self.newest, settings).by(by);
        Ok(Appended::Stored(StoredEvent::RoomChange(Arc::new(change), version)))
    }

    fn raise_version(&mut self) -> Appended {
        self.settings.version += 1;
        Appended::NewRules(self.settings.version)
    }

    /// The messages that retention keeps.
    fn kept(&self, retention: Retention) -> &[Arc<Message>] {
        let max =
            retention.max_count.map_or(usize::MAX, |count| usize::try_from(count).unwrap_or(usize::MAX));
        let newest = &self.messages[self.messages.len().saturating_sub(max)..];
        let Some(earliest) = retention.sent_after(Timestamp::now()) else { return newest };
        &newest[newest.partition_point(|message| message.sent_at < earliest)..]
    }

    fn extent(&self, retention: Retention) -> Extent {
        let oldest = match self.kept(retention).first() {
            Some(oldest) if self.kept(retention).len() < self.messages.len() => oldest.seq,
            Some(_) => self.oldest,
            None => self.newest + 1,
        };
        Extent::new(oldest, self.newest)
    }

    fn page(&self, page: Page, retention: Retention) -> Messages {
        let in_range: Vec<_> = self
            .kept(retention)
            .iter()
            .filter(|message| match page {
                Page::Before { seq, .. } => message.seq < seq,
                Page::After { seq, .. } => message.seq > seq,
            })
            .collect();
        let mut bytes = 0;
        let mut fits = |message: &&&Arc<Message>| {
            bytes += message.encoded_size();
            bytes <= MAX_PAGE_BYTES || bytes == message.encoded_size()
        };
        let mut messages: Vec<Arc<Message>> = match page {
            Page::Before { limit, .. } => in_range
                .iter()
                .rev()
                .take(limit)
                .take_while(&mut fits)
                .map(|message| Arc::clone(message))
                .collect(),
            Page::After { limit, .. } => {
                in_range.iter().take(limit).take_while(&mut fits).map(|message| Arc::clone(message)).collect()
            }
        };
        messages.sort_unstable_by_key(|message| message.seq);
        let more = messages.len() < in_range.len();
        Messages::new(page, self.extent(retention), messages, more)
    }

    fn changed(&self, after: u64, limit: usize) -> Changed {
        let is_changed = |message: &&Arc<Message>| message.changed_seq.is_some_and(|seq| seq > after);
        let changed: Vec<_> = self.messages.iter().filter(is_changed).map(Arc::clone).collect();
        let bytes: usize = changed.iter().map(|message| message.encoded_size()).sum();
        let fits = changed.len() <= limit && bytes <= MAX_PAGE_BYTES;
        Changed::new(fits.then_some(changed), self.newest)
    }
}

impl ListHistory {
    /// Reads a room. A room that was never written to has no messages.
    fn read<T: Send + 'static>(
        &self,
        room: &RoomName,
        read: impl FnOnce(&Room) -> T,
    ) -> BoxFuture<'_, Result<T, HistoryError>> {
        let found = read(self.rooms.lock().get(room).unwrap_or(&Room::default()));
        ready(Ok(found)).boxed()
    }
}

impl HistoryStore for ListHistory {
    fn epoch(&self) -> Epoch {
        self.epoch.clone()
    }

    fn durability(&self) -> Durability {
        Durability::Memory
    }

    fn append(&self, event: NewEvent, on_appended: OnAppended) {
        let mut rooms = self.rooms.lock();
        let room = rooms.entry(event.room().clone()).or_default();
        let result = match event {
            NewEvent::Message(message) => room.append(message),
            NewEvent::Edit(edit) => room.edit(edit),
            NewEvent::Deletion(deletion) => room.delete(deletion),
            NewEvent::Reaction(reaction) => room.react(reaction),
            NewEvent::RoomChange(change) => room.configure(change),
            NewEvent::NewRules(_) => Ok(room.raise_version()),
        };
        // under the lock, so that results come in the order of the numbers
        on_appended(result);
    }

    fn extent(&self, room: RoomName, retention: Retention) -> BoxFuture<'_, Result<Extent, HistoryError>> {
        self.read(&room, |room| room.extent(retention))
    }

    fn settings(&self, room: RoomName) -> BoxFuture<'_, Result<StoredSettings, HistoryError>> {
        self.read(&room, |room| room.settings.clone())
    }

    fn public_rooms(&self, limit: usize) -> BoxFuture<'_, Result<Vec<PublicRoom>, HistoryError>> {
        let rooms = self.rooms.lock();
        let is_public = |room: &Room| room.settings.settings.visibility == Visibility::Public;
        let found = rooms.iter().filter(|(_, room)| is_public(room)).take(limit).map(|(name, room)| {
            let newest = room.messages.last().map(|message| message.sent_at);
            PublicRoom::new(name.clone(), room.settings.settings.clone(), newest)
        });
        ready(Ok(found.collect())).boxed()
    }

    fn page(
        &self,
        room: RoomName,
        page: Page,
        retention: Retention,
    ) -> BoxFuture<'_, Result<Messages, HistoryError>> {
        self.read(&room, |room| room.page(page, retention))
    }

    fn changed(
        &self,
        room: RoomName,
        after: u64,
        limit: usize,
    ) -> BoxFuture<'_, Result<Changed, HistoryError>> {
        self.read(&room, |room| room.changed(after, limit))
    }

    fn own_reactions(
        &self,
        room: RoomName,
        targets: Vec<u64>,
        users: Vec<UserId>,
    ) -> BoxFuture<'_, Result<Own, HistoryError>> {
        self.read(&room, |room| room.own_reactions(&targets, &users))
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
        self.read(&room, |room| room.mentions_after(after, [&users, &except], max, retention))
    }

    fn prune(&self, retention: Retention) -> BoxFuture<'_, Result<bool, HistoryError>> {
        for room in self.rooms.lock().values_mut() {
            room.oldest = room.extent(retention).oldest;
            let expired = room.messages.len() - room.kept(retention).len();
            for message in room.messages.drain(..expired) {
                room.mentions.remove(&message.seq);
                room.reactors.remove(&message.seq);
            }
        }
        ready(Ok(false)).boxed()
    }

    fn check(&self) -> BoxFuture<'_, Result<(), HistoryError>> {
        ready(Ok(())).boxed()
    }
}

fn main() -> std::io::Result<()> {
    tokio::runtime::Runtime::new()?.block_on(conformance::run(async || {
        History::new(ListHistory { epoch: Epoch::from_random(rand::random()), rooms: Mutex::default() })
    }));
    println!("the store keeps all promises of HistoryStore");
    Ok(())
}
