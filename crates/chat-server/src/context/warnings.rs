//! Warnings that their users have not received.

use std::collections::HashSet;

use chat_access::{AccessError, AccessStore, AuditRecord, Named, Warning};
use chat_protocol::UserId;
use chat_protocol::v2::{ServerFrame, Warned};
use parking_lot::Mutex;

use crate::context::sessions::Sessions;

/// The users who have a warning to receive, so that the others need no look into the store when
/// they come.
#[derive(Debug)]
pub(crate) struct Warnings {
    /// `None` if they could not be read: then each user may have one.
    users: Mutex<Option<HashSet<UserId>>>,
}

impl Warnings {
    /// Reads who has a warning to receive.
    pub(crate) async fn load(access: &dyn AccessStore) -> Self {
        let users = match access.warned().await {
            Ok(users) => Some(users.into_iter().collect()),
            Err(error) => {
                tracing::warn!(%error, "warnings can't be read; they are looked for when users come");
                None
            }
        };
        Self { users: Mutex::new(users) }
    }

    /// Whether a user with one of these ids may have a warning to receive.
    pub(crate) fn may_wait_for<'a>(&self, ids: impl IntoIterator<Item = &'a UserId>) -> bool {
        let users = self.users.lock();
        let has_none = users.as_ref().is_some_and(HashSet::is_empty);
        !has_none && users.as_ref().is_none_or(|users| ids.into_iter().any(|id| users.contains(id)))
    }

    /// A user was warned: tells its sessions, or else waits for it to come.
    ///
    /// # Errors
    /// [`AccessError`] if it is not known whether the user is told once more.
    pub(crate) async fn warned(
        &self,
        sessions: &Sessions,
        access: &dyn AccessStore,
        record: &AuditRecord,
    ) -> Result<(), AccessError> {
        let Some(Named { id: user, .. }) = &record.target else { return Ok(()) };
        // before its sessions are looked for: one that begins meanwhile looks into the store
        if let Some(users) = &mut *self.users.lock() {
            users.insert(user.clone());
        }
        if sessions.send_to_user(user, &frame(Warning::of(record))) > 0 {
            self.received(access, std::slice::from_ref(user), vec![record.number]).await?;
        }
        Ok(())
    }

    /// Sends a user who has come the warnings that wait for it.
    ///
    /// # Errors
    /// [`AccessError`] if the store fails. The user gets them when it comes again.
    pub(crate) async fn send_waiting(
        &self,
        sessions: &Sessions,
        access: &dyn AccessStore,
        ids: Vec<UserId>,
    ) -> Result<(), AccessError> {
        let warnings = access.warnings(ids.clone()).await?;
        let mut received = Vec::new();
        for warning in warnings {
            let number = warning.number;
            let user = ids.first();
            if user.is_some_and(|user| sessions.send_to_user(user, &frame(warning)) > 0) {
                received.push(number);
            }
        }
        self.received(access, &ids, received).await
    }

    async fn received(
        &self,
        access: &dyn AccessStore,
        ids: &[UserId],
        numbers: Vec<u64>,
    ) -> Result<(), AccessError> {
        access.acknowledge(numbers).await?;
        // others may have been given meanwhile
        let left = access.warnings(ids.to_vec()).await?;
        if let (true, Some(users)) = (left.is_empty(), &mut *self.users.lock()) {
            users.retain(|user| !ids.contains(user));
        }
        Ok(())
    }
}

fn frame(Warning { scope, by, reason, at, .. }: Warning) -> ServerFrame {
    let by = by.map(|by| by.username);
    ServerFrame::Warned(Warned { room: scope.room().cloned(), by, reason, at })
}
