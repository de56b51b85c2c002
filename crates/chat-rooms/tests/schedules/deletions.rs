//! Messages are edited and deleted, users react to them, and settings are changed, while members
//! send, reply, join and resync, with a store that fails.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chat_history::{Mentions, MessageContext, Page};
use chat_protocol::{
    DeletedBy, Edit as Edited, Emoji, Event, Identity, MayPost, Message, OwnReactions, Reacted, Reaction,
    Reactor, RoomSettings, Since, UserId,
};
use chat_rooms::{Edit, Engine, HistoryQuery, Membership, Outgoing, React, Resync};
use shuttle::future::{block_on, spawn, yield_now};
use shuttle::rand::{Rng, thread_rng};

use crate::client::{Log, acks, guest, join_as, outgoing, room};
use crate::explore::explore;
use crate::store::{Faults, Presence, Store, engine};

/// The room as a client sees it that follows the cursor rule.
#[derive(Debug, Default)]
struct View {
    cursor: u64,
    messages: BTreeMap<u64, Arc<Message>>,
    /// The reactions of its user.
    mine: BTreeMap<u64, BTreeSet<Emoji>>,
    settings: Arc<RoomSettings>,
    /// Whether the settings are those at the cursor, and not newer ones.
    has_exact_settings: bool,
    /// Whether the client has to resync before it can apply more events.
    is_behind: bool,
}

impl View {
    /// Applies all events, and checks that each continues the one before.
    fn of(events: &[Arc<Event>], user: &UserId) -> Self {
        let mut view = Self::default();
        events.iter().for_each(|event| view.apply(event, user));
        view
    }

    fn apply(&mut self, event: &Event, user: &UserId) {
        match event {
            Event::Joined(joined) => {
                assert!(joined.seq >= self.cursor, "{} after {}", joined.seq, self.cursor);
                if joined.changed.is_none() {
                    self.messages.clear();
                    self.mine.clear();
                }
                (self.cursor, self.is_behind) = (joined.seq, false);
                (self.settings, self.has_exact_settings) = (Arc::clone(&joined.settings), false);
                joined
                    .changed
                    .iter()
                    .flatten()
                    .chain(&joined.messages)
                    .for_each(|message| self.hold(message, &joined.mine));
            }
            Event::History(page) => page.messages.iter().for_each(|message| self.hold(message, &page.mine)),
            Event::Message { message, .. } => {
                // they are all of guests
                let forbids = self.has_exact_settings && self.settings.post != MayPost::Everyone;
                assert!(
                    !forbids || self.is_behind,
                    "{message:?} was stored after the change that forbids it"
                );
                self.step(message.seq, message.seq, [message]);
            }
            Event::RoomChanged(change) if !self.is_behind => {
                self.step(change.seq, change.seq, []);
                (self.settings, self.has_exact_settings) = (Arc::new(change.settings.clone()), true);
            }
            Event::Edited(edit) => self.edit(edit),
            Event::Reacted(reacted) => self.react(reacted, user),
            Event::Deleted(deletion) => self.step(deletion.seq, deletion.seq, &deletion.messages),
            Event::Sync(range) => match &range.outcome {
                Some(outcome) => {
                    // which of the reactions are its own, the client could not know
                    let all = || outcome.messages.iter().chain(&outcome.changed);
                    assert!(all().all(|message| reactions(message).is_empty()), "{outcome:?}");
                    self.step(range.first_seq, range.seq, all());
                    if let Some(settings) = range.settings.clone().filter(|_| !self.is_behind) {
                        (self.settings, self.has_exact_settings) = (settings, false);
                    }
                }
                None => self.is_behind = true,
            },
            _ => {}
        }
    }

