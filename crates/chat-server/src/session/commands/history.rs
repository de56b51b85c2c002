//! `history`: reads a page of messages.

use chat_history::Page;
use chat_protocol::Reference;
use chat_protocol::v2::{History, PAGE_BYTES, PAGE_MESSAGES, PAGE_MESSAGES_DEFAULT};
use chat_rooms::HistoryQuery;
use futures::FutureExt;

use crate::session::{Busy, Done, Session};

impl Session {
    pub(super) fn history(&mut self, request: &History, reference: Option<Reference>) {
        let History { room, before, after, limit } = request;
        let Some(member) = self.member(room, reference.as_ref()) else { return };
        let limit = limit.map_or(PAGE_MESSAGES_DEFAULT, |limit| usize::try_from(limit).unwrap_or(usize::MAX));
        let limit = limit.min(PAGE_MESSAGES);
        let page = match (after, before) {
            (Some(seq), _) => Page::After { seq: *seq, limit },
            (None, before) => Page::Before { seq: before.unwrap_or(u64::MAX), limit },
        };
        let query = HistoryQuery::new(page).max_bytes(PAGE_BYTES).reference(reference.clone());
        let query = query.former_ids(self.former_ids());
        let work = async move {
            let read = member.history(query).await;
            Done::Read(member, read, reference)
        };
        self.busy = Some(Busy::Working(work.boxed()));
    }
}
