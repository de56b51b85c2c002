//! Gaps: events that are in the store, and that no result of an append has.
//!
//! A commit that failed may have reached the disk all the same. The next result shows that numbers
//! are missing: see [`sequencer`](crate::room::state::sequencer). Then the room reads what has
//! become of its messages, and sends that in one event.

use std::sync::Arc;
use std::time::Duration;

use chat_access::RoomPolicy;
use chat_history::HistoryError;
use chat_protocol::{EventRange, Outcome};

use crate::room::Room;
use crate::room::catch_up::{CatchUp, CatchUpLimits, CaughtUp, Step};
use crate::room::state::effects::Effect;
use crate::room::tail::Tail;
use crate::sync::sleep;

/// How often the store is asked, and how long to wait after a failure. If it still fails, the
/// members are told to ask for themselves.
const MAX_ATTEMPTS: u32 = 8;
const RETRY: Duration = Duration::from_millis(250);

/// How often, and how many times, a room looks whether it has delivered what a client has seen on
/// another node.
const LOOK: Duration = Duration::from_millis(10);
const MAX_LOOKS: u32 = 200;

impl Room {
    /// Waits until the room has delivered the event `seq`, which a client may have seen on another
    /// node, if there is such an event. Gives up after two seconds: then the client receives the
    /// newest messages.
    ///
    /// # Errors
    /// [`HistoryError`] if the store fails.
    pub(crate) async fn reach(self: &Arc<Self>, seq: u64) -> Result<(), HistoryError> {
        let has_delivered = |seq: u64| self.lock().tail.newest() >= seq;
        if self.context.publisher.is_none() || has_delivered(seq) {
            return Ok(());
        }
        let retention = self.context.retention.retention();
        let extent = self.context.history.extent(self.name.clone(), retention).await?;
        // no client can make the room wait for an event that there is not
        let seq = seq.min(extent.newest);
        self.hear_of(seq);
        for _ in 0..MAX_LOOKS {
            if has_delivered(seq) {
                break;
            }
            sleep(LOOK).await;
        }
        Ok(())
    }

    /// Delivers the events up to the number `last`. Only the task that settles results delivers
    /// events, so the newest one does not change meanwhile.
    pub(crate) async fn fill_gap(&self, last: u64) {
        let newest = self.lock().tail.newest();
        let mut range = EventRange::new(self.name.clone(), newest + 1, last, None);
        let mut policy = None;
        for attempt in 1..=MAX_ATTEMPTS {
            match self.read_range(newest, last).await {
                Ok((outcome, read)) => {
                    range.outcome = outcome;
                    range.settings = Some(Arc::clone(read.settings()));
                    policy = Some(read);
                    break;
                }
                Err(error) => {
                    tracing::warn!(room = %self.name, %error, attempt, "missed events could not be read");
                    sleep(RETRY * attempt).await;
                }
            }
        }
        tracing::info!(room = %self.name, first = range.first_seq, last = range.seq,
            recovered = range.outcome.is_some(), "delivering events that no append has returned");
        self.change(|core, effects| {
            let policy = policy.map(|policy| policy.server_rules(self.context.server_rules.get()));
            if policy.is_some_and(|policy| core.policy.replace(policy)) {
                effects.push(Effect::CheckMembers);
            }
            self.deliver_range(core, range);
        });
        self.deliver_all_ahead();
    }

    /// Delivers the events up to the number `last` without their outcome: nothing can be read any
    /// more.
    pub(crate) fn skip_gap(&self, last: u64) {
        self.change(|core, _| {
            let range = EventRange::new(self.name.clone(), core.tail.newest() + 1, last, None);
            self.deliver_range(core, range);
        });
        self.deliver_all_ahead();
    }

    /// Delivers the events that waited for those that are delivered now.
    fn deliver_all_ahead(&self) {
        while self.change(|core, effects| self.deliver_ahead(core, effects)) {}
    }

    /// Reads what the events after `newest` up to `last` have changed, and the policy. The
    /// outcome is `None` if it is too much for one event.
    async fn read_range(
        &self,
        newest: u64,
        last: u64,
    ) -> Result<(Option<Outcome>, RoomPolicy), HistoryError> {
        let policy = self.read_policy().await?;
        // as if a member had missed them in a room that has just been loaded
        let tail = Tail::after(last);
        let mut catch_up = CatchUp::new(Some(newest), 0, CatchUpLimits::default());
        loop {
            match catch_up.step(&tail) {
                Step::Read(read) => catch_up.add(self.read(read).await?),
                Step::Done(CaughtUp { messages, changed, .. }) => {
                    return Ok((changed.map(|changed| Outcome::new(messages, changed)), policy));
                }
            }
        }
    }
}
