//! What members say, and ask for.

use std::sync::Arc;
use std::time::Duration;

use chat_history::Page;
use chat_protocol::MessageId;
use chat_protocol::v2::{ErrorCode, PAGE_BYTES};
use chat_rooms::{MembersQuery, Outgoing, ReadError, SendError};
use tokio::time::timeout;

use super::house::{House, pick};
use super::watch::Asked;

/// What does not resolve in so long waits for something that is held back, and is given up.
const PATIENCE: Duration = Duration::from_millis(2);

/// With less than this everything that was said can be recovered, and is kept by the store that forgets.
const MAX_SAID: usize = 700 << 10;

impl House {
    pub(super) async fn send(&mut self, who: u8, id: Option<u8>, body: u8) {
        let reference = self.reference();
        let Some(stay) = pick(&mut self.is_active, who).filter(|_| self.store.bytes() < MAX_SAID) else {
            return;
        };
        let id: Option<MessageId> = id.map(|id| format!("i{id}").parse().expect("short"));
        let body: Arc<str> =
            if body < 224 { format!("b{}", body % 3).into() } else { format!("{body}").repeat(7_000).into() };
        let outgoing =
            Outgoing { body: Arc::clone(&body), id: id.clone(), reference: Some(reference.clone()) };
        let append = self.store.appends();
        match timeout(PATIENCE, stay.member().submit(outgoing)).await {
            Ok(Ok(())) => {
                assert_eq!(self.store.appends(), append + 1);
                stay.watch.ask(reference, Asked::Said { id, body, append });
            }
            Ok(Err(SendError::NotAMember)) => assert!(stay.may_be_deaf(), "it is in, and may not speak"),
            Ok(Err(error)) => panic!("{error}"),
            // given up: nothing was said
            Err(_) => assert_eq!(self.store.appends(), append),
        }
    }

    pub(super) async fn history(&mut self, who: u8, page: Page) {
        let reference = self.reference();
        let Some(stay) = pick(&mut self.is_active, who).filter(|stay| !stay.is_told_lists()) else { return };
        match timeout(PATIENCE, stay.member().history(page, PAGE_BYTES, Some(reference.clone()))).await {
            Ok(Ok(_)) => stay.watch.ask(reference, Asked::History(page)),
            Ok(Err(ReadError::NotAMember)) => assert!(stay.may_be_deaf()),
            Ok(Err(error)) => panic!("{error}"),
            // something it said is held back
            Err(_) => assert!(self.store.is_waiting()),
        }
    }

    pub(super) fn members(&mut self, who: u8, query: MembersQuery) {
        let reference = self.reference();
        let Some(stay) = pick(&mut self.is_active, who).filter(|stay| !stay.is_told_lists()) else { return };
        match stay.member().members_page(&query, Some(reference.clone())) {
            Ok(_) => stay.watch.ask(reference, Asked::Members(query)),
            Err(_) => assert!(stay.may_be_deaf()),
        }
    }

    pub(super) fn refuse(&mut self, who: u8) {
        let reference = self.reference();
        let Some(stay) = pick(&mut self.is_active, who) else { return };
        match stay.member().refuse(ErrorCode::BadJson, "nonsense", Some(reference.clone())) {
            Ok(_) => stay.watch.ask(reference, Asked::Refusal),
            Err(_) => assert!(stay.may_be_deaf()),
        }
    }
}
