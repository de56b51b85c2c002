//! The policy of a room changes: messages in flight are checked again, and members who may not stay
//! are removed.

use std::fmt;
use std::mem;
use std::time::Duration;

use chat_access::Denied;
use chat_history::HistoryError;
use chat_protocol::{Identity, LeftReason};

use crate::room::Room;
use crate::room::core::Core;
use crate::room::publish::Sender;
use crate::sync::sleep;

/// How long to wait before the settings are read again after a failure.
const RETRY: Duration = Duration::from_millis(250);
const MAX_RETRY: Duration = Duration::from_secs(2);

/// A message that the store has not stored because the policy has changed since it was checked.
pub(crate) trait Outdated: fmt::Debug + Send {
    /// Who has sent it, with the result of the check; `None` once it is settled.
    fn sender(&mut self) -> Option<&mut Sender>;

    /// Appends it again, with the new result of the check.
    fn append_again(self: Box<Self>);

    /// Settles it: it cannot be checked again.
    fn fail(self: Box<Self>, error: HistoryError);
}

impl Room {
    /// Whether a user may join.
    pub(crate) fn check_join(&self, user: &Identity) -> Result<(), Denied> {
        self.lock().policy.check_join(user.into())
    }

    /// Reads the settings, because the store has a newer version of the policy than the room. Tries
    /// until the store answers: no message can be checked before.
    pub(crate) async fn refresh_policy(&self) {
        let mut delay = RETRY;
        loop {
            match self.context.history.settings(self.name.clone()).await {
                Ok(settings) => {
                    let is_newer = self.lock().policy.replace(settings);
                    if is_newer {
                        self.remove_denied_later();
                    } else {
                        // a store that answers with an old version is asked again, but not at once
                        sleep(delay).await;
                    }
                    return;
                }
                Err(error) => {
                    tracing::warn!(room = %self.name, %error, "the settings of a room could not be read");
                    sleep(delay).await;
                    delay = MAX_RETRY.min(delay * 2);
                }
            }
        }
    }

    /// Removes the members whom the policy does not admit any more, in a task of its own.
    pub(crate) fn remove_denied_later(&self) {
        if let Some(room) = self.this.upgrade() {
            self.context.runtime.spawn(async move { room.remove_denied(LeftReason::NotAllowed) });
        }
    }

    /// Appends messages again that were checked again, in their order.
    pub(crate) fn append_again(&self, messages: Vec<Box<dyn Outdated>>) {
        if messages.is_empty() {
            return;
        }
        messages.into_iter().for_each(Outdated::append_again);
        let mut core = self.lock();
        core.policy.appended_again();
        let wakers = self.progress(&mut core);
        drop(core);
        self.wake(wakers);
    }
}

impl Core {
    /// Checks again all messages that the store has handed back, once there are no more to come.
    /// Returns them in their order, to be appended again.
    pub(crate) fn check_again(&mut self) -> Vec<Box<dyn Outdated>> {
        if !self.policy.all_are_back() {
            return Vec::new();
        }
        let mut returned = mem::take(&mut self.returned);
        for sender in returned.iter_mut().filter_map(|message| message.sender()) {
            sender.checked = self.policy.check_post(sender.actor());
        }
        returned
    }
}
