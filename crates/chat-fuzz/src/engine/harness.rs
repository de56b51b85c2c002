//! An engine and the participants in its rooms.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use chat_history::{HistoryError, Page};
use chat_presence::{MemoryPresence, NodeId};
use chat_protocol::v2::NoticeLevel;
use chat_protocol::{Identity, Reference, RoomName, Username};
use chat_rooms::BacklogBudget;
use chat_rooms::{EncodingId, Engine, MembersQuery};
use tokio::task::JoinHandle;
use tokio::time::sleep;

use super::checker::Present;
use super::command::{Command, ReaderKind, StartAt};
use super::participant::Participant;
use super::reader::LineEncoding;
use super::requests::Deletions;
use super::store::HeldHistory;

/// Longer than the coalescing window.
const COALESCED: Duration = Duration::from_millis(300);

/// The numbers of the rooms.
const ROOMS: [u8; 2] = [0, 1];

pub(super) struct Harness {
    pub(super) engine: Engine,
    pub(super) store: HeldHistory,
    pub(super) encoding: EncodingId,
    pub(super) budget: Arc<BacklogBudget>,
    /// The current members.
    pub(super) present: Vec<Participant>,
    /// Participants that left or were removed.
    pub(super) former: Vec<Participant>,
    pub(super) deletions: Deletions,
    /// The changes of settings that are in progress.
    pub(super) changes: Vec<JoinHandle<Result<bool, HistoryError>>>,
    /// A counter for unique references and names.
    pub(super) count: u64,
    pub(super) is_closed: bool,
}

impl Harness {
    pub(super) async fn launch() -> Self {
        let store = HeldHistory::default();
        let encoding = EncodingId::new();
        let builder = Engine::builder(MemoryPresence::new(NodeId::new("here")))
            .encoding(encoding, LineEncoding)
            .history(store.clone());
        let engine = builder.start().await.expect("memory answers");
        let budget = Arc::new(BacklogBudget::new(usize::MAX / 4));
        let (present, former, deletions) = (Vec::new(), Vec::new(), Deletions::default());
        let (changes, count, is_closed) = (Vec::new(), 0, false);
        Self { engine, store, encoding, budget, present, former, deletions, changes, count, is_closed }
    }

    pub(super) async fn execute(&mut self, command: Command) {
        match command {
            Command::JoinWithLists { room, user, capacity } => {
                self.join_with_lists(room_name(room), identity(user), ReaderKind::Events { capacity }).await;
            }
            Command::Join { room, user, reads, from, history } => {
                self.join(room_name(room), identity(user), reads, from, history).await;
            }
            Command::Admit { room, user } => drop(self.admit(&room_name(room), &identity(user)).await),
            Command::JoinMany { room, count } => self.join_many(&room_name(room), count).await,
            Command::Leave { who, with_notice } => self.leave(who, with_notice),
            Command::Send { who, id, body } => self.send(who, id, body, None).await,
            Command::Read { who, amount } => {
                if let Some(participant) = pick(&mut self.present, who) {
                    participant.read(amount, &self.store);
                }
                self.catch_up().await;
            }
            Command::Before { who, seq, limit } => self.history(who, Page::Before { seq, limit }).await,
            Command::After { who, seq, limit } => self.history(who, Page::After { seq, limit }).await,
            Command::Members { who, after, prefix, limit } => {
                let after = after.map(|name| username(name).to_string());
                let prefix = if prefix { "n" } else { "" };
                self.members(who, MembersQuery::new(limit).after(after).prefix(prefix));
            }
            Command::Typing { who } => {
                pick(&mut self.present, who)
                    .into_iter()
                    .for_each(|participant| participant.member().typing());
            }
            Command::Refuse { who } => self.refuse(who),
            Command::Detach { who } => pick(&mut self.present, who).into_iter().for_each(Participant::detach),
            Command::Replace { who, reads, from, history } => self.replace(who, reads, from, history).await,
            Command::Notice { room } => {
                self.engine.notice(&room_name(room), NoticeLevel::Info, "tea");
            }
            Command::Hold => self.store.hold(),
            Command::Store { count } => self.store.store(count.into()),
            Command::Fail { count } => self.store.fail(count.into()),
            Command::Release => self.store.release(),
            Command::Delete { room, back, count } => self.delete(room_name(room), back, count),
            Command::Resync { who, from, history } => self.resync(who, from, history).await,
            Command::FailFalsely { count } => self.store.fail_falsely(count.into()),
            Command::AnswerLate { failing, stored } => self.store.answer_late(failing.into(), stored.into()),
            Command::Edit { who, back, id, body } => self.edit(who, back, id, body).await,
            Command::Reply { who, back, id, body } => self.send(who, id, body, Some(back)).await,
            Command::React { who, back, emoji, is_added } => self.react(who, back, emoji, is_added).await,
            Command::ReactAll { room, back, emoji, is_added } => {
                self.react_all(&room_name(room), back, emoji, is_added).await;
            }
            Command::Configure { room, is_open } => self.configure(room_name(room), is_open),
            Command::Yield => tokio::task::yield_now().await,
            Command::Settle => self.settle().await,
            Command::Wait => self.wait().await,
            Command::Close => {
                self.engine.close();
                self.is_closed = true;
                self.present
                    .iter_mut()
                    .chain(&mut self.former)
                    .for_each(|participant| participant.checker.close());
            }
        }
    }

