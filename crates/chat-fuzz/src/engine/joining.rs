//! Joining, replacing a session and leaving.

use chat_protocol::v2::{LeftReason, Since};
use chat_protocol::{Epoch, Identity, RoomName};
use chat_rooms::{Admission, JoinError, SendWindow, Subscribe};

use super::checker::Start;
use super::command::{ReaderKind, StartAt};
use super::harness::{Harness, pick};
use super::participant::Participant;
use super::reader::Reader;
use super::timeline::Wanted;

/// The maximum number of participants: somewhat more than the threshold of a large room.
const MAX_PARTICIPANTS: usize = 140;

/// A reader that is never too slow.
const FAST_READER: ReaderKind = ReaderKind::Events { capacity: 100_000 };

impl Harness {
    /// Requests an admission, and checks that the name has one user in its room.
    pub(super) async fn admit(&mut self, room: &RoomName, user: &Identity) -> Option<Admission> {
        let others = || {
            let in_room = self.present.iter().filter(|participant| participant.room == *room);
            in_room.filter(|participant| participant.has_name_of_another(user))
        };
        let probes_before: Vec<_> = others().map(|other| other.reader.probes()).collect();
        match self.engine.admit(user, room).await {
            Ok(admission) => {
                let holder = others().find(|other| !other.reader.has_refused());
                assert!(holder.is_none() && !self.is_closed, "two users have the name of {user:?} in {room}");
                Some(admission)
            }
            Err(JoinError::NameTaken) => {
                assert!(others().next().is_some(), "nobody in {room} has the name of {user:?}");
                for (other, before) in others().zip(probes_before) {
                    if other.shows_probes() && !other.reader.has_refused() {
                        assert!(other.reader.probes() > before, "each session of the holder is probed");
                    }
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

    pub(super) async fn join_with_lists(&mut self, room: RoomName, user: Identity, reads: ReaderKind) {
        if self.present.len() >= MAX_PARTICIPANTS {
            return;
        }
        let Some(admission) = self.admit(&room, &user).await else { return };
        let (reader, sink) = Reader::new(reads, self.encoding, &self.budget);
        let (member, _) = admission.join(Subscribe::new(sink).with_lists()).await.expect("nothing is read");
        let start = self.start_of(&room, Wanted::default());
        self.add(Participant::new(room, user, member, reader, true, start));
    }

    pub(super) async fn join(
        &mut self,
        room: RoomName,
        user: Identity,
        reads: ReaderKind,
        from: StartAt,
        history: usize,
    ) {
        if self.present.len() >= MAX_PARTICIPANTS {
            return;
        }
        let Some(admission) = self.admit(&room, &user).await else { return };
        let (reader, sink) = Reader::new(reads, self.encoding, &self.budget);
        let wanted = self.wanted(&room, from, history);
        let since = wanted.since.clone().map(|(epoch, seq)| Since { epoch, seq });
        let subscribe = Subscribe::new(sink).since(since).history(history);
        let (member, _) = admission.with_window(&window()).join(subscribe).await.expect("memory answers");
        let start = self.start_of(&room, wanted);
        self.add(Participant::new(room, user, member, reader, false, start));
    }

    fn add(&mut self, participant: Participant) {
        let former = self.former.iter_mut();
        let former = former.filter(|former| {
            former.room == participant.room && former.has_name_of_another(&participant.user)
        });
        former.for_each(|former| former.checker.name_taken());
        self.present.push(participant);
    }

    pub(super) async fn join_many(&mut self, room: &RoomName, count: u8) {
        for i in 0..count {
            self.count += 1;
            let name = format!("c{}", self.count).parse().expect("a name");
            // ids above those of the named users
            let user = Identity::one_time_guest((self.count + 16).into(), name);
            if i % 2 == 0 {
                self.join_with_lists(room.clone(), user, FAST_READER).await;
            } else {
                self.join(room.clone(), user, FAST_READER, StartAt::Now, 0).await;
            }
        }
    }

    /// The connection of a participant breaks, and another session of its user takes its place.
    pub(super) async fn replace(&mut self, who: u8, reads: ReaderKind, from: StartAt, history: usize) {
        let Some(broken) = pick(&mut self.present, who).filter(|broken| !broken.receives_lists()) else {
            return;
        };
        broken.detach();
        let (room, user) = (broken.room.clone(), broken.user.clone());
        self.join(room, user, reads, from, history).await;
        let index = usize::from(who) % self.present.len();
        // the new session is the last one, if it has joined
        let mut broken = self.present.swap_remove(index);
        broken.leave();
        self.former.push(broken);
    }

    pub(super) fn wanted(&self, room: &RoomName, from: StartAt, history: usize) -> Wanted {
        let seq = |back: i64| self.store.newest(room).saturating_add_signed(-back);
        let since = match from {
            StartAt::Now => None,
            StartAt::Newest { back } => Some((self.engine.epoch(), seq(back))),
            StartAt::AnotherEpoch => Some((Epoch::new("another"), 0)),
        };
        Wanted { since, history, delivered: self.store.delivered(room) }
    }

    /// The start of a participant that has just joined.
    fn start_of(&self, room: &RoomName, wanted: Wanted) -> Start {
        Start { delivered: self.store.delivered(room), stored: self.store.newest(room), wanted }
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
