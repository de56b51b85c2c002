//! A reserved name, before its session joins.

use std::fmt;

use chat_access::Actor;

use crate::delivery::audience::PresenceStyle;
use crate::delivery::window::SendWindow;
use crate::error::JoinError;
use crate::member::Membership;
use crate::member::options::Subscribe;
use crate::member::record;
use crate::member::reservation::{PresenceRow, ReservedName};
use crate::room::Position;
use crate::room::catch_up::CatchUp;
use crate::room::replies::{Entry, Joiner, NotJoined, ReplyContext};

/// A reserved name in a room, for a session that is about to join.
///
/// The name is taken and the presence record is written, but the other members do not see the user
/// yet. [`join`](Self::join) turns the admission into a [`Membership`]. Dropping it releases the
/// name and removes the record, and nobody notices.
#[must_use = "dropping an admission releases the name"]
pub struct Admission {
    /// The user's presence row; `None` if the user was in the room already. Declared before the
    /// name, so that it is dropped first: when the name is free again, the removal of the row is
    /// queued already.
    row: Option<PresenceRow>,
    name: ReservedName,
    window: SendWindow,
}

impl Admission {
    pub(crate) fn new(name: ReservedName, row: Option<PresenceRow>) -> Self {
        Self { row, name, window: SendWindow::default() }
    }

    /// Counts the session's messages towards `window` (default: a window of its own).
    pub fn with_window(mut self, window: &SendWindow) -> Self {
        self.window = window.clone();
        self
    }

    /// Joins the room.
    ///
    /// The other members see the user from now on, unless they do already, and every event that
    /// follows goes to the sink of `subscribe`. Also returns the position of the session's first
    /// event: see [`Membership::delivered`].
    ///
    /// With [`Subscribe::with_lists`] no messages have to be read, and the future usually resolves
    /// at once.
    ///
    /// Cancel-safe: if the future is dropped before it resolves, the name is free again.
    ///
    /// # Errors
    /// [`JoinError::History`] if missed messages cannot be read; [`JoinError::Store`] and
    /// [`JoinError::NameTaken`] if the user had left the room since it was admitted, and its record
    /// cannot be written again. The name is free again.
    pub async fn join(mut self, subscribe: Subscribe) -> Result<(Membership, Position), JoinError> {
        let Subscribe { sink, presence, since, history, limits, members, former_ids, network, reference } =
            subscribe;
        let store = &self.name.shared().context.history;
        let context = ReplyContext { epoch: store.epoch(), reference, members };
        if presence == PresenceStyle::Changes {
            self.name.room().refresh_oldest().await?;
        }
        let since = since.filter(|since| since.epoch == context.epoch).map(|since| since.seq);
        self.name.room().reach(since.unwrap_or(0)).await?;
        let actor = Actor::new(self.name.user(), &former_ids).at(network);
        let ids = [self.name.user().id().clone()].into_iter().chain(former_ids).collect();
        let mut catch_up = CatchUp::new(since, history, limits).for_user(ids);
        loop {
            let (shared, room) = (self.name.shared(), self.name.room());
            let record = self.row.as_ref().map(PresenceRow::member);
            let joiner = Joiner { user: self.name.user(), actor: &actor, record, sink: &sink };
            let joined = match presence {
                PresenceStyle::Lists => room.join_with_lists(&joiner),
                PresenceStyle::Changes => room.join(&joiner, &mut catch_up, &context),
            };
            match joined {
                Ok(Entry { member, record, session, sent }) => {
                    let (shared, room) = self.name.keep();
                    if let Some(row) = self.row {
                        row.keep_for(record);
                    }
                    let member = Membership::new(shared, room, member, session, self.window);
                    member.count_usage();
                    return Ok((member, sent));
                }
                Err(NotJoined::Read(read)) => catch_up.add(room.read(read).await?),
                Err(NotJoined::Denied(denied)) => return Err(JoinError::Denied(denied)),
                Err(NotJoined::NoRecord) => {
                    self.row = Some(record::write(shared, room, self.name.user(), None).await?);
                }
            }
        }
    }
}

impl fmt::Debug for Admission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Admission")
            .field("user", self.name.user())
            .field("record", &self.row.as_ref().map(PresenceRow::member))
            .finish_non_exhaustive()
    }
}