    /// Has all members resync that have to.
    async fn catch_up(&mut self) {
        for index in 0..self.present.len() {
            if self.present[index].checker.has_to_resync() {
                self.resync(u8::try_from(index).unwrap_or_default(), StartAt::Now, 0).await;
            }
        }
    }

    pub(super) fn reference(&mut self) -> Reference {
        self.count += 1;
        self.count.to_string().parse().expect("short")
    }

    /// Runs everything that does not need time to pass, and checks the members.
    async fn settle(&mut self) {
        sleep(Duration::from_millis(1)).await;
        self.store.assert_sound();
        self.store.note_settled();
        let has_held_appends = self.store.has_held_appends();
        // a member that was detached before it was removed remains a member
        let is_removed = |participant: &mut Participant| {
            participant.reader.has_refused()
                && !(participant.is_detached() && participant.member().is_member())
        };
        for participant in self.present.extract_if(.., is_removed) {
            assert!(has_held_appends || !participant.member().is_member(), "removed, but still a member");
            self.former.push(participant.removed());
        }
        for participant in &mut self.present {
            participant.reader.assert_sound();
            assert!(participant.member().is_member(), "removed without a reason");
        }
        self.former.iter_mut().for_each(Participant::assert_silent);
        // a member that left stays in the list until its messages in flight are delivered
        if !has_held_appends {
            for room in ROOMS.map(room_name) {
                let listed = self.engine.members(&room);
                let listed =
                    listed.iter().flat_map(|list| list.first()).map(|member| Present::from(&**member));
                assert_eq!(listed.collect::<BTreeSet<_>>(), self.members_of(&room));
            }
        }
    }

    /// Lets the coalescing window pass. After that, a participant that has read everything knows
    /// the members.
    async fn wait(&mut self) {
        sleep(COALESCED).await;
        self.settle().await;
        if self.store.has_held_appends() {
            return;
        }
        for room in ROOMS.map(room_name) {
            let (expected, is_in_doubt) = (self.members_of(&room), self.store.is_in_doubt(&room));
            for participant in self
                .present
                .iter()
                .filter(|participant| participant.room == room && participant.has_read_all())
            {
                if !is_in_doubt {
                    participant.checker.assert_complete(&self.store);
                }
                participant.checker.assert_view(&expected);
            }
        }
    }

    fn members_of(&self, room: &RoomName) -> BTreeSet<Present> {
        let members = self.present.iter().filter(|participant| participant.room == *room);
        members.map(|participant| Present::from(&participant.user)).collect()
    }

    /// Releases all held appends, lets all participants read everything, and checks the final
    /// state, when the rooms know what has become of all appends that failed.
    pub(super) async fn finish(mut self) {
        self.store.answer_late(0, 0);
        self.store.release();
        for _ in 0..5 {
            self.wait().await;
            self.present
                .iter_mut()
                .chain(&mut self.former)
                .for_each(|participant| participant.read(usize::MAX, &self.store));
            self.catch_up().await;
        }
        self.wait().await;
        assert!(
            !ROOMS.map(room_name).iter().any(|room| self.store.is_in_doubt(room)),
            "it waits long enough"
        );
        assert!(!self.store.has_held_appends(), "what was handed back is appended again");
        let is_whole =
            |participant: &&Participant| participant.has_read_all() && !participant.may_be_disconnected();
        let mut whole = self.present.iter().filter(is_whole);
        assert!(!whole.any(|participant| participant.checker.is_behind()), "a resync is answered");
        std::mem::take(&mut self.deletions).assert_ended(&self.store).await;
        for change in std::mem::take(&mut self.changes) {
            // failures are those of the store
            let _ = ended(change).await;
        }
        self.former.iter().for_each(Participant::assert_ended);
        let rooms: BTreeSet<_> = self.present.iter().map(|participant| participant.room.clone()).collect();
        assert_eq!(self.engine.room_count(), rooms.len(), "a room exists while it has members");
        self.present.clear();
        self.former.clear();
        sleep(Duration::from_millis(1)).await;
        assert_eq!((self.engine.room_count(), self.budget.held()), (0, 0));
    }
}

/// The outcome of a task that has ended.
pub(super) async fn ended<T>(task: JoinHandle<T>) -> T {
    // polling many tasks at once would find some of them pending: a task has a budget of polls
    assert!(task.is_finished(), "it has ended");
    task.await.expect("it does not panic")
}

fn room_name(number: u8) -> RoomName {
    format!("r{}", usize::from(number) % ROOMS.len()).parse().expect("a name")
}

fn username(number: u8) -> Username {
    format!("n{}", number % 8).parse().expect("a name")
}

/// One of two users of each name, so that several sessions are the same user, and some users want
/// the same name.
fn identity(number: u8) -> Identity {
    Identity::one_time_guest((number % 16).into(), username(number))
}

pub(super) fn pick(participants: &mut [Participant], who: u8) -> Option<&mut Participant> {
    let count = participants.len().max(1);
    participants.get_mut(usize::from(who) % count)
}
