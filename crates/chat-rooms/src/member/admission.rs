//! A reserved name, before its client joins.

use std::fmt;

use crate::delivery::audience::PresenceStyle;
use crate::delivery::window::SendWindow;
use crate::error::{JoinError, ReadError};
use crate::member::options::Subscribe;
use crate::member::reservation::{PresenceRow, ReservedName};
use crate::member::{Membership, join};
use crate::room::Position;
use crate::room::replies::JoinKind;

/// A reserved name in a room, for a client that is about to join.
///
/// The name is taken and the presence record is written, but the other members do not see the
/// client yet. [`join`](Self::join) turns the admission into a [`Membership`]. Dropping it releases
/// the name and removes the record, and nobody notices.
#[must_use = "dropping an admission releases the name"]
pub struct Admission {
    /// Declared before the name, so that it is dropped first: when the name is free again, the
    /// removal of the record is queued already.
    row: PresenceRow,
    name: ReservedName,
    window: SendWindow,
}

impl Admission {
    pub(crate) fn new(name: ReservedName, row: PresenceRow) -> Self {
        Self { row, name, window: SendWindow::default() }
    }

    /// Counts the member's messages towards `window` (default: a window of its own).
    pub fn with_window(mut self, window: &SendWindow) -> Self {
        self.window = window.clone();
        self
    }

    /// Joins the room.
    ///
    /// The other members see the member from now on, and every event that follows goes to the sink
    /// of `subscribe`. Also returns the position of the member's first event: see
    /// [`Membership::delivered`].
    ///
    /// With [`Subscribe::with_lists`] nothing has to be read, and the future resolves at once.
    ///
    /// Cancel-safe: if the future is dropped before it resolves, the name is free again.
    ///
    /// # Errors
    /// [`JoinError::History`] if missed messages cannot be read. The name is free again.
    pub async fn join(self, subscribe: Subscribe) -> Result<(Membership, Position), JoinError> {
        let (shared, room, member) = (self.name.shared(), self.name.room(), self.row.member());
        if subscribe.presence == PresenceStyle::Lists {
            let member = self.into_membership();
            let sent = member.room.enter(&member.member, subscribe.sink);
            member.count_usage();
            return Ok((member, sent));
        }
        match join(shared, room, member, JoinKind::First, subscribe).await {
            Ok(sent) => {
                let member = self.into_membership();
                member.count_usage();
                Ok((member, sent))
            }
            Err(ReadError::History(error)) => Err(error.into()),
            Err(ReadError::NotAMember) => unreachable!("a new member can't have been removed"),
        }
    }

    fn into_membership(self) -> Membership {
        let (shared, room) = self.name.keep();
        Membership::new(shared, room, self.row.keep(), self.window)
    }
}

impl fmt::Debug for Admission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Admission").field(self.row.member()).finish()
    }
}
