//! What a member may do, and the settings of its room.

use chat_access::{Action, Denied, RoomPolicy, check};
use chat_history::{AppendError, HistoryError, HistoryErrorKind, NewRoomChange, Permission};
use chat_protocol::{RoomSettings, Timestamp};

use crate::error::ConfigureError;
use crate::member::Membership;
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
        for _ in 0..MAX_ATTEMPTS {
            let actor = self.room.actor(self.session).ok_or(ConfigureError::NotAMember)?;
            let policy: RoomPolicy = self.room.read_policy().await?;
            check(&actor, Action::Configure, &policy, Timestamp::now())?;
            let permission = Permission::new(policy.version(), true);
            let change = NewRoomChange::new(self.room.name.clone(), change(policy.settings()))
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
}
