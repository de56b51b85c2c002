//! The commands of `chat.v2`, one file each.
//!
//! A new command touches these places: its request in `chat-protocol/src/v2/client.rs` and its fields in `v2/read.rs`; the frame
//! that answers it in `v2/server.rs`, with its event in `model/event.rs` and their mapping in `v2/event.rs`; a file here and a line
//! in [`Session::run`]; both clients (`chat-client/src`, `clients/js/client.js` and `client.d.ts`); `docs/protocol.md`. The
//! description for programs, `docs/asyncapi.json`, is generated from the types, and the tests of chat-protocol compare all of them.

mod hello;
mod history;
mod join;
mod leave;
mod members;
mod ping;
mod send;
mod typing;

use chat_protocol::v2::{ClientFrame, Command, ErrorCode};

use crate::session::Session;
use crate::session::ending::CloseReason;

impl Session {
    /// Carries out a command. Returns why the connection ends, if it does.
    pub(super) fn run(&mut self, ClientFrame { reference, command }: ClientFrame) -> Option<CloseReason> {
        match command {
            Command::Hello(hello) => self.hello(hello, reference),
            Command::Join(join) => self.join(join, reference),
            Command::Leave { room } => self.leave(&room, reference),
            Command::Send(send) => self.send(send, reference),
            Command::History(history) => self.history(&history, reference),
            Command::Members(members) => return self.members(members, reference),
            Command::Typing { room } => self.typing(&room, reference.as_ref()),
            Command::Ping => self.ping(reference),
            _ => self.error(reference, ErrorCode::UnknownType, "this server does not support this command"),
        }
        None
    }
}
