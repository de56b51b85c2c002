//! `ping`: checks that the connection works.

use chat_protocol::Reference;
use chat_protocol::v2::ServerFrame;

use crate::session::Session;

impl Session {
    pub(super) fn ping(&self, reference: Option<Reference>) {
        self.answer(&ServerFrame::Pong { reference });
    }
}
