//! Opening connections and joining rooms, a bounded number at a time.

use mio::{Interest, Token};

use super::super::LoadError;
use super::Worker;
use super::member::Stage;
use crate::connection::Connection;
use crate::plan::Dialect;
use chat_testkit::frame;

/// The progress of a worker's connections. Members are opened, and join, in their order.
#[derive(Default)]
pub(super) struct Connecting {
    /// Connections that were opened.
    opened: usize,
    /// Connections that the server has accepted, or that ended before.
    pub(super) connected: usize,
    /// Members that have requested to join.
    pub(super) join_requests: usize,
    /// Members whose join was answered, or that ended before.
    pub(super) joined: usize,
}

impl Worker<'_> {
    pub(super) fn open_connections(&mut self) -> Result<(), LoadError> {
        let connecting = &mut self.connecting;
        while connecting.opened < self.members.len()
            && connecting.opened - connecting.connected < self.plan.concurrency
        {
            let member = &mut self.members[connecting.opened];
            let request = self.plan.dialect.handshake(self.plan, member.participant);
            member.requested_at = self.state.now();
            let opened =
                Connection::open(self.plan.server, self.plan.trust.as_ref(), request, self.plan.compression);
            let mut connection = opened.map_err(LoadError::Socket)?;
            let interest = Interest::READABLE | Interest::WRITABLE;
            self.poll.registry().register(connection.source(), Token(connecting.opened), interest)?;
            member.connection = Some(connection);
            connecting.opened += 1;
        }
        Ok(())
    }

    pub(super) fn join_rooms(&mut self) {
        while self.connecting.join_requests < self.members.len()
            && self.connecting.join_requests - self.connecting.joined < self.plan.concurrency
        {
            let i = self.connecting.join_requests;
            self.connecting.join_requests += 1;
            let member = &mut self.members[i];
            if member.stage == Stage::Connected
                && let Some(connection) = &mut member.connection
            {
                member.requested_at = self.state.now();
                let join = Dialect::join(self.plan, member.participant);
                frame::write_masked(connection.write_queue(), frame::TEXT, join.as_bytes());
                self.write(i);
            } else {
                // it has ended, or joined with its handshake
                self.connecting.joined += 1;
            }
        }
    }
}
