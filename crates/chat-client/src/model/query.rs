//! The parameters of commands about a room.

use chat_protocol::v2::{History, Keep, Members, Notify, Search};
use chat_protocol::{InviteCode, RoomName, Username};

/// How to join a room.
///
/// ```no_run
/// # async fn run(client: chat_client::Client) -> Result<(), Box<dyn std::error::Error>> {
/// use chat_client::JoinOptions;
///
/// let joined = client.join(&"lobby".parse()?, JoinOptions::default().history(50)).await?;
/// println!("{} messages", joined.messages.len());
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct JoinOptions {
    pub(crate) history: u64,
    pub(crate) invite: Option<InviteCode>,
}

impl JoinOptions {
    /// The number of newest messages that come with the answer, at most 200 (default: none). If the
    /// client cannot recover what it missed, the room starts again with this number of messages.
    ///
    /// ```
    /// # use chat_client::JoinOptions;
    /// let options = JoinOptions::default().history(50);
    /// ```
    pub fn history(mut self, messages: u64) -> Self {
        self.history = messages;
        self
    }

    /// The code of an invite link, by which the user becomes a member of the room (default: none).
    ///
    /// ```
    /// # use chat_client::JoinOptions;
    /// let options = JoinOptions::default().invite("Zm9vYmFyYmF6cXV4cXV1eA".parse()?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn invite(mut self, code: InviteCode) -> Self {
        self.invite = Some(code);
        self
    }
}

/// A part of a room's history. A page has at most `limit` messages, never more than 200, and at
/// most 960 KiB of them. It covers the numbers from `first` to `last`: every message in that range
/// is in it, and the numbers in between belong to other events. While `more` is true, the next page
/// is before `first` or after `last`.
///
/// ```no_run
/// # async fn run(client: chat_client::Client) -> Result<(), Box<dyn std::error::Error>> {
/// use chat_client::Page;
///
/// let lobby = "lobby".parse()?;
/// let newest = client.history(&lobby, Page::Newest { limit: 50 }).await?;
/// if newest.more {
///     let page = client.history(&lobby, Page::Before { seq: newest.first, limit: 50 }).await?;
///     println!("{} older messages", page.messages.len());
/// }
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Page {
    /// The newest messages.
    Newest {
        /// The maximum number of messages.
        limit: u64,
    },
    /// The messages right before a position.
    Before {
        /// The number of a message or of another event.
        seq: u64,
        /// The maximum number of messages.
        limit: u64,
    },
    /// The messages right after a position.
    After {
        /// The number of a message or of another event; 0: from the beginning.
        seq: u64,
        /// The maximum number of messages.
        limit: u64,
    },
}

impl Page {
    pub(crate) fn into_frame(self, room: RoomName) -> History {
        let (before, after, limit) = match self {
            Self::Newest { limit } => (None, None, limit),
            Self::Before { seq, limit } => (Some(seq), None, limit),
            Self::After { seq, limit } => (None, Some(seq), limit),
        };
        History { room, before, after, limit: Some(limit) }
    }
}

/// A part of a room's list of members, which is ordered by username.
///
/// ```no_run
/// # async fn run(client: chat_client::Client) -> Result<(), Box<dyn std::error::Error>> {
/// use chat_client::MembersQuery;
///
/// let lobby = "lobby".parse()?;
/// let mut query = MembersQuery::default().limit(200);
/// loop {
///     let page = client.members(&lobby, query).await?;
///     page.members.iter().for_each(|member| println!("{}", member.username));
///     let Some(last) = page.members.last().filter(|_| page.more) else { break };
///     query = MembersQuery::default().limit(200).after(last.username.clone());
/// }
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MembersQuery {
    after: Option<Username>,
    prefix: Option<String>,
    limit: Option<u64>,
}

impl MembersQuery {
    /// Only members after this name, which is the last one of the previous page.
    ///
    /// ```
    /// # use chat_client::MembersQuery;
    /// let query = MembersQuery::default().after("kim".parse()?);
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    pub fn after(mut self, username: Username) -> Self {
        self.after = Some(username);
        self
    }

