//! The commands about private rooms, invitations, direct rooms and the directory.

use std::time::Duration;

use chat_protocol::v2::{
    Command, DirectRoom, Directory, DirectoryPage, ErrorCode, InviteLink, InviteLinkFrame, ServerFrame,
};
use chat_protocol::{RoomName, Username};

use super::Client;
use crate::command::Request;
use crate::model::{CommandError, SettingsChange};

impl Client {
    /// Creates a private room, whose owner is the user. Resolves to its address, which is random:
    /// [join](Self::join) it next. The settings need a [title](SettingsChange::title).
    ///
    /// Not cancel-safe: if the future is dropped before it resolves, the room may still be created.
    /// It is then in the list of the user.
    ///
    /// # Errors
    /// Those of [`history`](Self::history). The server refuses guests, and settings without a
    /// title.
    ///
    /// ```no_run
    /// # async fn run(client: chat_client::Client) -> Result<(), Box<dyn std::error::Error>> {
    /// use chat_client::{JoinOptions, SettingsChange};
    ///
    /// let settings = SettingsChange::default().title(Some("The club".parse()?));
    /// let club = client.create_private(settings).await?;
    /// client.join(&club, JoinOptions::default()).await?;
    /// # Ok(()) }
    /// ```
    pub async fn create_private(&self, settings: SettingsChange) -> Result<RoomName, CommandError> {
        let command = Command::CreateRoom(settings.into_create(None));
        self.ask(command, |frame| if let ServerFrame::Ack(ack) = frame { Some(ack.room) } else { None }).await
    }

    /// Invites a user with an account into a room that the client has joined. The user has to
    /// accept, within 30 days.
    ///
    /// Not cancel-safe, but safe to repeat.
    ///
    /// # Errors
    /// Those of [`history`](Self::history). The server refuses users who are no moderators, and a
    /// name without an account.
    ///
    /// ```no_run
    /// # async fn run(client: chat_client::Client) -> Result<(), Box<dyn std::error::Error>> {
    /// client.invite(&"team".parse()?, &"bob".parse()?).await?;
    /// # Ok(()) }
    /// ```
    pub async fn invite(&self, room: &RoomName, username: &Username) -> Result<(), CommandError> {
        let command = Command::Invite { room: room.clone(), username: username.clone() };
        self.call(move |responder| Request::Act { command, responder }).await
    }

    /// Makes a link by which this many users with an account may join a room, within this time: at
    /// most 1,000 users and 30 days. Its code goes into [`JoinOptions`](crate::JoinOptions), and is
    /// a secret.
    ///
    /// Not cancel-safe: if the future is dropped before it resolves, a link may exist that nobody
    /// knows.
    ///
    /// # Errors
    /// Those of [`history`](Self::history). The server refuses users who are no moderators.
    ///
    /// ```no_run
    /// # async fn run(client: chat_client::Client) -> Result<(), Box<dyn std::error::Error>> {
    /// let day = std::time::Duration::from_secs(86_400);
    /// let link = client.invite_link(&"team".parse()?, 10, day).await?;
    /// # let _ = link;
    /// # Ok(()) }
    /// ```
    pub async fn invite_link(
        &self,
        room: &RoomName,
        uses: u32,
        lasting: Duration,
    ) -> Result<InviteLinkFrame, CommandError> {
        let (room, uses, for_s) = (room.clone(), Some(uses.max(1).into()), Some(lasting.as_secs()));
        self.ask_link(InviteLink { room, uses, for_s }).await
    }

    /// Ends all invite links of a room that the client has joined.
    ///
    /// Not cancel-safe, but safe to repeat.
    ///
    /// # Errors
    /// Those of [`history`](Self::history). The server refuses users who are no moderators.
    ///
    /// ```no_run
    /// # async fn run(client: chat_client::Client) -> Result<(), Box<dyn std::error::Error>> {
    /// client.end_invite_links(&"team".parse()?).await?;
    /// # Ok(()) }
    /// ```
    pub async fn end_invite_links(&self, room: &RoomName) -> Result<(), CommandError> {
        self.ask_link(InviteLink { room: room.clone(), uses: Some(0), for_s: None }).await.map(drop)
    }

    async fn ask_link(&self, link: InviteLink) -> Result<InviteLinkFrame, CommandError> {
        let command = Command::InviteLink(link);
        self.ask(command, |frame| if let ServerFrame::InviteLink(link) = frame { Some(link) } else { None })
            .await
    }

    /// Opens the direct room with another user who has an account: [join](Self::join) it next. Both
    /// users have it in their lists. Nobody else can join it.
    ///
    /// Not cancel-safe, but safe to repeat.
    ///
    /// # Errors
    /// Those of [`history`](Self::history). The server refuses guests, and a name without an
    /// account.
    ///
    /// ```no_run
    /// # async fn run(client: chat_client::Client) -> Result<(), Box<dyn std::error::Error>> {
    /// let direct = client.direct(&"bob".parse()?).await?;
    /// client.join(&direct.room, chat_client::JoinOptions::default().history(50)).await?;
    /// # Ok(()) }
    /// ```
    pub async fn direct(&self, username: &Username) -> Result<DirectRoom, CommandError> {
        let command = Command::Direct { username: username.clone() };
        self.ask(command, |frame| if let ServerFrame::Room(room) = frame { Some(room) } else { None }).await
    }

    /// Searches the public rooms, those with the newest messages first: all, or those whose name,
    /// title or topic has a text. A page has up to 50 rooms; `after` is how many the pages before
    /// had. Cancel-safe.
    ///
    /// # Errors
    /// Those of [`history`](Self::history).
    ///
    /// ```no_run
    /// # async fn run(client: chat_client::Client) -> Result<(), Box<dyn std::error::Error>> {
    /// for room in client.directory(Some("tea"), 0).await?.rooms {
    ///     println!("{}: {} members", room.room, room.members);
    /// }
    /// # Ok(()) }
    /// ```
    pub async fn directory(&self, query: Option<&str>, after: u64) -> Result<DirectoryPage, CommandError> {
        let command = Command::Directory(Directory { query: query.map(str::to_owned), after, limit: None });
        self.ask(command, |frame| if let ServerFrame::Directory(page) = frame { Some(page) } else { None })
            .await
    }

    /// Sends a command whose answer is a frame of its own.
    pub(super) async fn ask<T>(
        &self,
        command: Command,
        answer: impl FnOnce(ServerFrame) -> Option<T>,
    ) -> Result<T, CommandError> {
        let frame = self.call(move |responder| Request::Ask { command, responder }).await?;
        let wrong = || CommandError::refused(ErrorCode::Internal, "the server has sent another answer");
        answer(*frame).ok_or_else(wrong)
    }
}
