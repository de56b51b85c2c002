//! A store that survives the server. Commits take time, fail before or after they are on disk, and
//! are interrupted when the server is killed. Its history may be lost, or begin a new epoch.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use chat_history::{
    AppendError, Appended, Changed, Count, Durability, Extent, HistoryError, HistoryStore, MemoryHistory,
    Messages, NewEvent, OnAppended, Own, Page, PublicRoom, Retention, StoredEvent, StoredSettings,
};
use chat_protocol::{Emoji, Epoch, Message, OwnReactions, Reactor, RoomName, UserId, Username};
use futures::FutureExt;
use futures::future::BoxFuture;
use parking_lot::Mutex;
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use tokio::sync::Notify;
use tokio::time::sleep;

/// The condition of the disk.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Health {
    /// The maximum duration of each half of a commit, in milliseconds.
    pub(crate) slowest_ms: u64,
    /// The probability that a commit fails.
    pub(crate) failing: f64,
}

/// What is on the disk.
#[derive(Debug)]
pub(crate) struct Disk {
    /// The epochs since the history was lost, of which the last one is the current one.
    epochs: Mutex<Vec<Epoch>>,
    content: Mutex<Arc<MemoryHistory>>,
    /// The events of each room, by number, beginning at 1: what the content has to come from.
    events: Mutex<BTreeMap<RoomName, Vec<Recorded>>>,
    pub(crate) health: Mutex<Health>,
}

/// What a stored event has changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Recorded {
    Message,
    Edit { target: u64 },
    Deletion { targets: Vec<u64> },
    Reaction { target: u64, emoji: Emoji, reactor: Reactor, is_added: bool },
    RoomChange,
}

/// Who has put which emoji on a message, with their names.
pub(crate) type Reactors = BTreeMap<Emoji, BTreeMap<UserId, Username>>;

impl Recorded {
    fn new(event: &StoredEvent, new: &NewEvent) -> Self {
        match (event, new) {
            (StoredEvent::Message(_), _) => Self::Message,
            (StoredEvent::Edit(edit), _) => Self::Edit { target: edit.message.seq },
            (StoredEvent::Deletion(deletion), _) => {
                Self::Deletion { targets: deletion.messages.iter().map(|message| message.seq).collect() }
            }
            (StoredEvent::Reaction(_), NewEvent::Reaction(reaction)) => Self::Reaction {
                target: reaction.target,
                emoji: reaction.emoji.clone(),
                reactor: reaction.reactor().unwrap(),
                is_added: reaction.is_added,
            },
            (StoredEvent::RoomChange(..), _) => Self::RoomChange,
            _ => panic!("{new:?} became {event:?}"),
        }
    }

    /// Whether the event has changed this message.
    fn concerns(&self, seq: u64) -> bool {
        match self {
            Self::Message | Self::RoomChange => false,
            Self::Edit { target } | Self::Reaction { target, .. } => *target == seq,
            Self::Deletion { targets } => targets.contains(&seq),
        }
    }
}

impl Disk {
    pub(crate) fn new(seed: u64) -> Self {
        let health = Health { slowest_ms: 5, failing: 0.0 };
        let (epochs, content) = (Mutex::new(vec![Epoch::from_random(seed)]), Mutex::default());
        Self { epochs, content, events: Mutex::default(), health: Mutex::new(health) }
    }

    fn content(&self) -> Arc<MemoryHistory> {
        Arc::clone(&self.content.lock())
    }

    /// Begins a new epoch. The numbers go on: what clients know does not count any more.
    pub(crate) fn begin_epoch(&self, seed: u64) {
        self.epochs.lock().push(Epoch::from_random(seed));
    }

    /// Whether what was stored in this epoch is still there.
    pub(crate) fn has_epoch(&self, epoch: &Epoch) -> bool {
        self.epochs.lock().contains(epoch)
    }

    /// Loses everything. For a time when the server is down.
    pub(crate) fn lose_everything(&self, seed: u64) {
        self.epochs.lock().clear();
        self.begin_epoch(seed);
        *self.content.lock() = Arc::default();
        self.events.lock().clear();
    }

    /// The event with this number.
    pub(crate) fn event(&self, room: &RoomName, seq: u64) -> Option<Recorded> {
        let index = usize::try_from(seq.checked_sub(1)?).ok()?;
        self.events.lock().get(room)?.get(index).cloned()
    }

    /// The number of the last event that has changed this message.
    pub(crate) fn changed(&self, room: &RoomName, seq: u64) -> Option<u64> {
        let events = self.events.lock();
        let index = events.get(room)?.iter().rposition(|event| event.concerns(seq))?;
        Some(index as u64 + 1)
    }

    /// The reactions on a message that is not deleted, as all events together tell.
    pub(crate) fn reactors(&self, room: &RoomName, seq: u64) -> Reactors {
        let mut reactors = Reactors::new();
        for event in self.events.lock().get(room).into_iter().flatten() {
            let Recorded::Reaction { target, emoji, reactor, is_added } = event else { continue };
            if *target != seq {
                continue;
            }
            let users = reactors.entry(emoji.clone()).or_default();
            let before = if *is_added {
                users.insert(reactor.user.clone(), reactor.username.clone())
            } else {
                users.remove(&reactor.user)
            };
            assert_eq!(before.is_none(), *is_added, "an event has changed something");
        }
        reactors.retain(|_, users| !users.is_empty());
        reactors
    }

    /// Which of these messages have reactions of a user, according to the content.
    pub(crate) fn own_reactions(&self, room: &RoomName, targets: Vec<u64>, user: &UserId) -> OwnReactions {
        let content = self.content();
        let read = content.own_reactions(room.clone(), targets, vec![user.clone()]);
        read.now_or_never().unwrap().unwrap().reactions
    }

