//! A participant in a room: its membership, its reader, and the checker of its events.

use chat_protocol::v2::LeftReason;
use chat_protocol::{Identity, Reference, RoomName};
use chat_rooms::Membership;

use super::checker::{Checker, Start};
use super::reader::Reader;
use super::store::HeldHistory;

pub(super) struct Participant {
    pub(super) room: RoomName,
    pub(super) user: Identity,
    pub(super) reader: Reader,
    pub(super) checker: Checker,
    /// `None` after it has left.
    member: Option<Membership>,
    receives_lists: bool,
    is_detached: bool,
    /// Whether it should receive a leave notice.
    expects_leave_notice: bool,
    /// The number of offers to its reader after the last expected one.
    offers: Option<u64>,
}

impl Participant {
    pub(super) fn new(
        room: RoomName,
        user: Identity,
        member: Membership,
        reader: Reader,
        receives_lists: bool,
        start: Start,
    ) -> Self {
        let checker = Checker::new(room.clone(), (&user).into(), receives_lists, start);
        let (member, is_detached, expects_leave_notice, offers) = (Some(member), false, false, None);
        Self {
            room,
            user,
            reader,
            checker,
            member,
            receives_lists,
            is_detached,
            expects_leave_notice,
            offers,
        }
    }

    /// Whether this is a session of another user with the same name.
    pub(super) fn has_name_of_another(&self, user: &Identity) -> bool {
        self.user.username() == user.username() && self.user.id() != user.id()
    }

    pub(super) fn receives_lists(&self) -> bool {
        self.receives_lists
    }

    pub(super) fn member(&self) -> &Membership {
        self.member.as_ref().expect("a current member")
    }

    /// Whether it may have been removed, or has no sink.
    pub(super) fn may_be_disconnected(&self) -> bool {
        self.is_detached || self.reader.has_refused()
    }

    /// Whether its reader can be probed, and shows a probe at once.
    pub(super) fn shows_probes(&self) -> bool {
        !self.is_detached && matches!(self.reader, Reader::Events(_))
    }

    pub(super) fn read(&mut self, amount: usize, store: &HeldHistory) {
        for event in self.reader.read(amount) {
            self.checker.receive(event, store);
        }
        self.reader.assert_sound();
    }

    pub(super) fn has_read_all(&self) -> bool {
        !self.is_detached && self.reader.is_empty()
    }

    pub(super) fn is_detached(&self) -> bool {
        self.is_detached
    }

    pub(super) fn detach(&mut self) {
        if !self.receives_lists {
            self.member().detach();
            self.is_detached = true;
        }
    }

    pub(super) fn leave(&mut self) {
        self.member = None;
    }

    /// Leaves and expects a leave notice, unless the engine is closed or the participant is
    /// detached.
    pub(super) fn leave_with_notice(&mut self, reason: LeftReason, reference: Reference, is_closed: bool) {
        if let Some(member) = self.member.take() {
            member.leave_with_reason(reason, Some(reference));
        }
        self.expects_leave_notice = !is_closed && !self.is_detached;
    }

    /// Drops the membership of a removed participant.
    pub(super) fn removed(mut self) -> Self {
        self.member = None;
        self
    }

    /// Checks that nothing more is offered to a participant that has left without notice.
    pub(super) fn assert_silent(&mut self) {
        self.reader.assert_sound();
        if !self.expects_leave_notice {
            let offers = self.reader.offers();
            assert_eq!(*self.offers.get_or_insert(offers), offers, "an offer after it has left");
        }
    }

    /// Checks that a participant that has read everything has received its leave notice.
    pub(super) fn assert_ended(&self) {
        if self.expects_leave_notice && !self.reader.has_refused() {
            assert!(self.checker.has_left(), "{:?} was not notified that it has left", self.user);
        }
    }
}