    /// Only members whose names begin with this text.
    ///
    /// ```
    /// # use chat_client::MembersQuery;
    /// let query = MembersQuery::default().prefix("an").limit(10);
    /// ```
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = Some(prefix.into());
        self
    }

    /// The maximum number of members, never more than 200 (default: 100).
    ///
    /// ```
    /// # use chat_client::MembersQuery;
    /// let query = MembersQuery::default().limit(200);
    /// ```
    pub fn limit(mut self, members: u64) -> Self {
        self.limit = Some(members);
        self
    }

    pub(crate) fn into_frame(self, room: RoomName) -> Members {
        Members {
            room,
            after: self.after.map(|name| name.as_str().to_owned()),
            prefix: self.prefix,
            limit: self.limit,
        }
    }
}

/// How a room is kept in the list of the user. By default it becomes a favourite, or stays as it
/// is.
///
/// ```
/// use chat_client::{KeepRoom, Notify};
///
/// let quiet = KeepRoom::default().notify(Notify::Mentions);
/// let gone = KeepRoom::default().favourite(false);
/// # let _ = (quiet, gone);
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KeepRoom {
    favourite: Option<bool>,
    notify: Option<Notify>,
}

impl KeepRoom {
    /// Sets whether the room is a favourite. One that is none is removed from the list.
    #[must_use]
    pub fn favourite(mut self, favourite: bool) -> Self {
        self.favourite = Some(favourite);
        self
    }

    /// Sets what the user is notified of.
    #[must_use]
    pub fn notify(mut self, notify: Notify) -> Self {
        self.notify = Some(notify);
        self
    }

    pub(crate) fn into_frame(self, room: RoomName) -> Keep {
        let Self { favourite, notify } = self;
        Keep { room, favourite, notify }
    }
}

/// A search for messages, the newest first.
///
/// ```no_run
/// # async fn run(client: chat_client::Client) -> Result<(), Box<dyn std::error::Error>> {
/// use chat_client::SearchQuery;
///
/// let mut query = SearchQuery::new("release notes").room("lobby".parse()?);
/// loop {
///     let found = client.search(query.clone()).await?;
///     found.messages.iter().for_each(|found| println!("{} {}", found.room, found.message.seq()));
///     let Some(before) = found.before else { break };
///     query = query.before(before);
/// }
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SearchQuery {
    query: String,
    room: Option<RoomName>,
    from: Option<Username>,
    before: Option<String>,
    limit: Option<u64>,
}

impl SearchQuery {
    /// Messages with all of these words, in the rooms that the session has joined and those in the
    /// list of the user.
    ///
    /// ```
    /// # use chat_client::SearchQuery;
    /// let query = SearchQuery::new("release notes");
    /// ```
    pub fn new(words: impl Into<String>) -> Self {
        Self { query: words.into(), room: None, from: None, before: None, limit: None }
    }

    /// Only in this room, which the session has joined.
    ///
    /// ```
    /// # use chat_client::SearchQuery;
    /// let query = SearchQuery::new("tea").room("lobby".parse()?);
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    pub fn room(self, room: RoomName) -> Self {
        Self { room: Some(room), ..self }
    }

    /// Only messages that were sent under this name.
    ///
    /// ```
    /// # use chat_client::SearchQuery;
    /// let query = SearchQuery::new("tea").from("ana".parse()?);
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    pub fn from(self, username: Username) -> Self {
        Self { from: Some(username), ..self }
    }

    /// Continues after an earlier answer, which had this `before`.
    ///
    /// ```
    /// # use chat_client::{Found, SearchQuery};
    /// # fn next(found: Found) -> Option<SearchQuery> {
    /// Some(SearchQuery::new("tea").before(found.before?))
    /// # }
    /// ```
    pub fn before(self, before: impl Into<String>) -> Self {
        Self { before: Some(before.into()), ..self }
    }

    /// The maximum number of messages, never more than 50 (default: 20).
    ///
    /// ```
    /// # use chat_client::SearchQuery;
    /// let query = SearchQuery::new("tea").limit(50);
    /// ```
    pub fn limit(self, messages: u64) -> Self {
        Self { limit: Some(messages), ..self }
    }

    pub(crate) fn into_frame(self) -> Search {
        let Self { query, room, from, before, limit } = self;
        Search { query, room, from, before, limit }
    }
}
