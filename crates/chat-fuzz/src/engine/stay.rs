//! Somebody in a room: the membership, who reads what it is told, and what that has to be.

use chat_protocol::v2::LeftReason;
use chat_protocol::{Reference, RoomName, Username};
use chat_rooms::Membership;

use super::reader::Reader;
use super::store::Held;
use super::watch::{Start, Watch};

pub(super) struct Stay {
    pub(super) room: RoomName,
    pub(super) name: Username,
    pub(super) reader: Reader,
    pub(super) watch: Watch,
    /// None once it has left.
    member: Option<Membership>,
    is_told_lists: bool,
    is_parked: bool,
    /// Whether it is to be told that it has left.
    is_told_its_end: bool,
    /// How often its reader was offered something when nothing more was to come.
    offers: Option<u64>,
}

impl Stay {
    pub(super) fn new(
        room: RoomName,
        name: Username,
        member: Membership,
        reader: Reader,
        is_told_lists: bool,
        start: Start,
    ) -> Self {
        let watch = Watch::new(room.clone(), name.clone(), is_told_lists, start);
        let (member, is_parked, is_told_its_end, offers) = (Some(member), false, false, None);
        Self { room, name, reader, watch, member, is_told_lists, is_parked, is_told_its_end, offers }
    }

    pub(super) fn is(&self, room: &RoomName, name: &Username) -> bool {
        self.room == *room && self.name == *name
    }

    pub(super) fn is_told_lists(&self) -> bool {
        self.is_told_lists
    }

    pub(super) fn member(&self) -> &Membership {
        self.member.as_ref().expect("it is in")
    }

    pub(super) fn member_mut(&mut self) -> &mut Membership {
        self.member.as_mut().expect("it is in")
    }

    /// Whether it may be out, or has no outlet.
    pub(super) fn may_be_deaf(&self) -> bool {
        self.is_parked || self.reader.has_refused()
    }

    /// Whether its reader can be asked for a sign of life, and shows that at once.
    pub(super) fn shows_challenges(&self) -> bool {
        !self.is_parked && matches!(self.reader, Reader::Events(_))
    }

    pub(super) fn read(&mut self, amount: usize, store: &Held) {
        for seen in self.reader.read(amount) {
            self.watch.see(seen, store);
        }
        self.reader.assert_sound();
    }

    pub(super) fn has_read_all(&self) -> bool {
        !self.is_parked && self.reader.is_empty()
    }

    pub(super) fn is_parked(&self) -> bool {
        self.is_parked
    }

    pub(super) fn detach(&mut self) {
        if !self.is_told_lists {
            self.member().detach();
            self.is_parked = true;
        }
    }

    /// Goes on by another reader, which is told how things stand.
    pub(super) fn begin_again(&mut self, reader: Reader, start: Start) {
        self.reader = reader;
        self.watch = Watch::new(self.room.clone(), self.name.clone(), self.is_told_lists, start);
        self.is_parked = false;
    }

    pub(super) fn leave(&mut self) {
        self.member = None;
    }

    /// Leaves, to be told so unless the engine tells nobody any more.
    pub(super) fn leave_telling(&mut self, reason: LeftReason, reference: Reference, is_closed: bool) {
        if let Some(member) = self.member.take() {
            member.leave_telling(reason, Some(reference));
        }
        self.is_told_its_end = !is_closed && !self.is_parked;
    }

    /// The same once it is out.
    pub(super) fn put_out(mut self) -> Self {
        self.member = None;
        self
    }

    /// Nothing more is offered to somebody who has left and is not to be told so.
    pub(super) fn assert_silent(&mut self) {
        self.reader.assert_sound();
        if !self.is_told_its_end {
            let offers = self.reader.offers();
            assert_eq!(*self.offers.get_or_insert(offers), offers, "it has left");
        }
    }

    /// Everything is read, and nothing is to come.
    pub(super) fn assert_ended(&self) {
        if self.is_told_its_end && !self.reader.has_refused() {
            assert!(self.watch.has_left(), "{} was not notified that it has left", self.name);
        }
    }
}
