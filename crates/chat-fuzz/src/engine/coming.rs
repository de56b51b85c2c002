//! Who comes, comes again, and goes.

use chat_protocol::v2::{LeftReason, Since};
use chat_protocol::{Epoch, RoomName, Username};
use chat_rooms::{Admission, JoinError, ReadError, SendWindow, Sink, Subscribe};

use super::command::{From, Reads};
use super::house::{House, pick};
use super::reader::Reader;
use super::stay::Stay;
use super::watch::Start;

/// So many are in at most: some more than make a big room.
const MAX_STAYS: usize = 140;

/// Reads whatever comes.
const READS_WELL: Reads = Reads::Events { capacity: 100_000 };

/// What a member asks for when it joins.
#[derive(Clone)]
struct Options {
    since: Option<Since>,
    history: usize,
}

impl Options {
    fn subscribe(&self, outlet: Sink) -> Subscribe {
        Subscribe::new(outlet).since(self.since.clone()).history(self.history)
    }
}

impl House {
    /// Asks for a seat: a name is one member's in its room.
    pub(super) async fn admit(&mut self, room: &RoomName, name: &Username) -> Option<Admission> {
        let holder = self.is_active.iter().find(|stay| stay.is(room, name) && !stay.reader.has_refused());
        let asked_before = holder.map(|holder| holder.reader.probes());
        match self.engine.admit(room, name).await {
            Ok(seat) => {
                assert!(holder.is_none() && !self.is_closed, "{name} is in {room} twice");
                Some(seat)
            }
            Err(JoinError::NameTaken) => {
                let may_be = self.is_active.iter().any(|stay| stay.is(room, name));
                assert!(may_be, "nobody is {name} in {room}");
                if let Some(holder) = holder.filter(|holder| holder.shows_challenges()) {
                    assert!(Some(holder.reader.probes()) > asked_before, "its holder is asked");
                }
                None
            }
            Err(JoinError::Closing) => {
                assert!(self.is_closed);
                None
            }
            Err(error) => panic!("{error}"),
        }
    }

    pub(super) async fn enter(&mut self, room: RoomName, name: Username, reads: Reads) {
        if self.is_active.len() >= MAX_STAYS {
            return;
        }
        let Some(seat) = self.admit(&room, &name).await else { return };
        let (reader, outlet) = Reader::new(reads, self.lines, &self.budget);
        let start = Start { seq: self.store.count(&room), ..Start::default() };
        let (member, _) = seat.join(Subscribe::new(outlet).with_lists()).await.expect("nothing is read");
        self.begins(Stay::new(room, name, member, reader, true, start));
    }

    pub(super) async fn join(
        &mut self,
        room: RoomName,
        name: Username,
        reads: Reads,
        from: From,
        history: usize,
    ) {
        if self.is_active.len() >= MAX_STAYS {
            return;
        }
        let Some(seat) = self.admit(&room, &name).await else { return };
        let (reader, outlet) = Reader::new(reads, self.lines, &self.budget);
        let options = self.options(&room, from, history);
        let (member, _) =
            seat.with_window(&window()).join(options.subscribe(outlet)).await.expect("memory answers");
        let start = self.start(&room, options);
        self.begins(Stay::new(room, name, member, reader, false, start));
    }

    fn begins(&mut self, stay: Stay) {
        let before = self.gone.iter_mut().filter(|gone| gone.is(&stay.room, &stay.name));
        before.for_each(|gone| gone.watch.follow());
        self.is_active.push(stay);
    }

    pub(super) async fn crowd(&mut self, room: &RoomName, count: u8) {
        for i in 0..count {
            self.count += 1;
            let name = format!("c{}", self.count).parse().expect("a name");
            if i % 2 == 0 {
                self.enter(room.clone(), name, READS_WELL).await;
            } else {
                self.join(room.clone(), name, READS_WELL, From::Nowhere, 0).await;
            }
        }
    }

    pub(super) async fn reattach(&mut self, who: u8, reads: Reads, from: From, history: usize) {
        let Some(room) = pick(&mut self.is_active, who).map(|stay| stay.room.clone()) else { return };
        let options = self.options(&room, from, history);
        let (reader, outlet) = Reader::new(reads, self.lines, &self.budget);
        let Some(stay) = pick(&mut self.is_active, who).filter(|stay| !stay.is_told_lists()) else { return };
        let rejoined = stay.member_mut().reattach(options.subscribe(outlet), &window()).await;
        match rejoined {
            Ok(_) => {
                let since = options.since.map(|since| (since.epoch, since.seq));
                stay.begin_again(
                    reader,
                    Start { seq: self.store.count(&room), since, history: options.history },
                );
                if self.is_closed {
                    stay.watch.close();
                }
            }
            Err(ReadError::NotAMember) => {
                assert!(stay.reader.has_refused());
            }
            Err(error) => panic!("{error}"),
        }
    }

    fn options(&mut self, room: &RoomName, from: From, history: usize) -> Options {
        let seq = |back: i64| self.store.count(room).saturating_add_signed(-back);
        let since = match from {
            From::Nowhere => None,
            From::Newest { back } => Some(Since { epoch: self.engine.epoch(), seq: seq(back) }),
            From::AnotherEpoch => Some(Since { epoch: Epoch("another".into()), seq: 0 }),
        };
        Options { since, history }
    }

    /// How a stay begins that has just got its seat.
    fn start(&self, room: &RoomName, options: Options) -> Start {
        let since = options.since.map(|since| (since.epoch, since.seq));
        Start { seq: self.store.count(room), since, history: options.history }
    }

    pub(super) fn leave(&mut self, who: u8, told: bool) {
        if self.is_active.is_empty() {
            return;
        }
        let mut stay = self.is_active.swap_remove(usize::from(who) % self.is_active.len());
        if told {
            let reference = self.reference();
            stay.leave_telling(LeftReason::Asked, reference, self.is_closed);
        } else {
            stay.leave();
        }
        self.gone.push(stay);
    }
}

fn window() -> SendWindow {
    SendWindow::new(4, 64 << 10)
}
