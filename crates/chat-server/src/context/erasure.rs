//! Erasing what a user wrote: messages, reactions, and the copies of messages in open reports.
//!
//! What the operator erases is recorded in the audit log of each room, before it is erased there.
//! What users erase of their own is not, as what they delete is not. The copies in reports are
//! recorded in both cases, because moderators miss them.

use std::time::{Duration, Instant};

use chat_access::{AccessError, ActKind, Named, NewRecord};
use chat_history::{Cursor, HistoryError, UserMessages, UserQuery, UserReaction};
use chat_protocol::{DeletedBy, RoomName, Username};

use crate::context::Context;

/// Why not everything was erased. It is safe to try again.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EraseError {
    /// The history store failed.
    #[error(transparent)]
    History(#[from] HistoryError),
    /// The store of the audit log and of reports failed.
    #[error(transparent)]
    Access(#[from] AccessError),
}

/// What was erased.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Erased {
    /// The number of messages, or of reactions.
    pub count: usize,
    /// The number of open reports whose text was erased.
    pub reports: usize,
    /// Where to continue. `None`: everything is erased.
    pub next: Option<Cursor>,
}

/// Whose messages and reactions are erased, and by whom.
#[derive(Debug, Clone)]
pub(crate) struct Erasure {
    pub(crate) query: UserQuery,
    /// The operator, or the author.
    pub(crate) by: DeletedBy,
    /// Who erases the copies in reports; `None`: who runs the server.
    pub(crate) doer: Option<Named>,
}

impl Erasure {
    /// The erasure by the operator.
    pub(crate) fn by_operator(query: UserQuery) -> Self {
        Self { query, by: DeletedBy::Operator, doer: None }
    }
}

/// The rooms in which an erasure is recorded.
struct Records<'a> {
    erasure: &'a Erasure,
    kind: ActKind,
    /// The room of the newest record: what a user wrote is found room by room.
    newest: Option<RoomName>,
}

impl<'a> Records<'a> {
    fn new(erasure: &'a Erasure, kind: ActKind) -> Self {
        Self { erasure, kind, newest: None }
    }

    /// Whether there has to be a record before something is erased in this room.
    fn need(&self, room: &RoomName) -> bool {
        self.erasure.by == DeletedBy::Operator && self.newest.as_ref() != Some(room)
    }

    async fn add(
        &mut self,
        context: &Context,
        room: &RoomName,
        username: Username,
    ) -> Result<(), AccessError> {
        let target = Named::new(self.erasure.query.user.clone(), username);
        let by = self.erasure.doer.clone();
        let record = NewRecord::new(room.clone(), by, self.kind, Some(target));
        context.engine.access().record(record).await?;
        self.newest = Some(room.clone());
        Ok(())
    }
}

impl Context {
    /// Erases messages for about this time. After the last one, the copies in open reports are
    /// erased, too.
    ///
    /// # Errors
    /// [`EraseError`] if a store fails.
    pub(crate) async fn erase_messages(
        &self,
        messages: &dyn UserMessages,
        erasure: &Erasure,
        mut after: Option<Cursor>,
        max_time: Duration,
    ) -> Result<Erased, EraseError> {
        let (began, mut erased) = (Instant::now(), Erased::default());
        let mut records = Records::new(erasure, ActKind::EraseMessages);
        let mut name = erasure.query.name.clone();
        loop {
            let step = messages.find(erasure.query.clone(), after).await?;
            for in_room in step.found.chunk_by(|one, next| one.room == next.room) {
                let room = &in_room[0].room;
                if records.need(room) {
                    if name.is_none() {
                        name = first_name(messages, &erasure.query, after).await?;
                    }
                    // without a name, they were deleted a moment ago
                    let Some(name) = &name else { continue };
                    records.add(self, room, name.clone()).await?;
                }
                let targets: Vec<_> = in_room.iter().map(|message| message.seq).collect();
                erased.count += self.engine.delete_messages(room, &targets, erasure.by).await?;
            }
            after = step.next;
            if after.is_none() {
                erased.reports = self.erase_reports(erasure).await?;
                return Ok(erased);
            }
            if began.elapsed() >= max_time {
                return Ok(Erased { next: after, ..erased });
            }
        }
    }

    /// Removes reactions for about this time.
    ///
    /// # Errors
    /// [`EraseError`] if a store fails.
    pub(crate) async fn erase_reactions(
        &self,
        messages: &dyn UserMessages,
        erasure: &Erasure,
        mut after: Option<Cursor>,
        max_time: Duration,
    ) -> Result<Erased, EraseError> {
        let (began, mut erased) = (Instant::now(), Erased::default());
        let mut records = Records::new(erasure, ActKind::EraseReactions);
        loop {
            let step = messages.reactions(erasure.query.clone(), after).await?;
            for UserReaction { message, username, emoji, .. } in &step.found {
                if records.need(&message.room) {
                    records.add(self, &message.room, username.clone()).await?;
                }
                let user = (&erasure.query.user, username);
                let removed = self.engine.remove_reaction(&message.room, message.seq, user, emoji).await?;
                erased.count += usize::from(removed);
            }
            after = step.next;
            if after.is_none() || began.elapsed() >= max_time {
                return Ok(Erased { next: after, ..erased });
            }
        }
    }

    /// Erases the copies of messages in open reports. The messages have to be erased already.
    async fn erase_reports(&self, erasure: &Erasure) -> Result<usize, AccessError> {
        // a report that has read a message before it was erased is stored now
        drop(self.reporting.write().await);
        let UserQuery { user, name, .. } = erasure.query.clone();
        let records = self.engine.access().erase_reports(user, name, erasure.doer.clone()).await?;
        Ok(records.len())
    }
}

/// The name under which the first of the messages was sent; `None` if there are none.
async fn first_name(
    messages: &dyn UserMessages,
    query: &UserQuery,
    mut after: Option<Cursor>,
) -> Result<Option<Username>, HistoryError> {
    loop {
        let step = messages.page(query.clone(), after).await?;
        let mut texts = step.found.iter().filter_map(|message| message.text());
        if let Some(text) = texts.next() {
            return Ok(Some(text.from.clone()));
        }
        after = step.next;
        if after.is_none() {
            return Ok(None);
        }
    }
}
