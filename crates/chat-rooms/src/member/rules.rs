//! What a member may do, the settings of its room, and the record of both.

use std::sync::Arc;

use chat_access::{ActKind, Action, Denied, Named, NewRecord, RoomPolicy, check};
use chat_history::{AppendError, HistoryError, HistoryErrorKind, NewRoomChange, Permission};
use chat_protocol::{RoomSettings, Timestamp};

use crate::Engine;
use crate::error::ConfigureError;
use crate::member::Membership;
use crate::member::options::Delete;
use crate::member::pending_append::PendingAct;

/// How often a change of the settings is tried again because the policy has changed meanwhile.
const MAX_ATTEMPTS: usize = 16;

impl Membership {
    /// Whether the user may do something in the room now, and is in it. `None`: the session has
    /// left the room, or was removed from it.
    pub fn check(&self, action: Action) -> Option<Result<(), Denied>> {
        let actor = self.room.actor(self.session)?;
        Some(self.room.check(&actor, action))
    }

    /// Changes the settings of the room: `change` makes the new ones from those of now. Returns the
    /// number of the event; `None` if the settings were the same before.
    ///
    /// The right to do so is checked in the transaction of the change. If others change the policy
    /// at the same time, `change` is called again. See
    /// [`Engine::configure`](crate::Engine::configure) for the effect.
    ///
    /// Not cancel-safe: the settings may be changed although the future is dropped.
    ///
    /// # Errors
    /// [`ConfigureError`] if the user may not, or a store fails.
    pub async fn configure(
        &self,
        change: impl Fn(&RoomSettings) -> RoomSettings,
    ) -> Result<Option<u64>, ConfigureError> {
        let context = &self.shared.context;
        let mut is_recorded = false;
        for _ in 0..MAX_ATTEMPTS {
            let actor = self.room.actor(self.session).ok_or(ConfigureError::NotAMember)?;
            let policy: RoomPolicy = self.room.read_policy().await?;
            check(&actor, Action::Configure, &policy, Timestamp::now())?;
            let settings = change(policy.settings());
            if settings == **policy.settings() {
                return Ok(None);
            }
            if !is_recorded {
                self.record(ActKind::Configure, None).await?;
                is_recorded = true;
            }
            let permission = Permission::new(policy.version(), true);
            let change = NewRoomChange::new(self.room.name.clone(), settings)
                .by(self.member.username.clone(), permission);
            match PendingAct::append(&self.shared, change.into()).await {
                Ok(appended) => {
                    if appended.seq().is_some() {
                        context.meters.acts.increment(1);
                    }
                    return Ok(appended.seq());
                }
                Err(AppendError::PolicyChanged(_)) => {}
                Err(AppendError::Unavailable(error)) => return Err(error.into()),
                Err(error) => return Err(HistoryError::other(error).into()),
            }
        }
        let busy = "others change the policy all the time";
        Err(HistoryError::new(HistoryErrorKind::Busy, busy).into())
    }

    /// Records in the audit log that a message of another user is about to be deleted, if the user
    /// may do that. The record comes first, so that no deletion is without one: without the right,
    /// or if the user gets it only later, `delete` deletes messages of the user itself only.
    ///
    /// Not cancel-safe: the record may be written although the future is dropped.
    ///
    /// # Errors
    /// [`HistoryError`] if a store fails. The message must not be deleted then.
    pub async fn record_deletion(&self, delete: &mut Delete) -> Result<(), HistoryError> {
        if !matches!(self.check(Action::DeleteOthers), Some(Ok(()))) {
            return Ok(());
        }
        let engine = Engine { shared: Arc::clone(&self.shared) };
        let message = engine.message(&self.room.name, delete.target).await?;
        let Some(text) = message.as_ref().and_then(|message| message.text()) else { return Ok(()) };
        if text.user == self.member.user || delete.former_ids.contains(&text.user) {
            return Ok(());
        }
        let author = Named::new(text.user.clone(), text.from.clone());
        self.record(ActKind::Delete(delete.target), Some(author)).await?;
        delete.is_recorded = true;
        Ok(())
    }

    async fn record(&self, kind: ActKind, target: Option<Named>) -> Result<(), HistoryError> {
        let by = Named::new(self.member.user.clone(), self.member.username.clone());
        let record = NewRecord::new(self.room.name.clone(), Some(by), kind, target);
        self.shared.context.access.record(record).await.map(drop).map_err(HistoryError::other)
    }
}
