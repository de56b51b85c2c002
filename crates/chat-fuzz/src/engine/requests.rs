//! Messages and requests of members, and deletions.

use std::sync::Arc;
use std::time::Duration;

use chat_history::{HistoryError, Page};
use chat_protocol::v2::{ErrorCode, PAGE_BYTES, Since};
use chat_protocol::{MessageId, RoomName};
use chat_rooms::{HistoryQuery, MembersQuery, Outgoing, ReadError, Resync, SendError};
use futures::FutureExt;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::checker::Request;
use super::command::StartAt;
use super::harness::{Harness, pick};
use super::store::HeldHistory;
use super::timeline::DELETED_BY;

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
        let outgoing = Outgoing {
            body: Arc::clone(&body),
            id: id.clone(),
            reference: Some(reference.clone()),
            context: None,
        };
        let append = self.store.sent();
        match timeout(PATIENCE, participant.member().submit(outgoing)).await {
            Ok(Ok(())) => {
                assert_eq!(self.store.sent(), append + 1);
                participant.checker.expect_reply(reference, Request::Send { id, body, append });
            }
            Ok(Err(SendError::NotAMember)) => {
                assert!(participant.may_be_disconnected(), "a member cannot send");
            }
            Ok(Err(error)) => panic!("{error}"),
            // cancelled: nothing was sent
            Err(_) => assert_eq!(self.store.sent(), append),
        }
    }

    pub(super) async fn history(&mut self, who: u8, page: Page) {
        let reference = self.reference();
        let Some(participant) =
            pick(&mut self.present, who).filter(|participant| !participant.receives_lists())
        else {
            return;
        };
        let delivered = self.store.delivered(&participant.room);
        let query = HistoryQuery::new(page).max_bytes(PAGE_BYTES).reference(Some(reference.clone()));
        match timeout(PATIENCE, participant.member().history(query)).await {
            Ok(Ok(_)) => participant.checker.expect_reply(reference, Request::History { page, delivered }),
            Ok(Err(ReadError::NotAMember)) => assert!(participant.may_be_disconnected()),
            Ok(Err(error)) => panic!("{error}"),
            // one of its messages is held back
            Err(_) => assert!(self.store.has_held_appends()),
        }
    }

    pub(super) async fn resync(&mut self, who: u8, from: StartAt, history: usize) {
        let (reference, epoch) = (self.reference(), self.engine.epoch());
        let Some(participant) = pick(&mut self.present, who) else { return };
        let (room, cursor) = (participant.room.clone(), participant.checker.cursor());
        let mut wanted = self.wanted(&room, from, history);
        if let (StartAt::Now, Some(cursor)) = (from, cursor) {
            wanted.since = Some((epoch, cursor));
            wanted.delivered = wanted.delivered.max(cursor);
        }
        let Some(participant) =
            pick(&mut self.present, who).filter(|participant| !participant.receives_lists())
        else {
            return;
        };
        let Some((epoch, seq)) = wanted.since.clone() else { return };
        let resync = Resync::new(Since { epoch, seq }).history(history).reference(Some(reference.clone()));
        match timeout(PATIENCE, participant.member().resync(resync)).await {
            Ok(Ok(_)) => participant.checker.expect_reply(reference, Request::Resync(wanted)),
            Ok(Err(ReadError::NotAMember)) => assert!(participant.may_be_disconnected()),
            Ok(Err(error)) => panic!("{error}"),
            // one of its messages is held back
            Err(_) => assert!(self.store.has_held_appends()),
        }
    }

    /// Deletes messages in a task of its own: the append may be held back.
    pub(super) fn delete(&mut self, room: RoomName, back: i64, count: u8) {
        let first = self.store.newest(&room).saturating_add_signed(-back);
        let targets: Vec<_> = (first..first.saturating_add(count.into())).collect();
        let engine = self.engine.clone();
        let deletion = async move { engine.delete_messages(&room, &targets, DELETED_BY).await };
        self.deletions.0.push(tokio::spawn(deletion));
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

/// The deletions that are in progress.
#[derive(Default)]
pub(super) struct Deletions(Vec<JoinHandle<Result<usize, HistoryError>>>);

impl Deletions {
    /// Checks that the callers were told what was deleted and what has failed, once everything is
    /// stored.
    pub(super) fn assert_ended(self, store: &HeldHistory) {
        let outcomes: Vec<_> = self
            .0
            .into_iter()
            .map(|task| task.now_or_never().expect("it has ended").expect("it does not panic"))
            .collect();
        let deleted: usize = outcomes.iter().flatten().sum();
        let failed = outcomes.iter().filter(|outcome| outcome.is_err()).count();
        assert_eq!((deleted, failed), store.deletions(), "deleted messages and failed deletions");
    }
}
