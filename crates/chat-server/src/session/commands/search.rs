//! `search`: finds messages in the rooms that the user may read.

use std::collections::HashMap;
use std::sync::Arc;

use chat_access::{Action, Actor};
use chat_history::{HistoryError, MessageKey};
use chat_log::Passed;
use chat_protocol::v2::{
    ErrorCode, FOUND_MESSAGES, FOUND_MESSAGES_DEFAULT, Found, FoundMessage, PAGE_BYTES, RENDERED_BYTES,
    Renderer, Search, ServerFrame, StoredMessage, Written,
};
use chat_protocol::{Identity, Message, Reference, RoomName, UserId};
use chat_search::{Cursor, Query, QueryError, SearchError};
use futures::FutureExt;

use crate::admission::client_log::LogKind;
use crate::context::Context;
use crate::session::commands::page_size;
use crate::session::{Busy, Done, STORAGE_UNAVAILABLE, Session, error_frame};

/// How often the index is asked for one answer. A page may be empty although there is more.
const MAX_PAGES: usize = 4;

/// Why nothing was found.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("the field \"query\" is invalid: {0}")]
    Query(#[from] QueryError),
    #[error("the field \"before\" is invalid: it is not from an earlier answer")]
    Cursor(#[from] chat_search::InvalidCursor),
    #[error("another search of this user is running")]
    Running,
    #[error(transparent)]
    Index(#[from] SearchError),
    #[error(transparent)]
    History(#[from] HistoryError),
}

/// Who searches, and where.
struct Asker {
    user: Arc<Identity>,
    /// The ids of the user: the present one, and those that it had as a guest.
    ids: Vec<UserId>,
    rooms: Vec<RoomName>,
    /// The rooms that the session has joined.
    joined: Vec<RoomName>,
    has_html: bool,
}

impl Session {
    pub(super) fn search(&mut self, search: Search, reference: Option<Reference>) {
        let Some(state) = self.state.as_ref() else { return };
        if self.context.search.is_none() {
            self.error(reference, ErrorCode::Forbidden, "this server does not search");
            return;
        }
        let joined: Vec<_> = state.rooms.iter().map(|member| member.member().room.clone()).collect();
        let rooms = match &search.room {
            Some(room) if self.member(room, reference.as_ref()).is_none() => return,
            Some(room) => vec![room.clone()],
            None => {
                let listed = state.list.as_ref().map(|list| list.handle().names()).unwrap_or_default();
                let mut rooms: Vec<_> = joined.iter().cloned().chain(listed).collect();
                rooms.sort_unstable();
                rooms.dedup();
                rooms
            }
        };
        let asker = Asker {
            user: Arc::clone(&state.user),
            ids: [state.user.id()].into_iter().chain(&state.former_ids).cloned().collect(),
            rooms,
            joined,
            has_html: self.context.encodings.has_html(state.encoding),
        };
        let context = Arc::clone(&self.context);
        let work = async move {
            match find(&context, asker, search).await {
                Ok(found) => Done::Found(Box::new(ServerFrame::Found(Found { reference, ..found }))),
                Err(failure) => Done::Answered(Box::new(refused(&context, &failure, reference))),
            }
        };
        self.busy = Some(Busy::Working(work.boxed()));
    }
}

fn refused(context: &Context, failure: &Failure, reference: Option<Reference>) -> ServerFrame {
    match failure {
        Failure::Query(_) | Failure::Cursor(_) => {
            error_frame(reference, ErrorCode::MissingField, failure.to_string())
        }
        Failure::Running => error_frame(reference, ErrorCode::RateLimited, failure.to_string()),
        Failure::Index(_) | Failure::History(_) => {
            if let Some(Passed { suppressed }) = context.log.pass(LogKind::Search) {
                tracing::warn!(error = %failure, suppressed, "messages can't be searched");
            }
            error_frame(reference, ErrorCode::StoreUnavailable, STORAGE_UNAVAILABLE)
        }
    }
}

/// Carries out a search.
async fn find(context: &Context, mut asker: Asker, search: Search) -> Result<Found, Failure> {
    let Some(searches) = &context.search else { return Ok(found(Vec::new(), None)) };
    let _running = searches.begin(asker.user.id()).ok_or(Failure::Running)?;
    let limit = page_size(search.limit, FOUND_MESSAGES_DEFAULT, FOUND_MESSAGES);
    let mut before = search.before.as_deref().map(str::parse::<Cursor>).transpose()?;
    let query = Query::new(&search.query, std::mem::take(&mut asker.rooms))?.from(search.from);
    let actor = Actor::new(&asker.user, asker.ids.get(1..).unwrap_or_default());
    let mut readable = asker.joined.iter().map(|room| (room.clone(), true)).collect();
    for _ in 0..MAX_PAGES {
        let mut page_limit = limit;
        let (messages, next) = loop {
            let page = query.clone().before(before).limit(page_limit);
            let found = searches.index.search(page).await?;
            let messages = load(context, &found.keys, &query).await?;
            // the cursor is after all that was found: a page that is too large is cut by the index
            match fitting(&messages) {
                count if count < messages.len() && page_limit > 1 => {
                    let last = &messages[count.max(1) - 1];
                    let is_last = |key: &MessageKey| (&key.room, key.seq) == (&last.room, last.seq);
                    page_limit = found.keys.iter().position(is_last).map_or(1, |index| index + 1);
                }
                _ => break (messages, found.next),
            }
        };
        let messages = allowed(context, &actor, messages, &mut readable).await?;
        if messages.is_empty() && next.is_some() {
            before = next;
            continue;
        }
        let messages = frames(context, &asker, messages).await?;
        return Ok(found(messages, next));
    }
    Ok(found(Vec::new(), before))
}

fn found(messages: Vec<FoundMessage>, next: Option<Cursor>) -> Found {
    let before = next.map(|cursor| cursor.to_string());
    Found { reference: None, messages, more: before.is_some(), before }
}

/// How many of these messages fit into one frame.
fn fitting(messages: &[Arc<Message>]) -> usize {
    let mut bytes = 0;
    let fits = |message: &&Arc<Message>| {
        bytes += size(message);
        bytes <= PAGE_BYTES
    };
    messages.iter().take_while(fits).count()
}

/// The size of a message in the answer, without `html`.
fn size(message: &Arc<Message>) -> usize {
    /// The name of the room, with its field.
    const ROOM: usize = 300;
    ROOM + message.encoded_size()
}

/// What `html` adds to it, at most.
fn encoded_html(html: &str) -> usize {
    const FIELD: usize = r#","html":"""#.len();
    let escaped = html.bytes().filter(|byte| matches!(byte, b'"' | b'\\' | 0..0x20));
    FIELD + html.len() + 5 * escaped.count()
}

/// The messages that were found, as they are now and in their order. One that was changed meanwhile
/// may not match any more.
async fn load(context: &Context, keys: &[MessageKey], query: &Query) -> Result<Vec<Arc<Message>>, Failure> {
    let Some(searches) = &context.search else { return Ok(Vec::new()) };
    let mut by_room: HashMap<&RoomName, Vec<u64>> = HashMap::new();
    for key in keys {
        by_room.entry(&key.room).or_default().push(key.seq);
    }
    let retention = context.config().retention;
    let mut found: HashMap<(&RoomName, u64), Arc<Message>> = HashMap::new();
    for (room, numbers) in by_room {
        for message in searches.log.messages(room.clone(), numbers, retention).await? {
            if message.text().is_some_and(|text| query.matches(&text.body)) {
                found.insert((room, message.seq), message);
            }
        }
    }
    Ok(keys.iter().filter_map(|key| found.remove(&(&key.room, key.seq))).collect())
}

/// Leaves out messages of rooms that the user may not join now. `readable` has the rooms that are
/// known, among them those that the session has joined.
async fn allowed(
    context: &Context,
    actor: &Actor,
    messages: Vec<Arc<Message>>,
    readable: &mut HashMap<RoomName, bool>,
) -> Result<Vec<Arc<Message>>, Failure> {
    for message in &messages {
        if !readable.contains_key(&message.room) {
            let may_read = context.engine.may(actor, Action::Join, &message.room).await?.is_ok();
            readable.insert(message.room.clone(), may_read);
        }
    }
    let is_readable = |message: &Arc<Message>| readable.get(&message.room).copied().unwrap_or_default();
    Ok(messages.into_iter().filter(is_readable).collect())
}

/// The messages for the session, with its own reactions and, if it has asked for that, `html`.
async fn frames(
    context: &Context,
    asker: &Asker,
    messages: Vec<Arc<Message>>,
) -> Result<Vec<FoundMessage>, Failure> {
    let mut reacted: HashMap<RoomName, Vec<u64>> = HashMap::new();
    for message in &messages {
        if message.text().is_some_and(|text| !text.reactions().is_empty()) {
            reacted.entry(message.room.clone()).or_default().push(message.seq);
        }
    }
    let mut own = HashMap::new();
    for (room, targets) in reacted {
        let reactions = context.engine.own_reactions(&room, targets, asker.ids.clone()).await?;
        own.insert(room, reactions);
    }
    let mut encoded: usize = messages.iter().map(size).sum();
    let (mut rendered, mut frames) = (0, Vec::with_capacity(messages.len()));
    for message in messages {
        let mut stored = StoredMessage::from(&*message);
        if let Some(emoji) = own.get(&message.room).and_then(|own| own.get(&message.seq)) {
            stored.mark_own(emoji);
        }
        if let StoredMessage::Text { seq, changed_seq, sent_at, body, html, .. } = &mut stored {
            rendered += body.len();
            if asker.has_html && rendered <= RENDERED_BYTES {
                let (room, seq, changed_seq, sent_at) = (&message.room, *seq, *changed_seq, *sent_at);
                let text = context.rendered.message(Written { room, seq, changed_seq, sent_at, body });
                encoded += encoded_html(&text);
                *html = (encoded <= PAGE_BYTES).then_some(text);
            }
        }
        frames.push(FoundMessage { room: message.room.clone(), message: stored });
    }
    Ok(frames)
}
