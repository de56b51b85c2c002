//! `directory`: searches the public rooms.

use std::sync::Arc;

use chat_protocol::v2::{Directory, DirectoryEntry, DirectoryPage, ErrorCode, ServerFrame};
use chat_protocol::{Reference, fold};
use futures::FutureExt;

use crate::context::Context;
use crate::context::directory::matches;
use crate::session::commands::page_size;
use crate::session::{Busy, Done, STORAGE_UNAVAILABLE, Session, error_frame};

/// How many rooms a page has if the client does not say, and at most.
const DEFAULT: usize = 50;
const MAX: usize = 100;

/// The longest text that is searched for, in bytes.
const MAX_QUERY: usize = 200;

impl Session {
    pub(super) fn directory(&mut self, directory: Directory, reference: Option<Reference>) {
        let Directory { query, after, limit } = directory;
        if query.as_ref().is_some_and(|query| query.len() > MAX_QUERY) {
            let message =
                format!("the field \"query\" is invalid: it must not be longer than {MAX_QUERY} bytes");
            return self.error(reference, ErrorCode::MissingField, message);
        }
        let after = usize::try_from(after).unwrap_or(usize::MAX);
        let limit = page_size(limit, DEFAULT, MAX);
        let context = Arc::clone(&self.context);
        let has_html =
            self.state.as_ref().is_some_and(|state| self.context.encodings.has_html(state.encoding));
        let work = async move {
            let found = page(&context, query.as_deref().map(fold), after, limit, has_html).await;
            let answer = match found {
                Ok(page) => ServerFrame::Directory(DirectoryPage { reference, ..page }),
                Err(error) => {
                    tracing::debug!(%error, "the directory can't be read");
                    error_frame(reference, ErrorCode::StoreUnavailable, STORAGE_UNAVAILABLE)
                }
            };
            Done::Found(Box::new(answer))
        };
        self.busy = Some(Busy::Working(work.boxed()));
    }
}

async fn page(
    context: &Context,
    query: Option<String>,
    after: usize,
    limit: usize,
    has_html: bool,
) -> Result<DirectoryPage, chat_history::HistoryError> {
    let rooms = context.directory.rooms(&context.engine).await?;
    let is_found = |room: &&chat_history::PublicRoom| query.as_ref().is_none_or(|query| matches(room, query));
    let mut found = rooms.iter().filter(is_found).skip(after);
    let entry = |room: &chat_history::PublicRoom| DirectoryEntry {
        room: room.room.clone(),
        title: room.settings.title.clone(),
        topic: room.settings.topic.clone(),
        topic_html: room
            .settings
            .topic
            .as_ref()
            .filter(|_| has_html)
            .map(|topic| context.rendered.render(topic.as_str())),
        members: context.engine.members(&room.room).map_or(0, |members| members.total() as u64),
        last_message_at: room.last_message_at,
    };
    let rooms = found.by_ref().take(limit).map(entry).collect();
    Ok(DirectoryPage { reference: None, rooms, more: found.next().is_some() })
}