    fn step<'a>(&mut self, first: u64, last: u64, messages: impl IntoIterator<Item = &'a Arc<Message>>) {
        if self.is_behind {
            return;
        }
        assert_eq!(first, self.cursor + 1, "no event is missing, and none is repeated");
        self.cursor = last;
        messages.into_iter().for_each(|message| self.hold(message, &OwnReactions::new()));
    }

    /// An edit concerns the text only.
    fn edit(&mut self, Edited { seq, message, .. }: &Edited) {
        self.step(*seq, *seq, []);
        let Some(held) = self.messages.get_mut(&message.seq).filter(|held| held.changed_seq < Some(*seq))
        else {
            return;
        };
        let text = message.text().unwrap();
        let (body, mentions) = (Arc::clone(&text.body), text.mentions.clone());
        *held = Arc::new(held.edited(body, mentions, text.edited_at.unwrap(), *seq).unwrap());
    }

    /// Reactions may have been in a list before they were merged.
    fn react(&mut self, event: &Reacted, user: &UserId) {
        assert!(event.first_seq <= event.seq && event.users() <= Reacted::MAX_USERS);
        if self.is_behind || event.seq <= self.cursor {
            return;
        }
        assert!(event.first_seq <= self.cursor + 1, "no event is missing");
        self.cursor = event.seq;
        let held = self.messages.get_mut(&event.target);
        let Some(held) = held.filter(|held| held.changed_seq < Some(event.seq)) else { return };
        let mut counts: BTreeMap<_, _> = reactions(held).into_iter().collect();
        for change in &event.changes {
            counts.insert(change.emoji.clone(), change.count);
            let has_user = |reactors: &[Reactor]| reactors.iter().any(|reactor| reactor.user == *user);
            let mine = self.mine.entry(event.target).or_default();
            if has_user(&change.added) {
                mine.insert(change.emoji.clone());
            } else if has_user(&change.removed) {
                mine.remove(&change.emoji);
            }
        }
        counts.retain(|_, count| *count > 0);
        let counts = counts.into_iter().map(|(emoji, count)| Reaction::new(emoji, count, Vec::new()));
        *held = Arc::new(held.reacted(counts.collect(), event.seq).unwrap());
    }

    /// A list may be ahead of its place in the stream, so the next one may be older. None is older
    /// than its place.
    fn hold(&mut self, message: &Arc<Message>, own: &OwnReactions) {
        match self.messages.get(&message.seq) {
            Some(held) if held.changed_seq > message.changed_seq => {
                assert!(held.changed_seq > Some(self.cursor), "{message:?} after {held:?}");
            }
            _ => {
                self.messages.insert(message.seq, Arc::clone(message));
                let own = own.get(&message.seq).into_iter().flatten().cloned();
                self.mine.insert(message.seq, own.collect());
            }
        }
    }

    /// Checks that these are the stored messages and reactions.
    fn assert_stored(&self, store: &Store, user: &UserId) {
        let held: Vec<_> = self.messages.values().map(|message| counted(message)).collect();
        let stored: Vec<_> = store.all(&room()).iter().map(|message| counted(message)).collect();
        assert_eq!(held, stored);
        let mine = self.mine.iter().filter(|(_, emoji)| !emoji.is_empty());
        let own = store.own(&room(), user);
        let own: BTreeMap<_, BTreeSet<_>> =
            own.into_iter().map(|(seq, emoji)| (seq, emoji.into_iter().collect())).collect();
        assert_eq!(mine.collect::<Vec<_>>(), own.iter().collect::<Vec<_>>(), "the reactions of {user:?}");
    }
}

/// The emoji on a message, in order, with their counts.
fn reactions(message: &Message) -> Vec<(Emoji, u64)> {
    let reactions = message.text().map(|text| text.reactions()).unwrap_or_default();
    let mut counts: Vec<_> =
        reactions.iter().map(|reaction| (reaction.emoji.clone(), reaction.count)).collect();
    counts.sort();
    counts
}

/// A message without reactions, and the counts. The names are a sample.
fn counted(message: &Message) -> (Message, Vec<(Emoji, u64)>) {
    let mut plain = message.clone();
    let _ = plain.set_reactions(Vec::new());
    (plain, reactions(message))
}

/// A session that follows the room.
struct Reader {
    user: Identity,
    member: Membership,
    log: Arc<Log>,
    /// What earlier sessions of the same client received.
    earlier: Vec<Arc<Event>>,
}

impl Reader {
    /// Joins, and receives all messages.
    async fn join(engine: &Engine, name: &str) -> Self {
        let (user, log) = (guest(name), Log::new(usize::MAX));
        let member = join_as(engine, &user, &log, Some(0)).await;
        Self { user, member, log, earlier: Vec::new() }
    }

    fn view(&self) -> View {
        View::of(&[&self.earlier[..], &self.log.events()].concat(), self.user.id())
    }

    /// Puts an emoji on one of the first messages, or removes it.
    async fn react(&self) {
        let (target, emoji) = (thread_rng().gen_range(1..4), emoji(thread_rng().gen_range(0..2)));
        let react = if thread_rng().gen_bool(0.7) { React::add } else { React::remove }(target, emoji);
        self.member.submit_react(react).await.unwrap();
    }

    /// Reads a page, and checks it against the store: nothing happens any more.
    async fn read(&self, store: &Store) {
        let query = HistoryQuery::new(Page::Before { seq: u64::MAX, limit: 100 });
        // reads may fail
        while self.member.history(query.clone()).await.is_err() {}
        let is_page = |event: &Arc<Event>| matches!(**event, Event::History(_));
        self.log.until(|events| events.iter().any(is_page)).await;
        let events = self.log.events();
        let pages: Vec<_> = events.into_iter().filter(is_page).collect();
        View::of(&pages, self.user.id()).assert_stored(store, self.user.id());
    }

    async fn resync(&self, engine: &Engine) {
        let since = Since { epoch: engine.epoch(), seq: self.view().cursor };
        // reads may fail
        let _ = self.member.resync(Resync::new(since)).await;
    }

