//! Joining, reattaching and leaving.

use chat_protocol::v2::{LeftReason, Since};
use chat_protocol::{Epoch, RoomName, Username};
use chat_rooms::{Admission, JoinError, ReadError, SendWindow, Sink, Subscribe};

use super::checker::Start;
use super::command::{ReaderKind, StartAt};
use super::harness::{Harness, pick};
use super::participant::Participant;
use super::reader::Reader;

/// The maximum number of participants: somewhat more than the threshold of a large room.
const MAX_PARTICIPANTS: usize = 140;

/// A reader that is never too slow.
const FAST_READER: ReaderKind = ReaderKind::Events { capacity: 100_000 };

/// What a member requests when it joins.
#[derive(Clone)]
struct Options {
    since: Option<Since>,
    history: usize,
}

impl Options {
    fn subscribe(&self, sink: Sink) -> Subscribe {
        Subscribe::new(sink).since(self.since.clone()).history(self.history)
    }
}

impl Harness {
    /// Requests an admission, and checks that the name has one holder in its room.
    pub(super) async fn admit(&mut self, room: &RoomName, name: &Username) -> Option<Admission> {
        let holder = self
            .present
            .iter()
            .find(|participant| participant.is(room, name) && !participant.reader.has_refused());
        let probes_before = holder.map(|holder| holder.reader.probes());
        match self.engine.admit(room, name).await {
            Ok(admission) => {
                assert!(holder.is_none() && !self.is_closed, "{name} is admitted to {room} twice");
                Some(admission)
            }
            Err(JoinError::NameTaken) => {
                let is_plausible = self.present.iter().any(|participant| participant.is(room, name));
                assert!(is_plausible, "no member of {room} is named {name}");
                if let Some(holder) = holder.filter(|holder| holder.shows_probes()) {
                    assert!(Some(holder.reader.probes()) > probes_before, "its holder is probed");
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

    pub(super) async fn join_with_lists(&mut self, room: RoomName, name: Username, reads: ReaderKind) {
        if self.present.len() >= MAX_PARTICIPANTS {
            return;
        }
        let Some(admission) = self.admit(&room, &name).await else { return };
        let (reader, sink) = Reader::new(reads, self.encoding, &self.budget);
        let start = Start { seq: self.store.count(&room), ..Start::default() };
        let (member, _) = admission.join(Subscribe::new(sink).with_lists()).await.expect("nothing is read");
        self.add(Participant::new(room, name, member, reader, true, start));
    }

    pub(super) async fn join(
        &mut self,
        room: RoomName,
        name: Username,
        reads: ReaderKind,
        from: StartAt,
        history: usize,
    ) {
        if self.present.len() >= MAX_PARTICIPANTS {
            return;
        }
        let Some(admission) = self.admit(&room, &name).await else { return };
        let (reader, sink) = Reader::new(reads, self.encoding, &self.budget);
        let options = self.options(&room, from, history);
        let (member, _) =
            admission.with_window(&window()).join(options.subscribe(sink)).await.expect("memory answers");
        let start = self.start_of(&room, options);
        self.add(Participant::new(room, name, member, reader, false, start));
    }

    fn add(&mut self, participant: Participant) {
        let former = self.former.iter_mut();
        let former = former.filter(|former| former.is(&participant.room, &participant.name));
        former.for_each(|former| former.checker.name_taken());
        self.present.push(participant);
    }

    pub(super) async fn join_many(&mut self, room: &RoomName, count: u8) {
        for i in 0..count {
            self.count += 1;
            let name = format!("c{}", self.count).parse().expect("a name");
            if i % 2 == 0 {
                self.join_with_lists(room.clone(), name, FAST_READER).await;
            } else {
                self.join(room.clone(), name, FAST_READER, StartAt::Now, 0).await;
            }
        }
    }

    pub(super) async fn reattach(&mut self, who: u8, reads: ReaderKind, from: StartAt, history: usize) {
        let Some(room) = pick(&mut self.present, who).map(|participant| participant.room.clone()) else {
            return;
        };
        let options = self.options(&room, from, history);
        let (reader, sink) = Reader::new(reads, self.encoding, &self.budget);
        let Some(participant) =
            pick(&mut self.present, who).filter(|participant| !participant.receives_lists())
        else {
            return;
        };
        let rejoined = participant.member_mut().reattach(options.subscribe(sink), &window()).await;
        match rejoined {
            Ok(_) => {
                let since = options.since.map(|since| (since.epoch, since.seq));
                participant.reattached(
                    reader,
                    Start { seq: self.store.count(&room), since, history: options.history },
                );
                if self.is_closed {
                    participant.checker.close();
                }
            }
            Err(ReadError::NotAMember) => {
                assert!(participant.reader.has_refused());
            }
            Err(error) => panic!("{error}"),
        }
    }

    fn options(&mut self, room: &RoomName, from: StartAt, history: usize) -> Options {
        let seq = |back: i64| self.store.count(room).saturating_add_signed(-back);
        let since = match from {
            StartAt::Now => None,
            StartAt::Newest { back } => Some(Since { epoch: self.engine.epoch(), seq: seq(back) }),
            StartAt::AnotherEpoch => Some(Since { epoch: Epoch::new("another"), seq: 0 }),
        };
        Options { since, history }
    }

    /// The start of a participant that has just joined.
    fn start_of(&self, room: &RoomName, options: Options) -> Start {
        let since = options.since.map(|since| (since.epoch, since.seq));
        Start { seq: self.store.count(room), since, history: options.history }
    }

    pub(super) fn leave(&mut self, who: u8, with_notice: bool) {
        if self.present.is_empty() {
            return;
        }
        let mut participant = self.present.swap_remove(usize::from(who) % self.present.len());
        if with_notice {
            let reference = self.reference();
            participant.leave_with_notice(LeftReason::Asked, reference, self.is_closed);
        } else {
            participant.leave();
        }
        self.former.push(participant);
    }
}

fn window() -> SendWindow {
    SendWindow::new(4, 64 << 10)
}
