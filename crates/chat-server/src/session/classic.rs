//! The classic dialect on a connection: one member of one room.

use std::sync::Arc;

use chat_access::Denied;
use chat_outbox::Outbox;
use chat_protocol::classic::{self, Command};
use chat_protocol::v2::ErrorCode;
use chat_protocol::{CloseCode, UserKind};
use chat_rooms::{Membership, Outgoing, Position};
use futures::FutureExt;
use tokio::time::Instant;

use crate::abuse::Writer;
use crate::context::Context;
use crate::context::classic_clients::ClassicEntry;
use crate::session::close_reason::CloseReason;
use crate::session::protocol::Protocol;
use crate::transport::drained;
use crate::transport::tcp::Tcp;

/// An admin has removed the member. The connection serves only that room.
const KICKED: CloseReason = CloseReason::Failed(CloseCode::Forbidden);

/// A member and its connection.
pub(crate) struct Classic {
    member: Membership,
    outbox: Arc<Outbox<Tcp>>,
    /// What has to be done before the next frame is read.
    busy: Option<Busy>,
    context: Arc<Context>,
    _entry: ClassicEntry,
}

enum Busy {
    /// A message to send once the room accepts it and its sender has read enough of its backlog. A
    /// client that sends without reading is no longer read from, instead of being disconnected for
    /// its own messages.
    Sending(Arc<str>, Option<Denied>),
    /// An error reply to an invalid frame is being delivered.
    Replying(Position),
}

impl Classic {
    pub(crate) fn new(
        member: Membership,
        outbox: Arc<Outbox<Tcp>>,
        entry: ClassicEntry,
        context: Arc<Context>,
    ) -> Self {
        Self { member, outbox, busy: None, context, _entry: entry }
    }

    /// Why the user may not write this text.
    fn refuse_text(&self, body: &str) -> Option<Denied> {
        let writer = Writer { id: &self.member.member().user, kind: UserKind::Guest, since: None };
        self.context.abuse.check(&self.context.config().abuse, writer, body, false)
    }

    /// Why the member is no longer in the room.
    fn removal_reason(&self) -> CloseReason {
        if self.member.was_removed() { KICKED } else { CloseReason::TooSlow }
    }

    fn refuse(&mut self, reason: impl Into<Arc<str>>) -> Option<CloseReason> {
        match self.member.refuse(ErrorCode::BadJson, reason, None) {
            Ok(position) => {
                self.busy = Some(Busy::Replying(position));
                None
            }
            Err(_) => Some(self.removal_reason()),
        }
    }
}

impl Protocol for Classic {
    fn on_text(&mut self, text: &str) -> Option<CloseReason> {
        match classic::read(text) {
            Ok(Command::Say { body }) => {
                let denied = self.refuse_text(&body);
                self.busy = Some(Busy::Sending(body, denied));
            }
            Ok(_) => return self.refuse("this server does not support this command"),
            Err(error) => return self.refuse(error.to_string()),
        }
        // usually the message can be sent at once
        self.proceed().now_or_never().and_then(Result::err)
    }

    fn is_busy(&self) -> bool {
        self.busy.is_some()
    }

    async fn proceed(&mut self) -> Result<(), CloseReason> {
        drained(&self.outbox).await;
        match &self.busy {
            None => {}
            Some(Busy::Sending(body, denied)) => {
                let message = Outgoing { denied: *denied, ..Arc::clone(body).into() };
                self.member.submit(message).await.map_err(|_| self.removal_reason())?;
            }
            Some(Busy::Replying(position)) => self.member.delivered(*position).await,
        }
        self.busy = None;
        Ok(())
    }

    fn deadline(&self) -> Option<Instant> {
        None
    }

    fn on_probe(&mut self) -> Option<CloseReason> {
        self.member.was_removed().then_some(KICKED)
    }

    async fn settle(&mut self) {
        if let Some(Busy::Sending(body, denied)) = self.busy.take() {
            // it fails only if the member has been removed, and that is reported anyway
            let _ = self.member.submit(Outgoing { denied, ..body.into() }).await;
        }
        self.member.idle().await;
    }

    fn log(&self, what: &str, reason: Option<CloseReason>) {
        let member = self.member.member();
        let (by, code) = CloseReason::fields(reason);
        tracing::debug!(connection = %member.channel, room = %member.room, username = %member.username, by, code, "{what}");
    }
}