    /// Waits until the client has the room as it is stored.
    async fn catch_up(&self, engine: &Engine, store: &Store) {
        let newest = store.newest(&room());
        loop {
            self.log
                .until(|_| {
                    let view = self.view();
                    view.is_behind || view.cursor == newest
                })
                .await;
            let view = self.view();
            if !view.is_behind {
                assert_eq!(view.settings, store.stored_settings(&room()));
                view.assert_stored(store, self.user.id());
                return;
            }
            self.resync(engine).await;
        }
    }
}

fn emoji(number: usize) -> Emoji {
    Emoji::parse([":+1:", ":tada:"][number]).unwrap()
}

/// Sends messages, and edits one of the first messages, which may be of another user. Puts emoji on
/// them, and replies to them.
async fn sends(reader: Reader, name: &'static str) -> Reader {
    for number in 0..3 {
        let replies_to = (number == 2).then(|| thread_rng().gen_range(1..4));
        let context = MessageContext::new(replies_to, Mentions::default());
        let message = Outgoing { context, ..outgoing(&format!("{name}.{number}")) };
        reader.member.submit(message).await.unwrap();
        for _ in 0..thread_rng().gen_range(0..3) {
            reader.react().await;
        }
        let target = thread_rng().gen_range(1..4);
        reader.member.submit_edit(Edit::new(target, format!("{name}.{number} edited"))).await.unwrap();
    }
    reader
}

/// Deletes some messages. Returns those that are certainly deleted.
async fn deletes(engine: Engine) -> Vec<u64> {
    let mut deleted = Vec::new();
    for _ in 0..3 {
        let target = thread_rng().gen_range(1..8);
        let outcome = engine.delete_messages(&room(), &[target], DeletedBy::Operator).await;
        deleted.extend(outcome.is_ok_and(|count| count > 0).then_some(target));
        yield_now().await;
    }
    deleted
}

/// Changes who may post.
async fn configures(engine: Engine) {
    for post in [MayPost::Accounts, MayPost::Everyone, MayPost::Moderators, MayPost::Everyone] {
        // fails like every append
        let _ = engine.configure(&room(), RoomSettings::default().post(post)).await;
        yield_now().await;
    }
}

/// Joins, breaks off, joins again from its cursor, and resyncs.
async fn comes_and_goes(engine: Engine) -> Reader {
    let (user, log) = (guest("cid"), Log::new(usize::MAX));
    let member = join_as(&engine, &user, &log, Some(0)).await;
    yield_now().await;
    drop(member);
    let earlier = log.events();
    let log = Log::new(usize::MAX);
    let member = join_as(&engine, &user, &log, Some(View::of(&earlier, user.id()).cursor)).await;
    let reader = Reader { user, member, log, earlier };
    for _ in 0..2 {
        reader.react().await;
        reader.resync(&engine).await;
    }
    reader
}

#[test]
fn everyone_sees_the_room_as_it_is_stored() {
    explore(|| {
        block_on(async {
            // in half of the schedules, results and reads fail, too
            let (result, read) = if thread_rng().r#gen() { (0.15, 0.1) } else { (0.0, 0.0) };
            let store = Store::with_faults(Faults { append: 0.1, result, read });
            let engine = engine(&store, &Presence::new()).await;
            // stays, so that the room exists throughout the test
            let mut readers = vec![Reader::join(&engine, "zoe").await];
            let mut tasks = Vec::new();
            for name in ["ana", "bob"] {
                tasks.push(spawn(sends(Reader::join(&engine, name).await, name)));
            }
            let deleting = spawn(deletes(engine.clone()));
            let count = if thread_rng().r#gen() { 2 } else { 0 };
            let configuring: Vec<_> = (0..count).map(|_| spawn(configures(engine.clone()))).collect();
            tasks.push(spawn(comes_and_goes(engine.clone())));
            for task in tasks {
                readers.push(task.await.unwrap());
            }
            for reader in &readers {
                reader.member.idle().await;
            }
            let deleted = deleting.await.unwrap();
            for configuring in configuring {
                configuring.await.unwrap();
            }

            let stored = store.all(&room());
            for name in ["ana", "bob"] {
                let own = stored
                    .iter()
                    .filter_map(|message| message.text())
                    .filter(|text| text.from.as_str() == name && text.edited_at.is_none());
                assert!(own.map(|text| &text.body).is_sorted(), "{name} has sent them in this order");
            }
            let at = |seq: u64| stored.iter().find(|message| message.seq == seq);
            assert!(deleted.iter().all(|seq| at(*seq).unwrap().text().is_none()), "{deleted:?}");
            for reader in &readers {
                reader.catch_up(&engine, &store).await;
                reader.read(&store).await;
                assert!(
                    acks(&reader.log.events())
                        .iter()
                        .filter(|ack| ack.id.is_some())
                        .all(|ack| ack.seq.is_some_and(|seq| at(seq).is_some()))
                );
            }
        });
    });
}
