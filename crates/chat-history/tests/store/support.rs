//! Stores to test, and short ways to use them.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use chat_db::Database;
use chat_history::{
    AppendError, Appended, HistoryStore, MemoryHistory, Messages, NewMessage, Page, SqliteHistory,
};
use chat_protocol::v2::PAGE_BYTES;
use chat_protocol::{Content, Message, MessageId, RoomName, Username};
use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sql_types::BigInt;
use futures::channel::oneshot;
use tempfile::TempDir;

/// A store, and what has to outlive it.
pub(crate) struct Under {
    pub(crate) store: Arc<dyn HistoryStore>,
    _kept: Option<TempDir>,
}

pub(crate) async fn memory() -> Under {
    Under { store: Arc::new(MemoryHistory::new()), _kept: None }
}

pub(crate) async fn sqlite() -> Under {
    let file = File::new();
    let (_, store) = file.open().await;
    Under { store: Arc::new(store), _kept: Some(file.folder) }
}

/// Where a database is.
pub(crate) struct File {
    folder: TempDir,
    path: PathBuf,
}

impl File {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("chat.sqlite3");
        Self { folder, path }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The database's name with something behind it.
    pub(crate) fn beside(&self, what: &str) -> PathBuf {
        PathBuf::from(format!("{}.{what}", self.path.display()))
    }

    pub(crate) async fn open(&self) -> (Database, SqliteHistory) {
        let database = Database::open(&self.path).unwrap();
        (database.clone(), SqliteHistory::open(database).await.unwrap())
    }

    /// A connection that the store knows nothing of.
    pub(crate) fn outside(&self) -> SqliteConnection {
        SqliteConnection::establish(self.path.to_str().unwrap()).unwrap()
    }

    /// Runs statements behind the store's back.
    pub(crate) fn meddle(&self, sql: &str) {
        let mut outside = self.outside();
        // the store may be writing at this moment
        outside.batch_execute("PRAGMA busy_timeout = 60000").unwrap();
        outside.batch_execute(sql).unwrap();
    }

    pub(crate) fn number(&self, sql: &str) -> i64 {
        diesel::select(diesel::dsl::sql::<BigInt>(sql)).get_result(&mut self.outside()).unwrap()
    }
}

pub(crate) type Outcome = Result<Appended, AppendError>;

pub(crate) fn room(name: &str) -> RoomName {
    RoomName::parse(name).unwrap()
}

pub(crate) fn id(text: &str) -> MessageId {
    text.parse().unwrap()
}

/// A message with an id that the server made.
pub(crate) fn say(in_room: &str, from: &str, body: &str) -> NewMessage {
    NewMessage {
        room: room(in_room),
        from: Username::parse(from).unwrap(),
        body: body.into(),
        id: MessageId::from_random(rand::random()),
        once: false,
    }
}

/// A message with an id of its sender's own.
pub(crate) fn say_once(in_room: &str, from: &str, body: &str, own: &str) -> NewMessage {
    NewMessage { id: id(own), once: true, ..say(in_room, from, body) }
}

/// Appends, and gives the answer when it comes.
pub(crate) fn append(store: &dyn HistoryStore, message: NewMessage) -> impl Future<Output = Outcome> + use<> {
    let (tell, told) = oneshot::channel();
    store.append(message, Box::new(move |outcome| tell.send(outcome).unwrap()));
    async { told.await.unwrap() }
}

/// The number of a message that is new.
pub(crate) async fn seq_of(store: &dyn HistoryStore, message: NewMessage) -> u64 {
    let appended = append(store, message).await.unwrap();
    assert!(!appended.again && appended.missed.is_empty(), "{appended:?}");
    appended.message.seq
}

pub(crate) async fn page(store: &dyn HistoryStore, name: &str, page: Page) -> Messages {
    let found = store.page(room(name), page).await.unwrap();
    let limit = match page {
        Page::Before { limit, .. } | Page::After { limit, .. } => limit,
    };
    let bytes: usize = found.messages.iter().map(|message| message.encoded_size()).sum();
    assert!(found.messages.len() <= limit);
    assert!(bytes <= PAGE_BYTES || found.messages.len() == 1);
    assert!(found.messages.is_sorted_by(|a, b| a.seq + 1 == b.seq));
    found
}

/// Everything that a room has, page after page from its beginning.
pub(crate) async fn all_after(store: &dyn HistoryStore, name: &str, limit: usize) -> Vec<Arc<Message>> {
    let mut all = Vec::<Arc<Message>>::new();
    loop {
        let seq = all.last().map_or(0, |last| last.seq);
        let Messages { messages, more } = page(store, name, Page::After { seq, limit }).await;
        all.extend(messages);
        if !more {
            return all;
        }
    }
}

/// Everything that a room has, page after page from its end.
pub(crate) async fn all_before(store: &dyn HistoryStore, name: &str, limit: usize) -> Vec<Arc<Message>> {
    let mut all = Vec::<Arc<Message>>::new();
    loop {
        let seq = all.first().map_or(u64::MAX, |first| first.seq);
        let Messages { messages, more } = page(store, name, Page::Before { seq, limit }).await;
        all.splice(0..0, messages);
        if !more {
            return all;
        }
    }
}

pub(crate) fn seqs(messages: &[Arc<Message>]) -> Vec<u64> {
    messages.iter().map(|message| message.seq).collect()
}

/// What a message says; none if it was erased.
pub(crate) fn body(message: &Message) -> Option<&str> {
    match &message.content {
        Content::Said { body, .. } => Some(body),
        Content::Erased => None,
    }
}