    /// All messages of a room that are kept.
    pub(crate) fn all(&self, room: &RoomName) -> Vec<Arc<Message>> {
        let page = Page::After { seq: 0, limit: usize::MAX };
        let content = self.content();
        let read = content.page(room.clone(), page, Retention::default());
        read.now_or_never().unwrap().unwrap().messages
    }

    /// The numbers of a room.
    pub(crate) fn extent(&self, room: &RoomName) -> Extent {
        let content = self.content();
        let read = content.extent(room.clone(), Retention::default());
        read.now_or_never().unwrap().unwrap()
    }

    /// Stores an event.
    fn put(&self, event: NewEvent) -> Result<Appended, AppendError> {
        let outcome = Arc::new(Mutex::new(None));
        let (result, new) = (Arc::clone(&outcome), event.clone());
        self.content().append(event, Box::new(move |appended| *result.lock() = Some(appended)));
        let outcome = outcome.lock().take().unwrap();
        if let Ok(Appended::Stored(stored)) = &outcome {
            let mut events = self.events.lock();
            let events = events.entry(new.room().clone()).or_default();
            events.push(Recorded::new(stored, &new));
            assert_eq!(stored.seq(), events.len() as u64, "the numbers have no gap");
        }
        outcome
    }
}

/// The disk, as opened by one run of the server.
#[derive(Debug, Clone)]
pub(crate) struct Store {
    disk: Arc<Disk>,
    queue: Arc<Mutex<Queue>>,
    added: Arc<Notify>,
}

#[derive(Default)]
struct Queue(Vec<(NewEvent, OnAppended)>);

impl fmt::Debug for Queue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} queued", self.0.len())
    }
}

impl Store {
    pub(crate) fn open(disk: Arc<Disk>, seed: u64) -> Self {
        let store = Self { disk, queue: Arc::default(), added: Arc::default() };
        tokio::spawn(store.clone().commit(SmallRng::seed_from_u64(seed)));
        store
    }

    /// Commits the queued events in groups.
    async fn commit(self, mut rng: SmallRng) {
        loop {
            self.added.notified().await;
            let group = std::mem::take(&mut self.queue.lock().0);
            let Health { slowest_ms, failing } = *self.disk.health.lock();
            let take_time = async |rng: &mut SmallRng| {
                sleep(Duration::from_millis(rng.random_range(0..=slowest_ms))).await;
            };
            take_time(&mut rng).await;
            let fails = rng.random_bool(failing);
            if fails && rng.random() {
                group.into_iter().for_each(|(_, on_appended)| on_appended(Err(failure())));
                continue;
            }
            let stored: Vec<_> =
                group.into_iter().map(|(event, on_appended)| (self.disk.put(event), on_appended)).collect();
            take_time(&mut rng).await;
            for (outcome, on_appended) in stored {
                on_appended(if fails { Err(failure()) } else { outcome });
            }
        }
    }
}

fn failure() -> AppendError {
    AppendError::Unavailable(HistoryError::other("on purpose"))
}

impl HistoryStore for Store {
    fn epoch(&self) -> Epoch {
        self.disk.epochs.lock().last().unwrap().clone()
    }

    fn durability(&self) -> Durability {
        Durability::Disk
    }

    fn append(&self, event: NewEvent, on_appended: OnAppended) {
        self.queue.lock().0.push((event, on_appended));
        self.added.notify_one();
    }

    fn settings(&self, room: RoomName) -> BoxFuture<'_, Result<StoredSettings, HistoryError>> {
        async move {
            let read = self.disk.content().settings(room).await;
            sleep(Duration::from_millis(2)).await;
            read
        }
        .boxed()
    }

    fn public_rooms(&self, limit: usize) -> BoxFuture<'_, Result<Vec<PublicRoom>, HistoryError>> {
        async move { self.disk.content().public_rooms(limit).await }.boxed()
    }

    fn extent(&self, room: RoomName, retention: Retention) -> BoxFuture<'_, Result<Extent, HistoryError>> {
        async move {
            let read = self.disk.content().extent(room, retention).await;
            sleep(Duration::from_millis(2)).await;
            read
        }
        .boxed()
    }

    fn page(
        &self,
        room: RoomName,
        page: Page,
        retention: Retention,
    ) -> BoxFuture<'_, Result<Messages, HistoryError>> {
        async move {
            let read = self.disk.content().page(room, page, retention).await;
            sleep(Duration::from_millis(3)).await;
            read
        }
        .boxed()
    }

    fn changed(
        &self,
        room: RoomName,
        after: u64,
        limit: usize,
    ) -> BoxFuture<'_, Result<Changed, HistoryError>> {
        async move {
            let read = self.disk.content().changed(room, after, limit).await;
            sleep(Duration::from_millis(3)).await;
            read
        }
        .boxed()
    }

    fn own_reactions(
        &self,
        room: RoomName,
        targets: Vec<u64>,
        users: Vec<UserId>,
    ) -> BoxFuture<'_, Result<Own, HistoryError>> {
        async move {
            let read = self.disk.content().own_reactions(room, targets, users).await;
            sleep(Duration::from_millis(3)).await;
            read
        }
        .boxed()
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
        async move {
            let read = self.disk.content().mentions_after(room, after, users, except, max, retention).await;
            sleep(Duration::from_millis(3)).await;
            read
        }
        .boxed()
    }

    fn prune(&self, retention: Retention) -> BoxFuture<'_, Result<bool, HistoryError>> {
        async move { self.disk.content().prune(retention).await }.boxed()
    }

    fn check(&self) -> BoxFuture<'_, Result<(), HistoryError>> {
        async { Ok(()) }.boxed()
    }
}
