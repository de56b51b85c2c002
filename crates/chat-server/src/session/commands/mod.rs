//! The commands of `chat.v2`, one file each.
//!
//! To add a command, change these files:
//!
//! - `chat-protocol/src/v2/client.rs` for the request and its fields, and `v2/from_field.rs` if a
//!   field has a new type;
//! - `v2/server.rs` for the frame that answers it, `v2/asyncapi.rs` for the pair of both,
//!   `model/event.rs` for its event, and `v2/event.rs` for their mapping;
//! - a file here, and a line in [`Session::run`];
//! - both clients: `chat-client/src`, `clients/js/client.js` and `client.d.ts`;
//! - `docs/protocol.md`.
//!
//! The machine-readable description, `docs/asyncapi.json`, is generated from the types. The tests
//! of chat-protocol check that all of these agree.

mod audit;
mod block;
mod close_report;
mod configure_room;
mod create_room;
mod delete;
mod direct;
mod directory;
mod edit;
pub(super) mod hello;
mod history;
mod invite;
mod invite_link;
mod join;
mod keep;
mod leave;
mod mark_read;
mod members;
mod moderate;
mod ping;
mod react;
mod renew;
mod report;
mod reports;
mod roles;
mod search;
mod send;
mod set_role;
mod typing;

use chat_protocol::v2::{ClientFrame, Command, ErrorCode};

use crate::session::Session;
use crate::session::close_reason::CloseReason;

impl Session {
    /// Carries out a command. Returns why the connection ends, if it does.
    pub(super) fn run(&mut self, ClientFrame { reference, command }: ClientFrame) -> Option<CloseReason> {
        match command {
            Command::Hello(hello) => return self.hello(hello, reference),
            Command::Join(join) => self.join(join, reference),
            Command::Leave { room } => self.leave(&room, reference),
            Command::Send(send) => self.send(send, reference),
            Command::Edit(edit) => self.edit(edit, reference),
            Command::Delete(delete) => self.delete(delete, reference),
            Command::React(react) => self.react(react, reference),
            Command::History(history) => self.history(&history, reference),
            Command::Search(search) => self.search(search, reference),
            Command::Members(members) => return self.members(members, reference),
            Command::Typing { room } => self.typing(&room, reference.as_ref()),
            Command::CreateRoom(create) => self.create_room(create, reference),
            Command::ConfigureRoom(configure) => self.configure_room(configure, reference),
            Command::SetRole(set) => self.set_role(set, reference),
            Command::Roles(roles) => self.roles(roles, reference),
            Command::Moderate(moderate) => self.moderate(moderate, reference),
            Command::Invite { room, username } => self.invite(&room, username, reference),
            Command::InviteLink(link) => self.invite_link(link, reference),
            Command::Block { user, on } => self.block(user, on, reference),
            Command::Report(report) => self.report(report, reference),
            Command::Reports(reports) => self.reports(reports, reference),
            Command::CloseReport { room, number } => self.close_report(room, number, reference),
            Command::Audit(audit) => self.audit(audit, reference),
            Command::Directory(directory) => self.directory(directory, reference),
            Command::Direct { username } => self.direct(username, reference),
            Command::Keep(keep) => self.keep(keep, reference),
            Command::MarkRead(mark) => self.mark_read(mark, reference),
            Command::Renew { token } => self.renew(token, reference),
            Command::Ping => self.ping(reference),
            _ => self.error(reference, ErrorCode::UnknownType, "this server does not support this command"),
        }
        None
    }
}

/// How many entries a page has: as many as the client asks for, and at least one.
fn page_size(asked: Option<u64>, default: usize, max: usize) -> usize {
    asked.map_or(default, |asked| usize::try_from(asked).unwrap_or(usize::MAX)).clamp(1, max)
}
