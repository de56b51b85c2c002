//! Messages and requests of members.

use std::sync::Arc;
use std::time::Duration;

use chat_history::Page;
use chat_protocol::MessageId;
use chat_protocol::v2::{ErrorCode, PAGE_BYTES};
use chat_rooms::{MembersQuery, Outgoing, ReadError, SendError};
use tokio::time::timeout;

use super::checker::Request;
use super::harness::{Harness, pick};

/// A call that does not complete within this time waits for a held append, and is cancelled.
const PATIENCE: Duration = Duration::from_millis(2);

/// The maximum total size of the messages, in bytes. Below it, everything can be recovered, and the
/// store in memory keeps everything.
const MAX_TOTAL_BYTES: usize = 700 << 10;

impl Harness {
    pub(super) async fn send(&mut self, who: u8, id: Option<u8>, body: u8) {
        let reference = self.reference();
        let Some(participant) = pick(&mut self.present, who).filter(|_| self.store.bytes() < MAX_TOTAL_BYTES)
        else {
            return;
        };
        let id: Option<MessageId> = id.map(|id| format!("i{id}").parse().expect("short"));
        let body: Arc<str> =
            if body < 224 { format!("b{}", body % 3).into() } else { format!("{body}").repeat(7_000).into() };
        let outgoing =
            Outgoing { body: Arc::clone(&body), id: id.clone(), reference: Some(reference.clone()) };
        let append = self.store.appends();
        match timeout(PATIENCE, participant.member().submit(outgoing)).await {
            Ok(Ok(())) => {
                assert_eq!(self.store.appends(), append + 1);
                participant.checker.expect_reply(reference, Request::Send { id, body, append });
            }
            Ok(Err(SendError::NotAMember)) => {
                assert!(participant.may_be_disconnected(), "a member cannot send");
            }
            Ok(Err(error)) => panic!("{error}"),
            // cancelled: nothing was sent
            Err(_) => assert_eq!(self.store.appends(), append),
        }
    }

    pub(super) async fn history(&mut self, who: u8, page: Page) {
        let reference = self.reference();
        let Some(participant) =
            pick(&mut self.present, who).filter(|participant| !participant.receives_lists())
        else {
            return;
        };
        match timeout(PATIENCE, participant.member().history(page, PAGE_BYTES, Some(reference.clone()))).await
        {
            Ok(Ok(_)) => participant.checker.expect_reply(reference, Request::History(page)),
            Ok(Err(ReadError::NotAMember)) => assert!(participant.may_be_disconnected()),
            Ok(Err(error)) => panic!("{error}"),
            // one of its messages is held back
            Err(_) => assert!(self.store.has_held_appends()),
        }
    }

    pub(super) fn members(&mut self, who: u8, query: MembersQuery) {
        let reference = self.reference();
        let Some(participant) =
            pick(&mut self.present, who).filter(|participant| !participant.receives_lists())
        else {
            return;
        };
        match participant.member().members_page(&query, Some(reference.clone())) {
            Ok(_) => participant.checker.expect_reply(reference, Request::Members(query)),
            Err(_) => assert!(participant.may_be_disconnected()),
        }
    }

    pub(super) fn refuse(&mut self, who: u8) {
        let reference = self.reference();
        let Some(participant) = pick(&mut self.present, who) else { return };
        match participant.member().refuse(ErrorCode::BadJson, "nonsense", Some(reference.clone())) {
            Ok(_) => participant.checker.expect_reply(reference, Request::Refuse),
            Err(_) => assert!(participant.may_be_disconnected()),
        }
    }
}
