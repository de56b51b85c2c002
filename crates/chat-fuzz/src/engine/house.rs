//! An engine, and those who are in its rooms.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use chat_history::Page;
use chat_presence::{MemoryPresence, NodeId};
use chat_protocol::v2::NoticeLevel;
use chat_protocol::{Reference, RoomName, Username};
use chat_rooms::BacklogBudget;
use chat_rooms::{EncodingId, Engine, MembersQuery};
use tokio::time::sleep;

use super::command::{Command, Reads};
use super::reader::Lines;
use super::stay::Stay;
use super::store::Held;

/// Longer than changes are gathered for.
const GATHERED: Duration = Duration::from_millis(300);

/// The rooms' numbers.
const ROOMS: [u8; 2] = [0, 1];

pub(super) struct House {
    pub(super) engine: Engine,
    pub(super) store: Held,
    pub(super) lines: EncodingId,
    pub(super) budget: Arc<BacklogBudget>,
    /// Those who are in.
    pub(super) is_active: Vec<Stay>,
    /// Those who left or were put out.
    pub(super) gone: Vec<Stay>,
    /// Makes references and names differ.
    pub(super) count: u64,
    pub(super) is_closed: bool,
}

impl House {
    pub(super) async fn open() -> Self {
        let store = Held::default();
        let lines = EncodingId::new();
        let builder = Engine::builder(MemoryPresence::new(NodeId::new("here")))
            .encoding(lines, Lines)
            .history(store.clone());
        let engine = builder.start().await.expect("memory answers");
        let budget = Arc::new(BacklogBudget::new(usize::MAX / 4));
        let (is_active, gone) = (Vec::new(), Vec::new());
        Self { engine, store, lines, budget, is_active, gone, count: 0, is_closed: false }
    }

    pub(super) async fn obey(&mut self, command: Command) {
        match command {
            Command::Enter { room, name, capacity } => {
                self.enter(room_name(room), username(name), Reads::Events { capacity }).await;
            }
            Command::Join { room, name, reads, from, history } => {
                self.join(room_name(room), username(name), reads, from, history).await;
            }
            Command::Shy { room, name } => drop(self.admit(&room_name(room), &username(name)).await),
            Command::Crowd { room, count } => self.crowd(&room_name(room), count).await,
            Command::Leave { who, told } => self.leave(who, told),
            Command::Send { who, id, body } => self.send(who, id, body).await,
            Command::Read { who, amount } => {
                if let Some(stay) = pick(&mut self.is_active, who) {
                    stay.read(amount, &self.store);
                }
            }
            Command::Before { who, seq, limit } => self.history(who, Page::Before { seq, limit }).await,
            Command::After { who, seq, limit } => self.history(who, Page::After { seq, limit }).await,
            Command::Members { who, after, prefix, limit } => {
                let after = after.map(|name| username(name).to_string());
                let prefix = if prefix { "n" } else { "" };
                self.members(who, MembersQuery::new(limit).after(after).prefix(prefix));
            }
            Command::Typing { who } => {
                pick(&mut self.is_active, who).into_iter().for_each(|stay| stay.member().typing());
            }
            Command::Refuse { who } => self.refuse(who),
            Command::Park { who } => pick(&mut self.is_active, who).into_iter().for_each(Stay::detach),
            Command::Rejoin { who, reads, from, history } => self.reattach(who, reads, from, history).await,
            Command::Notice { room } => {
                self.engine.notice(&room_name(room), NoticeLevel::Info, "tea");
            }
            Command::Hold => self.store.hold(),
            Command::Store { count } => self.store.store(count.into()),
            Command::Fail { count } => self.store.fail(count.into()),
            Command::Release => self.store.release(),
            Command::Yield => tokio::task::yield_now().await,
            Command::Settle => self.settle().await,
            Command::Wait => self.wait().await,
            Command::Close => {
                self.engine.close();
                self.is_closed = true;
                self.is_active.iter_mut().chain(&mut self.gone).for_each(|stay| stay.watch.close());
            }
        }
    }

    pub(super) fn reference(&mut self) -> Reference {
        self.count += 1;
        self.count.to_string().parse().expect("short")
    }

    /// Lets everything happen that can without the clock, and looks at who is in.
    async fn settle(&mut self) {
        sleep(Duration::from_millis(1)).await;
        self.store.assert_sound();
        let is_waiting = self.store.is_waiting();
        // it may have been parked before it was put out, and goes on then
        let is_out =
            |stay: &mut Stay| stay.reader.has_refused() && !(stay.is_parked() && stay.member().is_in());
        for stay in self.is_active.extract_if(.., is_out) {
            assert!(is_waiting || !stay.member().is_in(), "removed, and in");
            self.gone.push(stay.put_out());
        }
        for stay in &mut self.is_active {
            stay.reader.assert_sound();
            assert!(stay.member().is_in(), "out without a reason");
        }
        self.gone.iter_mut().for_each(Stay::assert_silent);
        // who has left stays in the list until what it said is told
        if !is_waiting {
            for room in ROOMS.map(room_name) {
                let listed = self.engine.members(&room);
                let listed =
                    listed.iter().flat_map(|list| list.first()).map(|member| member.username.clone());
                assert_eq!(listed.collect::<BTreeSet<_>>(), self.there(&room));
            }
        }
    }

    /// Lets the time go by for which changes are gathered: whoever has read all knows who is there.
    async fn wait(&mut self) {
        sleep(GATHERED).await;
        self.settle().await;
        if self.store.is_waiting() {
            return;
        }
        for room in ROOMS.map(room_name) {
            let there = self.there(&room);
            for stay in self.is_active.iter().filter(|stay| stay.room == room && stay.has_read_all()) {
                stay.watch.assert_complete(&self.store);
                stay.watch.assert_sees(&there);
            }
        }
    }

    fn there(&self, room: &RoomName) -> BTreeSet<Username> {
        let in_it = self.is_active.iter().filter(|stay| stay.room == *room);
        in_it.map(|stay| stay.name.clone()).collect()
    }

    /// Holds nothing back any more, has everybody read all, and looks at everything.
    pub(super) async fn end(mut self) {
        self.store.release();
        for _ in 0..2 {
            self.wait().await;
            self.is_active
                .iter_mut()
                .chain(&mut self.gone)
                .for_each(|stay| stay.read(usize::MAX, &self.store));
        }
        self.wait().await;
        self.gone.iter().for_each(Stay::assert_ended);
        let rooms: BTreeSet<_> = self.is_active.iter().map(|stay| stay.room.clone()).collect();
        assert_eq!(self.engine.room_count(), rooms.len(), "a room exists while it has members");
        self.is_active.clear();
        self.gone.clear();
        sleep(Duration::from_millis(1)).await;
        assert_eq!((self.engine.room_count(), self.budget.held()), (0, 0));
    }
}

fn room_name(number: u8) -> RoomName {
    format!("r{}", usize::from(number) % ROOMS.len()).parse().expect("a name")
}

fn username(number: u8) -> Username {
    format!("n{}", number % 8).parse().expect("a name")
}

pub(super) fn pick(is_active: &mut [Stay], who: u8) -> Option<&mut Stay> {
    let count = is_active.len().max(1);
    is_active.get_mut(usize::from(who) % count)
}
