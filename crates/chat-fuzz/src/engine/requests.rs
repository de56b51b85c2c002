//! Messages and requests of members, and deletions.

use std::sync::Arc;
use std::time::Duration;

use chat_history::{HistoryError, Mentions, MessageContext, Page};
use chat_protocol::v2::{ErrorCode, PAGE_BYTES, Since};
use chat_protocol::{Emoji, MayPost, MessageId, Reference, RoomName, RoomSettings};
use chat_rooms::{Edit, HistoryQuery, MembersQuery, Outgoing, React, ReadError, Resync, SendError};
use tokio::task::JoinHandle;
use tokio::time::error::Elapsed;
use tokio::time::timeout;

use super::checker::Request;
use super::command::StartAt;
use super::harness::{Harness, ended, pick};
use super::participant::Participant;
use super::store::HeldHistory;
use super::timeline::DELETED_BY;

/// Few, so that members have the same ones.
const EMOJI: [&str; 3] = [":+1:", ":tada:", ":rocket:"];

/// A call that does not complete within this time waits for a held append, and is cancelled.
const PATIENCE: Duration = Duration::from_millis(2);

/// The maximum total size of the messages, in bytes. Below it, everything can be recovered, and the
/// store in memory keeps everything.
const MAX_TOTAL_BYTES: usize = 700 << 10;

impl Harness {
    /// Sends a message, which replies to the one whose number is this much before the newest one.
    pub(super) async fn send(&mut self, who: u8, id: Option<u8>, body: u8, back: Option<i64>) {
        let reference = self.reference();
        let Some(participant) = pick(&mut self.present, who).filter(|_| self.store.bytes() < MAX_TOTAL_BYTES)
        else {
            return;
        };
        let (id, body) = (own_id(id), text(body));
        let reply_to = back.map(|back| self.store.newest(&participant.room).saturating_add_signed(-back));
        let outgoing = Outgoing {
            body: Arc::clone(&body),
            id: id.clone(),
            reference: Some(reference.clone()),
            context: MessageContext::new(reply_to, Mentions::default()),
            denied: None,
        };
        let append = self.store.sent();
        match timeout(PATIENCE, participant.member().submit(outgoing)).await {
            Ok(Ok(())) => {
                assert_eq!(self.store.sent(), append + 1);
                participant.checker.expect_reply(reference, Request::Send { id, body, reply_to, append });
            }
            Ok(Err(SendError::NotAMember)) => {
                assert!(participant.may_be_disconnected(), "a member cannot send");
            }
            Ok(Err(error)) => panic!("{error}"),
            // cancelled: nothing was sent
            Err(_) => assert_eq!(self.store.sent(), append),
        }
    }

    pub(super) async fn edit(&mut self, who: u8, back: i64, id: Option<u8>, body: u8) {
        let reference = self.reference();
        let Some(participant) = pick(&mut self.present, who).filter(|_| self.store.bytes() < MAX_TOTAL_BYTES)
        else {
            return;
        };
        let target = self.store.newest(&participant.room).saturating_add_signed(-back);
        let body = text(body);
        let mut edit = Edit::new(target, Arc::clone(&body));
        (edit.id, edit.reference) = (own_id(id), Some(reference.clone()));
        let outcome = timeout(PATIENCE, participant.member().submit_edit(edit)).await;
        participant.expect_ack(reference, Request::Edit { target, body }, outcome);
    }

    pub(super) async fn react(&mut self, who: u8, back: i64, emoji: u8, is_added: bool) {
        let reference = self.reference();
        let Some(participant) = pick(&mut self.present, who).filter(|_| self.store.bytes() < MAX_TOTAL_BYTES)
        else {
            return;
        };
        let target = self.store.newest(&participant.room).saturating_add_signed(-back);
        let emoji = Emoji::parse(EMOJI[usize::from(emoji) % EMOJI.len()]).expect("an emoji");
        let mut react = React::add(target, emoji.clone());
        (react.is_added, react.reference) = (is_added, Some(reference.clone()));
        let outcome = timeout(PATIENCE, participant.member().submit_react(react)).await;
        participant.expect_ack(reference, Request::React { target, emoji, is_added }, outcome);
    }

    /// All members of a room react to the same message.
    pub(super) async fn react_all(&mut self, room: &RoomName, back: i64, emoji: u8, is_added: bool) {
        let newest = self.store.newest(room);
        for index in 0..self.present.len() {
            if self.present[index].room == *room {
                // the newest one may be another one by now
                let since = i64::try_from(self.store.newest(room) - newest).unwrap_or_default();
                let index = u8::try_from(index).unwrap_or_default();
                self.react(index, back + since, emoji, is_added).await;
            }
        }
    }

    /// Changes who may post in a task of its own: the append may be held back.
    pub(super) fn configure(&mut self, room: RoomName, is_open: bool) {
        let post = if is_open { MayPost::Everyone } else { MayPost::Moderators };
        let engine = self.engine.clone();
        let change = async move { engine.configure(&room, RoomSettings::default().post(post)).await };
        self.changes.push(tokio::spawn(change));
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

impl Participant {
    /// Expects an ack of a command, if it was accepted.
    fn expect_ack(
        &mut self,
        reference: Reference,
        request: Request,
        outcome: Result<Result<(), SendError>, Elapsed>,
    ) {
        match outcome {
            Ok(Ok(())) => self.checker.expect_reply(reference, request),
            Ok(Err(SendError::NotAMember)) => {
                assert!(self.may_be_disconnected(), "a member cannot send");
            }
            Ok(Err(error)) => panic!("{error}"),
            // cancelled
            Err(_) => {}
        }
    }
}

fn own_id(id: Option<u8>) -> Option<MessageId> {
    id.map(|id| format!("i{id}").parse().expect("short"))
}

/// One of a few short texts, or a long one.
fn text(body: u8) -> Arc<str> {
    if body < 224 { format!("b{}", body % 3).into() } else { format!("{body}").repeat(7_000).into() }
}

/// The deletions that are in progress.
#[derive(Default)]
pub(super) struct Deletions(Vec<JoinHandle<Result<usize, HistoryError>>>);

impl Deletions {
    /// Checks that the callers were told what was deleted and what has failed, once everything is
    /// stored.
    pub(super) async fn assert_ended(self, store: &HeldHistory) {
        let mut outcomes = Vec::new();
        for task in self.0 {
            outcomes.push(ended(task).await);
        }
        let deleted: usize = outcomes.iter().flatten().sum();
        let failed = outcomes.iter().filter(|outcome| outcome.is_err()).count();
        assert_eq!((deleted, failed), store.deletions(), "deleted messages and failed deletions");
    }
}
